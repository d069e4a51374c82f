"""Every network keeps what `Network` promises."""

from contextlib import nullcontext
from typing import Any

import pytest
import torch
from torch import nn

from mtdata.tasks.task import Task
from mtmodels.networks import NETWORKS
from tests.asserts import assert_every_parameter_learns, assert_predicts, assert_refuses_size
from tests.runs.batches import SIX, classes

WIDTH = 0.125
each_network = pytest.mark.parametrize("name", NETWORKS)


@each_network
@pytest.mark.parametrize("count", [1, 2, 4, 6])
def test_predicts_any_number_of_tasks(name: str, count: int) -> None:
    assert_predicts(NETWORKS[name](SIX[:count], width=WIDTH), SIX[:count], (32, 64))


@each_network
def test_every_parameter_learns(name: str) -> None:
    network = NETWORKS[name](SIX, width=WIDTH)
    output = network(torch.rand(2, 3, 64, 64))
    sum(p.pow(2).mul(torch.rand_like(p)).sum() for p in output.predictions.values()).backward()
    assert_every_parameter_learns(network)


@each_network
def test_shared_parameters_belong_to_it_and_serve_all_tasks(name: str) -> None:
    network = NETWORKS[name](SIX[:3], width=WIDTH)
    shared = network.shared_parameters()
    assert shared
    assert {id(p) for p in shared} <= {id(p) for p in network.parameters()}
    for prediction in network(torch.rand(2, 3, 64, 64)).predictions.values():
        network.zero_grad()
        prediction.mul(torch.rand_like(prediction)).sum().backward(retain_graph=True)
        assert all(p.grad is not None and p.grad.abs().max() > 0 for p in shared)


@each_network
def test_evaluation_is_deterministic(name: str) -> None:
    # In double precision: normals of a fresh network are short, and to make them unit makes
    # differences in the last digits of single precision large.
    network = NETWORKS[name](SIX, width=WIDTH).eval().double()
    image = torch.rand(2, 3, 32, 32, dtype=torch.float64)
    state = {key: value.clone() for key, value in network.state_dict().items()}
    first, second = network(image).predictions, network(image).predictions
    assert all(torch.equal(first[key], second[key]) for key in first)
    alone = network(image[:1]).predictions
    assert all(torch.allclose(first[key][:1], alone[key], atol=1e-9) for key in first)
    assert all(torch.equal(value, state[key]) for key, value in network.state_dict().items())


@each_network
def test_what_is_predicted_is_not_rounded_to_half_precision(name: str) -> None:
    """Normals of a depth in bf16 are off by ten degrees: a step of 3 m is a centimetre."""
    network = NETWORKS[name](SIX[:3], width=WIDTH).eval()
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        depth = network(torch.rand(2, 3, 64, 64)).predictions["depth"]
    assert depth.dtype == torch.float32
    assert (depth != depth.bfloat16().float()).float().mean() > 0.5


@each_network
def test_predict_takes_any_size(name: str) -> None:
    network = NETWORKS[name](SIX[:2], width=WIDTH).eval()
    image = torch.rand(1, 3, 33, 50)
    height, width = (-(-size // network.stride) * network.stride for size in (33, 50))
    predictions = network.predict(image)
    assert [tuple(p.shape) for p in predictions.values()] == [(1, 5, 33, 50), (1, 1, 33, 50)]
    assert not any(p.requires_grad for p in predictions.values())
    padded = nn.functional.pad(image, (0, width - 50, 0, height - 33), mode="replicate")
    expected = network(padded).predictions["depth"][..., :33, :50]
    assert torch.equal(predictions["depth"], expected)


@each_network
@pytest.mark.parametrize("strides", [(1.1, 2), (0.5, 1), (2, 1.25)])
def test_refuses_sizes_it_cannot_take(name: str, strides: tuple[float, float]) -> None:
    network = NETWORKS[name](SIX[:1], width=WIDTH)
    assert_refuses_size(network, *(round(network.stride * count) for count in strides))


@each_network
def test_memory_layout_does_not_matter(name: str) -> None:
    torch.manual_seed(0)
    network = NETWORKS[name](SIX[:3], width=WIDTH).double().eval()
    image = torch.rand(2, 3, 64, 32, dtype=torch.float64)
    plain = network(image).predictions
    network.to(memory_format=torch.channels_last)
    other = network(image.to(memory_format=torch.channels_last)).predictions
    assert all(torch.allclose(other[key], plain[key], rtol=1e-6, atol=1e-9) for key in plain)


@each_network
def test_attention_is_what_each_task_has_or_nothing(name: str) -> None:
    network = NETWORKS[name](SIX[:3], width=WIDTH).eval()
    image = torch.rand(2, 3, 32, 64)
    attention = network.attention(image)
    assert network.has_attention() == bool(attention)
    if not attention:
        return
    assert list(attention) == [task.name for task in SIX[:3]]
    named = [list(masks) for masks in attention.values()]
    assert named[0]
    assert all(names == named[0] for names in named)
    for mask in (mask for masks in attention.values() for mask in masks.values()):
        stride = 32 // mask.shape[2]
        assert mask.shape[0] == 2
        assert mask.shape[2:] == (32 // stride, 64 // stride)
        assert not mask.requires_grad
        assert mask.min() >= 0
        assert mask.max() <= 1
        assert mask.min() < mask.max()


@each_network
def test_normals_are_unit_vectors(name: str) -> None:
    network = NETWORKS[name](SIX[2:3], width=WIDTH)
    length = network(torch.rand(2, 3, 32, 32)).predictions["normals"].norm(dim=1)
    assert torch.allclose(length, torch.ones_like(length), atol=1e-4)


@each_network
def test_normalises_images_when_told(name: str) -> None:
    torch.manual_seed(0)
    plain = NETWORKS[name](SIX[:1], width=WIDTH).eval()
    mean, std = (0.5, 0.4, 0.3), (0.2, 0.3, 0.4)
    other = NETWORKS[name](SIX[:1], width=WIDTH, mean=mean, std=std).eval()
    other.load_state_dict(plain.state_dict())
    image = torch.rand(1, 3, 32, 32)
    given = (image - torch.tensor(mean)[:, None, None]) / torch.tensor(std)[:, None, None]
    expected = plain(given).predictions["semantic"]
    assert torch.allclose(other(image).predictions["semantic"], expected, atol=1e-5)


@each_network
def test_width_is_a_factor_on_the_channels(name: str) -> None:
    def convolutions(width: float) -> list[int]:
        network = NETWORKS[name](SIX[1:2], width=width)
        return [m.out_channels for m in network.modules() if isinstance(m, nn.Conv2d)]

    small, large = convolutions(0.125), convolutions(0.25)
    assert small[-1] == large[-1] == 1
    assert [2 * c for c in small[:-1]] == large[:-1]


@each_network
def test_keeps_single_precision_at_the_ends_under_autocast(name: str) -> None:
    network = NETWORKS[name](SIX, width=WIDTH)
    with torch.autocast("cpu", torch.bfloat16):
        predictions = network(torch.rand(2, 3, 32, 32)).predictions
    assert {p.dtype for p in predictions.values()} == {torch.float32}


@each_network
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"width": 0.0}, r"`width` should be in \(0, 100\]; found 0.0"),
        ({"std": (1.0, 0.0, 1.0)}, "`std` should be above 0"),
        ({"mean": (1.0,)}, "`mean` should be a list of 3, each value a number"),
    ],
)
def test_refuses_options(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        NETWORKS[name](SIX, **options)


@each_network
def test_refuses_tasks_that_share_a_name(name: str) -> None:
    with pytest.raises(ValueError, match="one or more different tasks"):
        NETWORKS[name]((SIX[0], SIX[0]))


@each_network
def test_has_the_parameters_that_the_docs_say(name: str, request: pytest.FixtureRequest) -> None:
    table = (request.config.rootpath / "docs/networks.md").read_text("utf8").splitlines()
    row = next(line for line in table if line.startswith(f"| `{name}` |"))
    with torch.device("meta"):
        network = NETWORKS[name]((Task("semantic", classes(13)), SIX[1]))
    assert f"{sum(p.numel() for p in network.parameters()):,}" == row.split("|")[3].strip()


@each_network
def test_says_what_it_is(name: str) -> None:
    assert NETWORKS[name].summary
    assert NETWORKS[name].reference


@pytest.mark.parametrize("name", NETWORKS)
def test_one_image_is_refused_where_batch_norm_would_see_one_pixel(name: str) -> None:
    network = NETWORKS[name](SIX[:2], width=0.125).train()
    side = network.stride
    image = torch.rand(1, 3, side, side)
    breaks = False
    try:
        network(image)
    except ValueError:  # torch's: more than one value per channel
        breaks = True
    with pytest.raises(ValueError, match=r"--batch") if breaks else nullcontext():
        network.check_images(1, (side, side))
    network.check_images(2, (side, side))
    network(torch.rand(2, 3, side, side))


@pytest.mark.parametrize(
    ("size", "said"),
    [
        ((130, 167), r"found 130x167\. Give --size 128x160\.$"),
        ((3024, 4000), r"Build the store with `mtdata build --size 480x640`, or read it at that"),
        (
            (20, 167),
            r"Give a larger --size, or none; where the store has no images of 32x160, build it w",
        ),
    ],
)
def test_a_refused_size_is_told_with_one_that_can_be_given(
    size: tuple[int, int], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        NETWORKS["unet"].check_size(*size)
