"""A run as a file that predicts without this package."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jaxtyping
import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from cli.mtmodels import mtmodels
from cli.shared.common import run
from mtdata.errors import UsageError
from mtdata.tasks.resize import resize_image
from mtmodels.errors import ExportError
from mtmodels.exporting import export, forms
from mtmodels.exporting.facts import HOLDS, output_of
from mtmodels.exporting.forms import EXTRA_FILE, FORMS
from mtmodels.exporting.graph import cases, compare, graph_of, jumping, with_fixed_padding
from mtmodels.kinds import KINDS
from mtmodels.networks import NETWORKS
from mtmodels.networks.base import Network, Output
from mtmodels.predicting.opening import open_network
from mtmodels.predicting.sizes import network_size
from mtmodels.training.loop.watcher import Watcher
from mtmodels.training.run import fit, prepare
from mtmodels.training.setup.loading import open_run
from tests.paths import ROOT
from tests.runs.batches import SIX
from tests.runs.small_run import small_layer, small_store

Captured = pytest.CaptureFixture[str]
EXAMPLES = ROOT / "docs" / "examples"
ALONE = """
import runpy, sys
class Nothing:
    def find_spec(self, name, *_):
        if name.partition(".")[0] in ("mtdata", "mtmodels", "cli"):
            raise ImportError(f"{name} is not installed here")
sys.meta_path.insert(0, Nothing())
script, *sys.argv[1:] = sys.argv[1:]
runpy.run_path(script, run_name="__main__")
"""
"""Runs a script as on a machine that has nothing of ours."""
MEAN, STD = [0.5, 0.4, 0.3], [0.2, 0.25, 0.3]


@pytest.fixture(scope="module", autouse=True)
def no_shapes_checked() -> Iterator[None]:
    """An export goes through a network with symbols for sizes, which are no `int` to a checker."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of one epoch, whose network normalises images."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("runs")
    network = {"name": "unet-resnet18", "width": 0.125, "options": {"mean": MEAN, "std": STD}}
    layer = small_layer(small_store(folder)) | {"epochs": 1, "network": network}
    job = prepare([layer], out=folder / "run", mode="new")
    fit(job, mode="new", arguments=[], watcher=Watcher())
    return folder / "run"


@pytest.fixture(scope="module")
def exported(trained: Path) -> Path:
    """The run as ONNX."""
    out = trained.parent / "run.onnx"
    assert run(mtmodels, ["export", str(trained), "--format", "onnx", "-o", str(out)]) == 0
    return out


def _said(capsys: Captured) -> str:
    """What was said, without the breaks of lines."""
    return " ".join(capsys.readouterr().err.split())


def _network(path: Path) -> Network:
    return open_network(open_run(path))[0].eval()


def test_predicts_other_sizes_and_batches_as_the_network(trained: Path, exported: Path) -> None:
    network, session = _network(trained), onnxruntime.InferenceSession(exported)
    for shape in ((1, 3, 64, 96), (4, 3, 96, 64), (2, 3, 128, 160)):
        images = torch.rand(shape, generator=torch.Generator().manual_seed(1))
        with torch.no_grad():
            expected = network(images).predictions
        for name in ("semantic", "depth"):
            (found,) = session.run([name], {"image": images.numpy()})
            np.testing.assert_allclose(found, expected[name], rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("size", [(80, 96), (64, 100), (65, 64)])
def test_sizes_that_the_network_does_not_take_are_refused(
    exported: Path, size: tuple[int, int]
) -> None:
    """They would be predicted otherwise than `predict` does, which pads, without a word."""
    session = onnxruntime.InferenceSession(exported)
    with pytest.raises(Exception, match=r"reshape"):
        session.run(None, {"image": np.zeros((1, 3, *size), np.float32)})


def test_the_file_says_what_it_is(trained: Path, exported: Path) -> None:
    model = onnx.load(exported)
    told = {prop.key: prop.value for prop in model.metadata_props}
    given, outputs, data, made = (json.loads(told[k]) for k in ("input", "outputs", "data", "run"))
    assert (given["multiple"], given["smallest"], given["trained_size"]) == (32, 64, [32, 64])
    assert (given["normalisation"]["mean"], given["normalisation"]["std"]) == (MEAN, STD)
    assert list(outputs) == ["semantic", "depth"] == [one.name for one in model.graph.output]
    assert outputs["semantic"]["names"] == ["bed", "floor", "sofa", "table", "wall"]
    assert outputs["depth"]["units"] == "metres"
    assert data["dataset"] == "fake"
    manifest = json.loads((trained / "manifest.json").read_text())
    assert data["content_digest"] == manifest["store"]["content_digest"]
    assert data["regime"] == "one"
    assert made["name"] == "run"
    assert made["checkpoint"] == open_run(trained).selected
    digests = json.loads((trained / "checkpoints/best/digests.json").read_text())
    assert made["weights"] == digests["network.safetensors"]
    dims = [axis.dim_param for axis in model.graph.input[0].type.tensor_type.shape.dim]
    assert dims == ["batch", "", "height", "width"]


def test_a_file_names_no_folder_of_this_machine(exported: Path) -> None:
    assert str(ROOT).encode() not in exported.read_bytes()


def test_the_licence_of_the_data_is_in_the_file(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mtmodels.exporting.facts.licences_of", lambda name: {name: "Be kind."})
    made = export(trained, tmp_path / "run.pt2", form="torch")
    assert made.facts["data"]["licences"] == {"fake": "Be kind."}


@pytest.mark.parametrize("size", [(30, 50), (64, 64), (128, 90), (96, 128)])
def test_a_script_with_nothing_of_ours_says_what_predict_says(
    trained: Path, exported: Path, tmp_path: Path, size: tuple[int, int]
) -> None:
    """At the size that the network sees; Pillow weighs the pixels of a smaller image otherwise."""
    image, smooth = tmp_path / "photo.png", np.random.default_rng(0).integers(0, 256, (4, 5, 3))
    Image.fromarray(smooth.astype(np.uint8)).resize(size[::-1]).save(image)
    given = [str(EXAMPLES / "predict_onnx.py"), str(exported), str(image)]
    done = subprocess.run(
        [sys.executable, "-c", ALONE, *given],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    seen = network_size(size, "trained", (32, 64))
    pixels = resize_image(np.asarray(Image.open(image)), seen)
    batch = torch.from_numpy(pixels.transpose(2, 0, 1).copy())[None].float() / 255
    expected = {name: found[0] for name, found in _network(trained).predict(batch).items()}
    found = np.load(tmp_path / "semantic.npy")
    assert found.shape == seen
    assert (found == expected["semantic"].argmax(0).numpy()).mean() > 0.97
    np.testing.assert_allclose(np.load(tmp_path / "depth.npy"), expected["depth"], atol=0.06)


def test_the_script_would_not_run_with_something_of_ours(tmp_path: Path) -> None:
    mine = tmp_path / "mine.py"
    mine.write_text("import mtmodels\n")
    done = subprocess.run(
        [sys.executable, "-c", ALONE, str(mine)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "mtmodels is not installed here" in done.stderr


@pytest.mark.slow
def test_a_program_of_torch_is_the_network_and_has_its_facts(
    trained: Path, tmp_path: Path, capsys: Captured
) -> None:
    out = tmp_path / "run.pt2"
    arguments = ["--format", "torch", "-o", str(out), "--checkpoint", "last", "--json"]
    assert run(mtmodels, ["export", str(trained), *arguments]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["out"], told["form"], told["bytes"]) == (str(out), "torch", out.stat().st_size)
    assert told["largest_difference"].keys() == {"semantic", "depth"}
    extra = {EXTRA_FILE: ""}
    program = torch.export.load(out, extra_files=extra).module()
    facts = json.loads(extra[EXTRA_FILE])
    assert facts["run"]["checkpoint"] == "last"
    assert told["facts"] == facts
    network = open_network(open_run(trained), which="last")[0].eval()
    images = torch.rand(1, 3, 96, 64)
    with torch.no_grad():
        expected, found = network(images).predictions, program(images)
    script = [str(EXAMPLES / "predict_torch.py"), str(out)]
    done = subprocess.run(
        [sys.executable, "-c", ALONE, *script],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "semantic classes [1, 5, 64, 96]" in done.stdout
    assert list(found) == ["semantic", "depth"]
    assert all(torch.allclose(found[name], expected[name], atol=1e-5) for name in found)


def test_a_file_is_replaced_only_when_asked_to(
    trained: Path, exported: Path, capsys: Captured
) -> None:
    before = exported.read_bytes()
    assert run(mtmodels, ["export", str(trained), "--format", "onnx", "-o", str(exported)]) == 2
    assert "is there already. Replace it with --overwrite" in _said(capsys)
    assert exported.read_bytes() == before


@pytest.mark.parametrize(
    ("out", "told"),
    [("", "should be a file"), ("nowhere/x.onnx", "should be in a folder that is there")],
)
def test_a_path_that_cannot_be_is_refused_first(
    out: str, told: str, tmp_path: Path, capsys: Captured
) -> None:
    arguments = ["export", "no-run", "--format", "onnx", "-o", str(tmp_path / out)]
    assert run(mtmodels, arguments) == 2
    assert told in _said(capsys)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["-o", "x.onnx"], "should be a run folder"),  # the form is known
        (["-o", "x.PT2"], "should be a run folder"),
        (["-o", "x.bin", "--format", "torch"], "should be a run folder"),
        (["-o", "x.bin"], ".onnx (onnx), .pt2 (torch); found x.bin, and no form was asked for"),
        (["-o", "x.onnx", "--format", "torch"], "found x.onnx, and the form `torch` was asked for"),
    ],
)
def test_the_ending_says_the_form(words: list[str], told: str, capsys: Captured) -> None:
    assert run(mtmodels, ["export", "no-run", *words]) == 2
    assert told in _said(capsys)


def test_what_is_no_run_is_refused(tmp_path: Path, capsys: Captured) -> None:
    arguments = ["export", str(tmp_path), "--format", "torch", "-o", str(tmp_path / "x.pt2")]
    assert run(mtmodels, arguments) == 2
    assert "should be a run folder of mttrain" in _said(capsys)


def test_a_missing_extra_is_told(
    trained: Path, tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forms, "find_spec", lambda name: None)
    out = tmp_path / "x.onnx"
    assert run(mtmodels, ["export", str(trained), "--format", "onnx", "-o", str(out)]) == 2
    assert "no package `onnx` here. Run: pip install 'mtpartial[export]'" in _said(capsys)


def test_a_file_that_predicts_otherwise_is_not_left(
    trained: Path, tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = _network(trained)

    def other(path: Path, facts: Any) -> Any:
        return lambda image: {k: v + 0.01 for k, v in network(image).predictions.items()}

    wrong = forms.Form(".pt2", (), FORMS["torch"].write, other)
    monkeypatch.setitem(FORMS, "torch", wrong)
    out = tmp_path / "x.pt2"
    assert run(mtmodels, ["export", str(trained), "--format", "torch", "-o", str(out)]) == 1
    assert "should predict `semantic` as the network does" in _said(capsys)
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_is_not_done_is_told_so(trained: Path, tmp_path: Path, capsys: Captured) -> None:
    out = tmp_path / "x.pt2"
    assert run(mtmodels, ["export", str(trained), "--format", "torch", "-o", str(out)]) == 0
    assert "not done: this is the network of what it was at its last checkpoint" in _said(capsys)


def test_an_unknown_form_is_refused(trained: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="There is no form `tflite` of an export"):
        export(trained, tmp_path / "x", form="tflite")


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_has_both_forms(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = NETWORKS[name](SIX[:3], width=0.0625).eval()
    program = graph_of(network)
    facts = {"outputs": {task.name: output_of(task) for task in SIX[:3]}}
    for form in FORMS.values():
        path = tmp_path / f"network{form.suffix}"
        form.write(program, facts, path)
        jumps = jumping(network.tasks, program)
        found = compare(
            network, form.open(path, facts), cases(network.stride, (64, 64)), jumps=jumps
        )
        assert found.keys() == {"semantic", "depth", "normals"}
        assert ("depth" in jumps) == name.startswith("segnet")


@pytest.mark.parametrize("name", ["unet", "deeplab"])
def test_padding_that_depends_on_the_size_is_fixed(name: str) -> None:
    """Of encoders from TensorFlow, whose maps are halved and, with a dilation, are not."""
    network = NETWORKS[name](SIX[:1], encoder="tf_efficientnet_lite0").eval()
    fixed = with_fixed_padding(network).eval()
    assert not [m for m in fixed.modules() if type(m).__name__ == "Conv2dSame"]
    assert [m for m in network.modules() if type(m).__name__ == "Conv2dSame"]
    for size in ((64, 96), (32, 160), (224, 64)):
        image = torch.rand(1, 3, *size)
        with torch.no_grad():
            expected, found = (n(image).predictions["semantic"] for n in (network, fixed))
        assert torch.equal(found, expected)


@pytest.mark.slow
def test_an_encoder_from_tensorflow_has_both_forms(tmp_path: Path) -> None:
    network = NETWORKS["unet"](SIX[:1], encoder="tf_efficientnet_lite0").eval()
    program = graph_of(network)
    facts = {"outputs": {"semantic": output_of(SIX[0])}}
    for form in FORMS.values():
        path = tmp_path / f"network{form.suffix}"
        form.write(program, facts, path)
        compare(network, form.open(path, facts), cases(32, (96, 128)))


class _Choosy(Network):
    """A network that does another thing for bright images, which no graph can say."""

    summary = reference = ""

    def __init__(self, tasks: Any, **options: Any) -> None:
        super().__init__(tasks, **options)
        self.layer = nn.Conv2d(3, tasks[0].channels, 1)

    def forward(self, image: Tensor) -> Output:
        x = self.layer(image)
        x = x * 2 if image.mean() > 0.5 else x
        return Output({self.tasks[0].name: x}, x)

    def shared_parameters(self) -> list[nn.Parameter]:
        return []


def test_a_network_that_is_no_graph_is_refused_with_the_reason() -> None:
    with pytest.raises(ExportError, match=r"_Choosy should be a graph .* torch cannot follow it: "):
        graph_of(_Choosy(SIX[1:2]).eval())


def _predicts(network: Network, change: Any) -> Any:
    return lambda image: {k: change(v) for k, v in network(image).predictions.items()}


def _one_value(x: Tensor) -> Tensor:
    x = x.clone()
    x.view(-1)[0] += 1
    return x


@pytest.mark.parametrize(
    ("change", "jumps", "fits"),
    [
        (lambda x: x + 5e-4, (), True),
        (lambda x: x + 2e-3, (), False),
        (lambda x: x * float("nan"), (), False),
        (lambda x: x[:, :, 1:], (), False),
        (_one_value, (), False),
        (_one_value, ("depth",), True),
        (lambda x: x + 2e-3, ("depth",), False),
    ],
)
def test_how_far_a_file_may_be(change: Any, jumps: tuple[str, ...], fits: bool) -> None:
    network = NETWORKS["unet-resnet18"](SIX[1:2], width=0.0625).eval()
    tried = [(1, 64, 64)]
    if fits:
        compare(network, _predicts(network, change), tried, jumps=jumps)
        return
    with pytest.raises(ExportError, match="It was not written"):
        compare(network, _predicts(network, change), tried, jumps=jumps)


def test_every_kind_says_what_its_channels_hold() -> None:
    assert HOLDS.keys() == KINDS.keys()
