"""Selection, precision, layout, clock and randomness: the small parts of training."""

import math
import os
import subprocess
import sys
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from torch import nn

from mtdata.errors import UsageError
from mtmodels.fabric import Fabric
from mtmodels.metrics.scores import Scores
from mtmodels.training.loop import precision as choosing
from mtmodels.training.loop import randomness
from mtmodels.training.loop.clock import Clock
from mtmodels.training.loop.groups import can_fuse
from mtmodels.training.loop.layout import memory_format
from mtmodels.training.loop.means import Means
from mtmodels.training.loop.selection import Selection, improvement

FIRST: Scores = {"semantic": {"miou": 20.0, "iou": [1.0]}, "depth": {"abs_err": 0.8, "rmse": 1.0}}


def test_improvement_is_the_mean_relative_change_with_its_sign() -> None:
    now: Scores = {"semantic": {"miou": 22.0}, "depth": {"abs_err": 0.6, "rmse": 9.0}}
    assert improvement(now, FIRST) == pytest.approx(100 * (2 / 22 + 0.2 / 0.8) / 2)
    assert improvement(FIRST, now) == -improvement(now, FIRST)
    assert improvement(FIRST, FIRST) == 0


def test_a_task_without_a_number_is_left_out() -> None:
    now: Scores = {"semantic": {"miou": math.nan}, "depth": {"abs_err": 0.4}}
    assert improvement(now, FIRST) == pytest.approx(50)
    assert math.isnan(improvement({"semantic": {"miou": math.nan}}, FIRST))


def test_no_task_rules_by_how_little_it_knew_at_first() -> None:
    """What is 1.2 % after an epoch gains hundreds of percent of that, whatever it does later."""
    selection = Selection()
    epochs = [(1.2, 2.6), (12.96, 2.152), (12.51, 2.029)]
    best = [
        selection.offer({"semantic": {"miou": a}, "depth": {"abs_err": b}}, epoch)[1]
        for epoch, (a, b) in enumerate(epochs, 1)
    ]
    assert best == [True, True, True]


def test_a_share_that_was_nothing_counts_by_its_percent() -> None:
    """Masks that no pixel of the first epoch found are no reason to forget their task."""
    none: Scores = {"semantic": {"miou": 30.0}, "mask": {"iou_at_0.5": 0.0}}
    few: Scores = {"semantic": {"miou": 29.7}, "mask": {"iou_at_0.5": 0.01}}
    assert improvement(few, none) == pytest.approx(0)
    selection = Selection()
    epochs = [(20.0, 0.0), (30.0, 70.0), (30.1, 0.0)]
    best = [
        selection.offer({"semantic": {"miou": a}, "mask": {"iou_at_0.5": b}}, epoch)[1]
        for epoch, (a, b) in enumerate(epochs, 1)
    ]
    assert best == [True, True, False]
    assert improvement({"depth": {"abs_err": 0.0}}, {"depth": {"abs_err": 0.1}}) == 100
    assert improvement({"depth": {"abs_err": 0.0}}, {"depth": {"abs_err": 0.0}}) == 0


def test_the_best_epoch_is_kept_and_survives_a_restart() -> None:
    selection = Selection()
    taken = []
    for epoch, miou in enumerate((20.0, 24.0, 22.0, math.nan, 25.0), start=1):
        taken.append(selection.offer({"semantic": {"miou": miou}}, epoch)[1])
        other = Selection()
        other.load_state(selection.state())
        selection = other
    assert taken == [True, True, False, False, True]
    assert selection.best_epoch == 5


def test_without_any_score_the_last_epoch_is_the_best() -> None:
    selection = Selection()
    assert all(selection.offer({"depth": {"abs_err": math.nan}}, e)[1] for e in (1, 2))


def test_precision_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    for native, name in ((True, "bf16-mixed"), (False, "32-true")):
        monkeypatch.setattr(choosing, "has_bf16", lambda device, native=native: native)
        chosen = choosing.resolve("auto")
        assert chosen.name == name
        assert "bf16 instructions" in chosen.reason
    assert choosing.resolve("32").name == "32-true"
    assert choosing.resolve("bf16").name == "bf16-mixed"
    assert "no bf16" in choosing.resolve("bf16").reason
    assert choosing.resolve("16", torch.device("cuda")).name == "16-mixed"
    with pytest.raises(UsageError, match="--precision 16"):
        choosing.resolve("16")


def test_adam_is_fused_where_its_gradients_can_be_clipped() -> None:
    cpu, card = torch.device("cpu"), torch.device("cuda")
    assert can_fuse(cpu, "32")
    assert can_fuse(card, "auto")
    assert can_fuse(card, "bf16")
    assert not can_fuse(card, "16")
    assert not can_fuse(torch.device("mps"), "32")


def test_whether_the_processor_has_bf16_is_its_flags() -> None:
    info = Path("/proc/cpuinfo")
    if not info.is_file() or "flags" not in info.read_text():
        pytest.skip("no flags of an x86 processor to compare with")
    flags = info.read_text().split()
    assert choosing.has_bf16(torch.device("cpu")) == ("avx512_bf16" in flags or "amx_tile" in flags)


def test_the_layout_follows_precision_and_what_the_kernels_break_on() -> None:
    half = Fabric(accelerator="cpu", devices=1, precision="bf16-mixed")
    single = Fabric(accelerator="cpu", devices=1, precision="32-true")
    card = Mock(spec=Fabric, device=torch.device("cuda"))
    narrow = nn.Sequential(nn.Conv2d(15, 13, 1, stride=2))
    assert memory_format(narrow, half) is torch.contiguous_format
    assert memory_format(narrow, card) is torch.channels_last
    for layer in (nn.Conv2d(16, 13, 1, stride=2), nn.Conv2d(6, 13, 1), nn.Conv2d(6, 13, 3, 2)):
        assert memory_format(layer, half) is torch.channels_last
        assert memory_format(layer, single) is torch.contiguous_format
    depthwise = nn.Sequential(nn.Conv2d(8, 8, 3, groups=8))
    assert memory_format(depthwise, single) is torch.channels_last
    assert memory_format(depthwise.extend(narrow), single) is torch.contiguous_format


def test_a_narrow_network_trains_on_several_cores_in_bf16(tmp_path: Path) -> None:
    """Kernels that write out of bounds do so where several threads share them, at even sizes."""
    code = (
        "import torch; torch.set_num_threads(2);"
        "from mtmodels.training.loop.layout import memory_format;"
        "from mtmodels.fabric import Fabric;"
        "from mtmodels.networks.encoders import make_encoder;"
        "fabric = Fabric(accelerator='cpu', devices=1, precision='bf16-mixed');"
        "encoder = make_encoder('resnet18', width=0.125);"
        "layout = memory_format(encoder, fabric);"
        "encoder.to(memory_format=layout);"
        "image = torch.rand(3, 3, 32, 64).to(memory_format=layout);"
        "fabric.autocast().__enter__();"
        "[sum(m.float().sum() for m in encoder(image)).backward() for _ in range(20)]"
    )
    environment = {**os.environ, "OMP_NUM_THREADS": "2", "MALLOC_CHECK_": "3"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()


def test_the_clock_tells_waiting_from_training() -> None:
    clock = Clock(10.0)
    for _ in clock.watch(range(3)):
        clock.count(4)
    lap = clock.lap()
    assert set(lap) == {"seconds", "data_wait", "images_per_second"}
    assert 0 <= lap["data_wait"] <= 1
    assert clock.images == 12
    assert clock.total() >= 10
    assert clock.rate() > 0
    assert 0 <= clock.wait_share() <= 1
    assert clock.lap()["images_per_second"] == 0


def test_means_leave_out_what_a_step_lacks() -> None:
    means = Means()
    means.add({"a": 1.0, "b": 4.0})
    other = Means()
    other.load_state(means.state())
    other.add({"a": 3.0})
    assert other.take() == {"a": 2.0, "b": 4.0}
    assert other.take() == {}


def test_random_state_comes_back() -> None:
    rng = torch.Generator().manual_seed(3)
    state = randomness.snapshot(rng)

    def draw() -> tuple[float, float, float]:
        return (
            float(torch.rand(1, generator=rng)),
            float(torch.rand(1)),
            float(np.random.rand()),  # noqa: NPY002
        )

    first = draw()
    randomness.restore(state, rng)
    assert draw() == first
