"""The package gives its names late, so that commands start fast."""

import subprocess
import sys

import pytest

import mtmodels


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("mtmodels", "torch"),
        ("mtmodels.training.run", "torchmetrics"),
        ("mtmodels.training.run", "torchvision"),
        ("mtmodels.training.run", "scipy"),
        ("mtmodels.training.run", "matplotlib"),
    ],
)
def test_import_leaves_out(module: str, absent: str) -> None:
    code = f"import sys, {module}; sys.exit({absent!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_fabric_leaves_torchmetrics_as_it_is() -> None:
    """What compared its version is gone, whole or not, before anything asks for a metric."""
    code = (
        "import mtmodels.fabric, torchmetrics; from lightning_fabric.utilities import imports;"
        "assert imports._TORCHMETRICS_GREATER_EQUAL_1_0_0; torchmetrics.SumMetric()"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("name", mtmodels.__all__)
def test_every_name_is_there(name: str) -> None:
    assert getattr(mtmodels, name) is not None


def test_unknown_name_is_refused() -> None:
    with pytest.raises(AttributeError, match="no attribute 'METHOD'"):
        mtmodels.METHOD  # noqa: B018
