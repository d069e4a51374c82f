"""Where a run computes, in which floating-point format and layout of memory, and why."""

import logging
import platform
from typing import Literal, NamedTuple

import torch
from torch import nn

from mtdata.errors import UsageError
from mtmodels import processes
from mtmodels.fabric import Fabric, LightningEnvironment
from mtmodels.networks.blocks import is_depthwise
from mtmodels.training.config import Config

FabricPrecision = Literal["32-true", "bf16-mixed", "16-mixed"]

PROCESSOR = torch.device("cpu")
NARROW = 16
"""Channels below which oneDNN may write out of bounds; see `memory_format`."""


class Precision(NamedTuple):
    """What lightning-fabric is told, and the reason for people."""

    name: FabricPrecision
    reason: str


def device_of(requested: str) -> torch.device:
    """Choose where to compute.

    Args:
        requested: "auto" for a card where there is one, "cpu" or "cuda".

    Raises:
        UsageError: for "cuda" where there is no card.
    """
    there = torch.cuda.is_available()
    if requested == "cuda" and not there:
        raise UsageError(
            "`--device cuda` should find a card; torch sees none. Look whether the driver fits "
            "(nvidia-smi) and torch is not a build for processors, or give --device cpu."
        )
    return torch.device("cuda" if there and requested != "cpu" else "cpu")


def training_device(config: Config) -> torch.device:
    """Where this process trains: of several on a machine, each has a card of its own.

    Raises:
        UsageError: as `device_of`.
    """
    device = device_of(config.device)
    if device.type == "cuda" and processes.count() > 1:
        return torch.device("cuda", torch.cuda.current_device())
    return device


def resolve(requested: str, device: torch.device = PROCESSOR) -> Precision:
    """Choose the format for a device.

    Args:
        requested: "auto", "32", "bf16" or "16".
        device: Where the run happens.

    Raises:
        UsageError: for "16" on a processor: its products are slow there and need loss scaling.
    """
    where = "the card" if device.type == "cuda" else "the processor"
    if requested == "32":
        return Precision("32-true", "asked for")
    if requested == "bf16":
        note = "" if has_bf16(device) else f", though {where} has no bf16 instructions"
        return Precision("bf16-mixed", f"asked for{note}")
    if requested == "16":
        if device.type != "cuda":
            raise UsageError(
                "`--precision 16` should be used on a card; found a processor. "
                "Use auto, bf16 or 32."
            )
        return Precision("16-mixed", "asked for")
    if has_bf16(device):
        return Precision("bf16-mixed", f"{where} has bf16 instructions")
    return Precision("32-true", f"{where} has no bf16 instructions")


def fabric_on(device: torch.device, precision: FabricPrecision) -> Fabric:
    """Device and precision for lightning-fabric, which is kept from telling in words of its own.

    It knows of one process: what several say to each other is in `mtmodels.processes`.
    """
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
    card = 1 if device.index is None else [device.index]
    # In a job of SLURM it would ask for as many devices as the job has tasks.
    alone = LightningEnvironment()
    return Fabric(accelerator=device.type, devices=card, precision=precision, plugins=[alone])


def has_bf16(device: torch.device) -> bool:
    """Whether the device multiplies bf16 natively; emulation does not count."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type != "cpu":
        return False
    if platform.machine().lower() in ("arm64", "aarch64"):
        return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    # On x86 mkldnn also says yes where it emulates, so ask for the instructions themselves.
    probes = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(bool(getattr(torch.cpu, probe, lambda: False)()) for probe in probes)


def placed(module: nn.Module, fabric: Fabric) -> bool:
    """Put what trains or predicts on the device; returns whether its layout is channels last."""
    layout = memory_format(module, fabric)
    module.to(fabric.device, memory_format=layout)  # type: ignore[call-overload]
    return layout == torch.channels_last


def memory_format(module: nn.Module, fabric: Fabric) -> torch.memory_format:
    """Channels last on cards, and on processors where they pay; contiguous elsewhere.

    They pay where a processor multiplies bf16, and in fp32 for networks with depthwise convolutions
    (`benchmarks.training.layout`). Contiguous tensors stay clear of a fault: oneDNN (as of torch
    2.14) writes out of bounds in the backward pass of a strided 1x1 convolution over fewer channels
    than a vector holds (8 with AVX2, 16 with AVX-512) in channels-last, whatever the precision;
    narrow ResNets have one.

    Args:
        module: What trains or predicts.
        fabric: Device and precision.
    """
    if fabric.device.type != "cpu":
        return torch.channels_last
    layers = [layer for layer in module.modules() if isinstance(layer, nn.Conv2d)]
    halves = fabric.strategy.precision.precision != "32-true"
    pays = halves or any(map(is_depthwise, layers))
    if not pays or any(map(_breaks, layers)):
        return torch.contiguous_format
    return torch.channels_last


def _breaks(layer: nn.Conv2d) -> bool:
    return layer.kernel_size == (1, 1) and max(layer.stride) > 1 and layer.in_channels < NARROW
