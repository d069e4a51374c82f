"""The package gives its names late, so that commands start fast."""

import subprocess
import sys

import pytest

import mtmodels


def test_import_leaves_torch_out() -> None:
    code = "import sys, mtmodels; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("name", mtmodels.__all__)
def test_every_name_is_there(name: str) -> None:
    assert getattr(mtmodels, name) is not None


def test_unknown_name_is_refused() -> None:
    with pytest.raises(AttributeError, match="no attribute 'METHOD'"):
        mtmodels.METHOD  # noqa: B018
