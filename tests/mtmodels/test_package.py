"""The package gives its names late, so that commands start fast."""

import subprocess
import sys

import pytest

import mtmodels

SECONDS = ["torchmetrics", "torchvision", "scipy", "torch._dynamo"]
LATE = {
    "mtmodels": ["torch"],
    "mtmodels.training.run": ["tensorboard", "matplotlib", "jinja2", *SECONDS],
    "mtmodels.scoring.evaluate": SECONDS,
    "mtmodels.networks.encoders.timm_encoder": ["torch._dynamo", "scipy"],
}
"""What an import leaves out, in the order in which they follow each other."""
OTHERS = """
import torch
torch.optim.SGD(torch.nn.Linear(1, 1).parameters(), lr=1.0).step()
assert issubclass(torch._dynamo.OptimizedModule, torch.nn.Module)
"""


def test_imports_leave_out_what_takes_seconds() -> None:
    """And fabric leaves what it took a stand-in for as it is, for whoever asks for it later."""
    code = ["import sys"]
    for module, absent in LATE.items():
        code.append(f"import {module}\nfound = sorted(sys.modules.keys() & {set(absent)})")
        code.append(f"if found: sys.exit(f'{module} imports {{found}}')")
    command = [sys.executable, "-c", "\n".join([*code, OTHERS])]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", mtmodels.__all__)
def test_every_name_is_there(name: str) -> None:
    assert getattr(mtmodels, name) is not None


def test_unknown_name_is_refused() -> None:
    with pytest.raises(AttributeError, match="no attribute 'METHOD'"):
        mtmodels.METHOD  # noqa: B018
