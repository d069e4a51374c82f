"""A file that ends too early is no interruption: click makes the same of both."""

import click
import pytest

from cli.shared.common import run


@pytest.mark.parametrize(
    ("raised", "code", "words"),
    [
        (EOFError("Ran out of input"), 1, "ended before it should"),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
)
def test_exit_code(
    raised: BaseException, code: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    @click.command()
    def command() -> None:
        raise raised

    assert run(command, []) == code
    told = capsys.readouterr().err
    assert words in told
    assert ("interrupted" in told) == (code == 130)
