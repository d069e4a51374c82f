"""Fixtures that all tests share."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from mtdata.plugins import installed, loaded_plugins, unload_plugin
from tests.paths import ROOT
from tests.processes.forked import prepare

# How long an example takes says how busy the machine is.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")


@pytest.fixture(scope="session", autouse=True)
def state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What is noted for later is noted elsewhere than at home."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield


@pytest.fixture(scope="session", autouse=True)
def forked() -> None:
    """Whichever test is the first to fork from a server, that has imported what others need."""
    prepare()


@pytest.fixture(autouse=True)
def no_plugins() -> Iterator[None]:
    """Each test loads plug-ins of its own."""
    yield
    for plugin in reversed(loaded_plugins()):
        unload_plugin(plugin)
    installed.look_again()


@pytest.fixture(scope="session")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the stores of `tests.stores.planted`."""
    folder = tmp_path_factory.mktemp("planted")
    command = [sys.executable, "-m", "tests.stores.planted", str(folder)]
    subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    return folder


@pytest.fixture(scope="session")
def shared() -> Path:
    """Real data and golden numbers; a test that asks for it is skipped where they are absent."""
    folder = Path(__file__).resolve().parents[2] / "shared"
    if not (folder / "data" / "nyuv2").is_dir():
        pytest.skip(f"real data and golden numbers are not at {folder}")
    return folder
