"""Croissant metadata: what it says is so, and the official validator takes it."""

import csv
import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mtdata.building.build import RegimeSpec
from mtdata.errors import UsageError
from mtdata.export import export
from tests.stores.changed import changed_store
from tests.trees.nyu import nyu_store


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("croissant")
    path = changed_store(base / "a.h5", regimes=[RegimeSpec("one")])
    export(path, "croissant", base / "files", regime="one")
    return base / "files"


@pytest.fixture
def described(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "croissant.json").read_text(encoding="utf-8"))
    return found


def test_files_are_what_it_says(folder: Path, described: dict[str, Any]) -> None:
    seen: set[Path] = set()
    for part in described["distribution"]:
        if part["@type"] == "cr:FileObject":
            content = (folder / part["contentUrl"]).read_bytes()
            assert part["sha256"] == hashlib.sha256(content).hexdigest()
        else:
            found = set(folder.glob(part["includes"]))
            assert found
            seen |= found
    assert seen == {path for path in folder.rglob("*") if path.suffix in (".png", ".npy")}


def test_records_are_what_it_says(folder: Path, described: dict[str, Any]) -> None:
    sets = {found["@id"]: found for found in described["recordSet"]}
    with (folder / "samples.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    columns = {field["source"]["extract"]["column"] for field in sets["samples"]["field"]}
    assert columns | {"key"} == set(rows[0])
    assert {row["splits/name"] for row in sets["splits"]["data"]} == {row["split"] for row in rows}
    classes = [row["semantic-classes/name"] for row in sets["semantic-classes"]["data"]]
    assert classes == ["bed", "floor", "sofa", "table", "wall"]


def test_the_licence_of_the_data_goes_along(tmp_path: Path) -> None:
    export(nyu_store(tmp_path), "croissant", tmp_path / "files", tasks=["semantic"])
    found = json.loads((tmp_path / "files" / "croissant.json").read_text(encoding="utf-8"))
    assert "Silberman" in found["license"]
    assert (
        "Silberman"
        in json.loads((tmp_path / "files" / "export.json").read_text())["licences"]["nyu"]
    )


def test_the_official_validator_takes_it(folder: Path) -> None:
    # Beside the Python that runs this, whether that folder is on the path or not.
    places = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", "")))
    validator = shutil.which("mlcroissant", path=places)
    if validator is None:
        pytest.skip("the official validator is not installed: pip install 'mtpartial[dev]'")
    command = [validator, "validate", "--jsonld", str(folder / "croissant.json")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "error" not in done.stderr
    load = [
        validator,
        "load",
        "--jsonld",
        str(folder / "croissant.json"),
        "--record_set",
        "samples",
    ]
    done = subprocess.run(
        [*load, "--num_records", "2"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "'samples/key': b'0001'" in done.stdout


def test_without_its_extra_it_is_refused_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = nyu_store(tmp_path)
    monkeypatch.setitem(sys.modules, "mlcroissant", None)
    with pytest.raises(UsageError, match=r"pip install 'mtpartial\[croissant\]'"):
        export(path, "croissant", tmp_path / "files")
    assert not (tmp_path / "files").exists()
