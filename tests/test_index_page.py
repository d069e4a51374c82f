"""What an index page shows of a distribution leads somewhere."""

import re
from importlib.util import module_from_spec, spec_from_file_location
from types import ModuleType
from typing import Any

import pytest

from tests.paths import ROOT

ADDRESS = "https://example.org/you/mtpartial"


@pytest.fixture(scope="module")
def hook() -> ModuleType:
    spec = spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def filled(hook: ModuleType) -> dict[str, Any]:
    """The metadata that the hook adds to."""
    metadata: dict[str, Any] = {"version": "1.2.3"}
    hook.IndexPage(str(ROOT), {}).update(metadata)
    return metadata


def test_every_path_of_the_readme_is_an_address(
    hook: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROJECT_ADDRESS", ADDRESS + "/")
    found = filled(hook)
    prose = "".join(found["readme"]["text"].split("```")[::2])
    links = re.findall(r"(!?)\[[^\]]*\]\(([^)\s]+)\)", prose)
    assert all(target.startswith(("https://", "http://", "#")) for _, target in links)
    ours = [(mark, target) for mark, target in links if target.startswith(ADDRESS)]
    assert len(ours) > 20
    for mark, target in ours:
        before = f"{ADDRESS}/{'raw' if mark else 'blob'}/v1.2.3/"
        assert target.startswith(before)
        assert (ROOT / target.removeprefix(before).partition("#")[0]).exists(), target
    assert found["urls"]["Changelog"] == f"{ADDRESS}/blob/v1.2.3/docs/changelog.md"


def test_without_an_address_it_is_the_file(
    hook: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PROJECT_ADDRESS", raising=False)
    found = filled(hook)
    assert found["readme"]["text"] == (ROOT / "README.md").read_text(encoding="utf-8")
    assert "urls" not in found


def test_links_elsewhere_and_within_stay(hook: ModuleType) -> None:
    stay = "[a](https://b.org) [c](#d) [e](mailto:f@g.org)\n```\nn[o](p)\n```"
    text = f"{stay} ![h](i/j.png) [`k`](l.md#m)"
    assert hook.linked(text, "https://x.org/y", "1") == (
        f"{stay} ![h](https://x.org/y/raw/v1/i/j.png) [`k`](https://x.org/y/blob/v1/l.md#m)"
    )
