"""Files of predictions, read back."""

from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from mtdata import Classes, Depth, Normals, Task
from mtdata.inspecting.pictures import render
from mtdata.sources.files.imagefile import decode_indices
from mtdata.tasks.kinds import KINDS, Binary
from mtmodels.predicting.formats import FORMATS, as_array, format_of, raw_form
from tests.stores.fakes import TASKS

BY_NAME = {task.name: task for task in TASKS}


def contents(task: Task, prediction: torch.Tensor) -> dict[str, bytes]:
    """The files of a prediction `[1, c, h, w]`, by suffix."""
    how = format_of(task)
    value = as_array(how.value(task, prediction)[0])
    return {form.suffix: form.encode(task, value) for form in how.forms(task)}


def test_every_kind_has_a_format() -> None:
    assert FORMATS.keys() == KINDS.keys()


def test_classes_are_ids_that_show_their_colours() -> None:
    task = BY_NAME["semantic"]
    assert isinstance(task.kind, Classes)
    logits = torch.randn(1, 5, 6, 8, generator=torch.Generator().manual_seed(1))
    content = contents(task, logits)[".png"]
    ids = logits[0].argmax(0).numpy()
    assert content[24] == 8  # bits
    assert np.array_equal(decode_indices(content, Path("ids.png")), ids)
    colours = np.asarray(Image.open(BytesIO(content)).convert("RGB"))
    assert np.array_equal(colours, render(task, ids))


def test_254_classes_fit() -> None:
    names = tuple(f"class {i}" for i in range(254))
    task = Task("many", Classes(names, tuple((i, 0, 255 - i) for i in range(254))))
    logits = torch.zeros(1, 254, 1, 254)
    logits[0, range(254), 0, range(254)] = 1
    ids = decode_indices(contents(task, logits)[".png"], Path("ids.png"))
    assert ids.tolist() == [list(range(254))]


def test_metres_are_millimetres_within_16_bits() -> None:
    depth = torch.tensor([[[[-1.0, 0.0, 0.0004, 1.2346, 65.5354, 80.0]]]])
    content = contents(BY_NAME["depth"], depth)[".png"]
    found = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    assert found is not None
    assert found.dtype == np.uint16
    assert found.tolist() == [[0, 0, 0, 1235, 65535, 65535]]


@pytest.mark.parametrize("unit", ["1/m", "px", "disparity"])
def test_inverse_depth_is_float(unit: str) -> None:
    task = Task("disparity", Depth(unit=unit))
    disparity = torch.tensor([[[[-0.5, 0.25]]]])
    files = contents(task, disparity)
    assert files.keys() == {".npy"}
    found = np.load(BytesIO(files[".npy"]))
    assert found.dtype == np.float32
    assert found.tolist() == [[-0.5, 0.25]]
    assert format_of(task).forms(task)[0].holds == task.kind.units


def test_normals_are_unit_again_and_drawn() -> None:
    task = Task("normals", Normals())
    halfway = torch.tensor([0.5, 0.0, 0.5])[None, :, None, None]
    files = contents(task, halfway)
    vectors = np.load(BytesIO(files[".npy"]))
    assert vectors.shape == (1, 1, 3)
    assert vectors[0, 0] == pytest.approx([0.5**0.5, 0, 0.5**0.5])
    picture = np.asarray(Image.open(BytesIO(files[".png"])))
    assert np.array_equal(picture, render(task, vectors))


def test_binary_labels_are_probabilities() -> None:
    task = Task("edges", Binary())
    logit = torch.tensor([[[[-50.0, -0.1, 0.1, 50.0]]]])
    found = np.asarray(Image.open(BytesIO(contents(task, logit)[".png"])))
    assert found.tolist() == [[0, 121, 134, 255]]
    probability = as_array(format_of(task).value(task, logit)[0])
    assert format_of(task).label(probability).tolist() == [[False, False, True, True]]


def test_raw_is_what_the_network_gave() -> None:
    task = BY_NAME["semantic"]
    logits = torch.randn(5, 2, 3)
    form = raw_form(task)
    found = np.load(BytesIO(form.encode(task, as_array(logits))))
    assert np.array_equal(found, logits.permute(1, 2, 0).numpy())
    assert form.to_json(task)["place"] == "raw/semantic/NAME.npy"
    assert form.place(task, "a/b") == "raw/semantic/a/b.npy"
