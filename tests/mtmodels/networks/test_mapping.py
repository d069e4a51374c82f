"""The mapping network: what it matches, what one pass means, what its options do."""

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from mtdata import SOURCES, Task
from mtdata.errors import UsageError
from mtdata.tasks.kinds import Depth
from mtmodels.losses import map_distance
from mtmodels.methods.mtpsl import consistency
from mtmodels.networks.auxiliary.conditioned import ConditionedNorm, Statistics
from mtmodels.networks.auxiliary.mapping import TRUNKS, MappingNetwork
from mtmodels.networks.auxiliary.mapping_segnet import SegNetTrunk
from tests.runs.batches import PAIR, SIX, classes, generator

NYU = SOURCES["nyu"].tasks(classes=13)
THREE = SIX[:3]
each_trunk = pytest.mark.parametrize("trunk", TRUNKS)


def numbers(*values: int) -> Tensor:
    return torch.tensor(values, dtype=torch.long)


def small(tasks: tuple[Task, ...] = THREE, **options: object) -> MappingNetwork:
    torch.manual_seed(0)
    made = {"codes": 6, "channels": 12, "width": 0.125, **options}
    return MappingNetwork(tasks, **made)  # type: ignore[arg-type]


def encoded(tasks: tuple[Task, ...] = THREE, n: int = 1) -> dict[str, Tensor]:
    return {
        t.name: torch.rand(n, t.channels, 64, 96, generator=generator(i))
        for i, t in enumerate(tasks)
    }


def different_codes(network: MappingNetwork) -> None:
    """As after some training: each code does something else."""
    for i, parameter in enumerate(network.film_parameters()):
        noise = torch.randn(parameter.shape, generator=generator(i))
        parameter.data = parameter.data + 0.3 * noise.to(parameter.dtype)


@pytest.fixture(scope="module")
def fill(shared: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("fill", shared / "golden" / "fill.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def golden(shared: Path) -> dict[str, Tensor]:
    with np.load(shared / "golden" / "mapping_nyu.npz") as file:
        numeric = [name for name in file.files if file[name].dtype.kind == "f"]
        return {name: torch.from_numpy(file[name]).double() for name in numeric}


@pytest.fixture(scope="module")
def network(golden: dict[str, Tensor], fill: ModuleType) -> MappingNetwork:
    network = MappingNetwork(NYU, codes=6)

    def run() -> None:
        for task in NYU:
            network({task.name: golden[f"gt_{task.name}"]}, numbers(0), numbers(0))

    assert len(fill.fill_in_forward_order(network, run)) == 16
    assert isinstance(network.trunk, SegNetTrunk)
    norms = [m for m in network.trunk.modules() if isinstance(m, ConditionedNorm)]
    assert len(norms) == 13
    for k, norm in enumerate(norms):
        assert norm.gamma is not None
        assert norm.beta is not None
        norm.gamma.data = 1 + 0.1 * fill.wave(tuple(norm.gamma.shape), k)
        norm.beta.data = 0.1 * fill.wave(tuple(norm.beta.shape), k + 0.25)
    return network


class TestGolden:
    @pytest.mark.parametrize(("task", "pair"), [(0, 0), (1, 0), (2, 4), (1, 5)])
    def test_outputs(
        self, network: MappingNetwork, golden: dict[str, Tensor], task: int, pair: int
    ) -> None:
        name = NYU[task].name
        expected = golden[f"task{task}_pair{pair}"]
        found = network({name: golden[f"gt_{name}"]}, numbers(0), numbers(pair))
        assert (found - expected).abs().max() <= 1e-9 * expected.abs().max()

    def test_one_pass_gives_the_same(
        self, network: MappingNetwork, golden: dict[str, Tensor]
    ) -> None:
        inputs = {task.name: golden[f"gt_{task.name}"] for task in NYU}
        found = network(inputs, numbers(0, 1, 2, 1), numbers(0, 0, 4, 5))
        for one, name in zip(
            found, ("task0_pair0", "task1_pair0", "task2_pair4", "task1_pair5"), strict=True
        ):
            assert (one - golden[name][0]).abs().max() <= 1e-9 * golden[name].abs().max()

    @pytest.mark.parametrize(("weight", "name"), [(0.5, "reg_0_5"), (0.0, "reg_0")])
    def test_consistency(
        self, golden: dict[str, Tensor], shared: Path, weight: float, name: str
    ) -> None:
        with np.load(shared / "golden" / "consistency_loss.npz") as file:
            feature, expected = torch.from_numpy(file["feature"]), float(file[name])
            source, target = (golden[str(file[key])] for key in ("source", "target"))
        found = consistency(source, target, feature, weight)
        assert found.item() == pytest.approx(expected, rel=1e-9)


def test_published_numbers_of_parameters() -> None:
    network = MappingNetwork(NYU, codes=6)
    assert sum(p.numel() for p in network.parameters()) == 14_819_328
    assert sum(p.numel() for p in network.film_parameters()) == 50_688
    cityscapes = (Task("semantic", classes(7)), Task("depth", Depth()))
    network = MappingNetwork(cityscapes, codes=2)
    assert sum(p.numel() for p in network.parameters()) == 14_780_160


@each_trunk
def test_conditioning_is_the_identity_at_first(trunk: str) -> None:
    network, plain = small(trunk=trunk), small(trunk=trunk, codes=0)
    lacks = plain.load_state_dict(network.state_dict(), strict=False)
    assert not lacks.missing_keys
    assert all(key.endswith(("gamma", "beta")) for key in lacks.unexpected_keys)
    inputs = encoded()
    conditioned = network(inputs, numbers(0, 1, 2), numbers(0, 3, 5))
    assert torch.equal(conditioned, plain(inputs, numbers(0, 1, 2), numbers(0, 0, 0)))


@each_trunk
@pytest.mark.parametrize("over", ["sample", "pass"])
def test_codes_matter(trunk: str, over: str) -> None:
    network = small(trunk=trunk, over=over)
    different_codes(network)
    found = network(encoded(), numbers(0, 0), numbers(0, 1))
    assert not torch.allclose(found[0], found[1], atol=1e-3)


@each_trunk
def test_a_sample_knows_nothing_of_the_others(trunk: str) -> None:
    network = small(trunk=trunk).double()
    different_codes(network)
    inputs = {name: x.double() for name, x in encoded(n=2).items()}
    together = network(inputs, numbers(0, 3, 4), numbers(0, 2, 5))
    alone = network({"depth": inputs["depth"][1:]}, numbers(0), numbers(2))
    torch.testing.assert_close(together[1:2], alone, rtol=1e-10, atol=1e-12)


@each_trunk
def test_statistics_of_a_pass_are_of_all_its_samples(trunk: str) -> None:
    network = small(trunk=trunk, over="pass")
    inputs = encoded(n=2)
    together = network(inputs, numbers(0, 2), numbers(0, 0))[:1]
    assert not torch.allclose(
        together, network({"semantic": inputs["semantic"][:1]}, numbers(0), numbers(0))
    )


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_normalises_by_the_stated_statistics(layout: torch.memory_format) -> None:
    x = torch.randn(3, 4, 5, 6, generator=generator(0), dtype=torch.float64)
    x = x.to(memory_format=layout).requires_grad_()
    axes_of: dict[Statistics, tuple[int, ...]] = {"sample": (2, 3), "pass": (0, 2, 3)}
    for over, axes in axes_of.items():
        norm = ConditionedNorm(4, 2, over=over).double()
        assert norm.gamma is not None
        assert norm.beta is not None
        for i, p in enumerate((norm.weight, norm.bias, norm.gamma, norm.beta)):
            p.data = torch.rand(p.shape, generator=generator(i), dtype=torch.float64)
        code = numbers(1, 0, 1)
        mean, variance = x.mean(axes, keepdim=True), x.var(axes, correction=0, keepdim=True)
        normal = (x - mean) / (variance + 1e-5).sqrt()
        plain = normal * norm.weight[:, None, None] + norm.bias[:, None, None]
        expected = torch.stack(
            [
                norm.gamma[:, c, None, None] * y + norm.beta[:, c, None, None]
                for c, y in zip(code, plain, strict=True)
            ]
        )
        found = norm(x, code)
        torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)
        assert found.is_contiguous(memory_format=layout)
        factor, inputs = torch.rand_like(x), [x, *norm.parameters()]
        for got, wanted in zip(
            torch.autograd.grad((found * factor).sum(), inputs),
            torch.autograd.grad((expected * factor).sum(), inputs),
            strict=True,
        ):
            torch.testing.assert_close(got, wanted, rtol=1e-9, atol=1e-11)


@each_trunk
@pytest.mark.parametrize("over", ["sample", "pass"])
def test_checkpointing_changes_no_number(trunk: str, over: str) -> None:
    results = []
    for checkpointing in (False, True):
        network = small(trunk=trunk, over=over, checkpointing=checkpointing).double()
        inputs = {name: x.double().requires_grad_() for name, x in encoded().items()}
        network(inputs, numbers(0, 1, 2, 0), numbers(0, 1, 2, 3)).square().sum().backward()
        gradients = [p.grad for p in network.parameters()] + [x.grad for x in inputs.values()]
        results.append(gradients)
    for a, b in zip(*results, strict=True):
        assert a is not None
        assert b is not None
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-11)  # sums in another order


def kept_for_backward(network: MappingNetwork, inputs: dict[str, Tensor]) -> int:
    """Bytes that a pass under four codes keeps beside the parameters, each block once."""
    known = {p.untyped_storage().data_ptr() for p in network.parameters()}
    kept: dict[int, Tensor] = {}

    def keep(x: Tensor) -> Tensor:
        if x.untyped_storage().data_ptr() not in known:
            kept[x.untyped_storage().data_ptr()] = x
        return x

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda x: x):
        network(inputs, numbers(0, 1, 2, 0), numbers(0, 1, 2, 3))
    return sum(x.untyped_storage().nbytes() for x in kept.values())


@each_trunk
@pytest.mark.parametrize("over", ["sample", "pass"])
def test_checkpointing_keeps_little(trunk: str, over: str) -> None:
    inputs = encoded()
    read = sum(x.untyped_storage().nbytes() for x in inputs.values())
    everything = kept_for_backward(small(trunk=trunk, over=over), inputs)
    kept = kept_for_backward(small(trunk=trunk, over=over, checkpointing=True), inputs)
    # Samples that are tied together by their statistics need what lies between the stages as well.
    assert kept < (1.1 * read if over == "sample" else everything / 2)


@pytest.mark.parametrize(
    ("trunk", "stride"),
    [("segnet", 8), ("segnet", 32), ("resnet18", 8), ("resnet18", 16), ("resnet18", 32)],
)
def test_fits_the_features(trunk: str, stride: int) -> None:
    network = small(PAIR, codes=2, trunk=trunk, stride=stride, channels=7)
    found = network(encoded(PAIR), numbers(0, 1), numbers(0, 1))
    assert found.shape == (2, 7, 64 // stride, 96 // stride)


@pytest.mark.parametrize("stride", [8, 16, 32])
@each_trunk
def test_stops_in_front_of_the_last_stage(trunk: str, stride: int) -> None:
    network = small(PAIR, codes=2, trunk=trunk, stride=stride)
    different_codes(network)
    read: list[Tensor] = []
    network.trunk.parts()[-1][0].register_forward_pre_hook(lambda _m, x: read.append(x[0]))
    network(encoded(PAIR), numbers(0, 1), numbers(0, 1))
    found = network(encoded(PAIR), numbers(0, 1), numbers(0, 1), before_last=True)
    assert len(read) == 1
    assert torch.equal(found, read[0])
    cell = 16 if stride == 32 else stride
    assert found.shape[-2:] == (64 // cell, 96 // cell)


def test_what_no_code_changes_runs_once() -> None:
    network = small()
    seen: list[int] = []
    network.trunk.stages[0].convs[0].register_forward_hook(lambda _m, x, _y: seen.append(len(x[0])))
    network(encoded(), numbers(0, 1, 2, 2, 2), numbers(0, 1, 2, 3, 4))
    assert sum(seen) == 3


def test_refuses() -> None:
    with pytest.raises(ValueError, match="`stride` should be a power of 2 up to 32; found 3"):
        small(stride=3)
    with pytest.raises(ValueError, match="1/8, 1/16 or 1/32 of the size; found 1/4"):
        small(trunk="resnet18", stride=4)


@each_trunk
@pytest.mark.parametrize("stride", [8, 16, 32])
@pytest.mark.parametrize("size", [(8, 16), (16, 16), (32, 32), (32, 64)])
def test_says_beforehand_which_sizes_it_takes(
    trunk: str, stride: int, size: tuple[int, int]
) -> None:
    network = small(PAIR, codes=0, trunk=trunk, stride=stride)
    inputs = {"depth": torch.rand(1, 1, *size)}
    refused = ""
    try:
        network.check_size(*size)
    except ValueError as error:
        refused = str(error)
    if not refused:
        network(inputs, numbers(0), numbers(0))
        return
    assert f"images of {size[0]}x{size[1]}. Take larger" in refused
    with pytest.raises((UsageError, RuntimeError)):
        network(inputs, numbers(0), numbers(0))


def test_one_pixel_has_no_statistics() -> None:
    with pytest.raises(UsageError, match=r"more than one pixel; found one.*--mapping-norm pass"):
        small(trunk="resnet18")({"depth": torch.rand(1, 1, 32, 32)}, numbers(0), numbers(0))


class TestDistance:
    def test_is_the_cosine_cell_by_cell(self) -> None:
        a, b = (torch.randn(2, 5, 3, 4, generator=generator(i)).double() for i in (0, 1))
        for n in range(2):
            cells = [
                1 - F.cosine_similarity(a[n, :, y, x], b[n, :, y, x], dim=0)
                for y in range(3)
                for x in range(4)
            ]
            expected = sum(cell.item() for cell in cells) / len(cells)
            assert map_distance(a, b)[n].item() == pytest.approx(expected, rel=1e-12)

    @pytest.mark.parametrize(("scale", "expected"), [(0.0, 1.0), (1e-3, 0.0), (6e4, 0.0)])
    def test_is_finite_in_half_precision(self, scale: float, expected: float) -> None:
        a = (torch.ones(1, 512, 2, 2) * scale).half().requires_grad_()
        value = map_distance(a, torch.ones(1, 512, 2, 2).half())
        assert value.dtype == torch.float32
        assert value.item() == pytest.approx(expected, abs=1e-3)
        value.sum().backward()
        assert a.grad is not None
        assert a.grad.isfinite().all()
