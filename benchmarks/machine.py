"""What machine a figure was measured on, in one line to print beside it."""

import os
import platform
from pathlib import Path


def describe() -> str:
    """Processor, cores, the matrix instructions that it has, and versions."""
    facts = _cpuinfo()
    flags = set(facts.get("flags", "").split())
    wanted = ("avx2", "avx512f", "avx512_bf16", "amx_bf16")
    named = ", ".join(flag for flag in wanted if flag in flags) or "no vector flags known"
    model = facts.get("model name", platform.processor() or platform.machine())
    family = f"family {facts.get('cpu family', '?')} model {facts.get('model', '?')}"
    return (
        f"{model} ({family}; {named}), {os.cpu_count()} cores, Python {platform.python_version()}"
    )


def versions() -> str:
    """Versions of the libraries that a figure depends on most."""
    import h5py
    import torch

    return f"torch {torch.__version__}, h5py {h5py.__version__}, {torch.get_num_threads()} threads"


def _cpuinfo() -> dict[str, str]:
    path = Path("/proc/cpuinfo")
    if not path.is_file():
        return {}
    lines = path.read_text().split("\n\n")[0].splitlines()
    pairs = (line.partition(":") for line in lines)
    return {name.strip(): value.strip() for name, _, value in pairs}
