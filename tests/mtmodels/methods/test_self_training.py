"""Trained networks that teach: a slow reference, who is asked, and what is refused."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from mtdata.errors import UsageError
from mtdata.reading.geometry import Flip
from mtdata.reading.geometry.device import apply
from mtdata.tasks.kinds.classes import Classes
from mtdata.tasks.task import Task
from mtmodels.kinds import kind_model
from mtmodels.methods.self_training import SelfTraining
from mtmodels.methods.terms import Terms
from mtmodels.methods.views import Views
from mtmodels.networks import NETWORKS
from tests.mtmodels.methods.making import make_network, ready
from tests.runs.batches import PAIR, SIX, generator, random_batch

ROWS = {"semantic": [0, 2], "depth": [1], "normals": [1], "parts": [2], "saliency": [0]}


def make(tasks: tuple[Task, ...] = SIX, count: int = 2, **options: Any) -> SelfTraining:
    torch.manual_seed(0)
    names = tuple(f"runs/{n}" for n in range(count))
    method = ready(SelfTraining(make_network(tasks), teachers=names, **options)).double()
    for teacher in method.teachers.values():
        teacher.double()
    assert isinstance(method, SelfTraining)
    return method


def views(**rows: Any) -> Views:
    batch = random_batch(SIX, 3, rows=rows or ROWS)
    return Views(replace(batch, image=batch.image.double()))


def step(method: SelfTraining, of: Views) -> Terms:
    terms: Terms = method(of, progress=0.0, rng=generator(0))
    return terms


@pytest.mark.parametrize("taught", ["missing", "all"])
@pytest.mark.parametrize("task", SIX, ids=lambda task: task.name)
def test_equals_the_loop(task: Task, taught: str) -> None:
    """The mean of two teachers on the image and its mirror image, image by image."""
    method, of = make(taught=taught, teacher_weight={task.name: 0.7}), views()
    found = step(method, of).auxiliary[f"{task.name}/taught"]
    row, image = kind_model(task), of.main.image
    with torch.no_grad():
        pred = method.network(image).predictions[task.name]
    total = 0.0
    for i in range(3):
        if taught == "missing" and i in ROWS.get(task.name, []):
            continue
        values = []
        for teacher in method.teachers.values():
            with torch.no_grad():
                plain, back = (
                    row.as_value(teacher(one[None]).predictions[task.name])
                    for one in (image[i], image[i].flip(-1))
                )
            values += [plain, apply(back, [Flip()], kind=task.kind, prediction=True)[0]]
        t, p = sum(values)[0] / 4, pred[i]  # type: ignore[index]
        if task.kind.name == "classes":
            loss = -(t * p.log_softmax(0)).sum(0)
        elif task.kind.name == "binary":
            loss = -t[0] * nn.functional.logsigmoid(p[0])
            loss = loss - (1 - t[0]) * nn.functional.logsigmoid(-p[0])
        elif task.kind.name == "depth":
            loss = (p - t).abs()[0]
        else:
            loss = 1 - (p * nn.functional.normalize(t, dim=0)).sum(0)
        total += loss.mean().item()
    assert found.item() == pytest.approx(0.7 * total / 3, rel=1e-6)


def test_only_teachers_that_predict_a_task_are_asked_about_it() -> None:
    method = make(PAIR, count=2)
    first = make_network(PAIR[:1]).double().eval()
    method.teachers["teacher 1"] = first
    method.loaded()
    batch = random_batch(PAIR, 2, rows={})
    images = batch.image.double()
    taught = {one.task.name: one for one in method.taught(replace(batch, image=images))}
    assert list(taught) == [task.name for task in PAIR]
    with torch.no_grad():
        alone = method.teachers["teacher 2"](torch.cat([images, images.flip(-1)]))
    plain, mirrored = alone.predictions[PAIR[1].name].chunk(2)
    torch.testing.assert_close(taught[PAIR[1].name].value, (plain + mirrored.flip(-1)) / 2)


def test_a_task_without_a_teacher_is_not_taught() -> None:
    method = make(PAIR, count=1)
    method.teachers["teacher 1"] = make_network(PAIR[:1]).double().eval()
    method.loaded()
    batch = random_batch(PAIR, 2, rows={})
    terms = step(method, Views(replace(batch, image=batch.image.double())))
    assert list(terms.auxiliary) == [f"{PAIR[0].name}/taught"]


def test_the_teachers_learn_nothing_and_normalise_as_when_they_are_scored() -> None:
    method = make().train()
    teachers = list(method.teachers.values())
    before = [{n: v.clone() for n, v in one.state_dict().items()} for one in teachers]
    terms = step(method, views())
    torch.stack([*terms.tasks.values(), *terms.auxiliary.values()]).sum().backward()
    for one, known in zip(teachers, before, strict=True):
        assert not any(layer.training for layer in one.modules())
        assert all(p.grad is None for p in one.parameters())
        assert all(torch.equal(v, known[n]) for n, v in one.state_dict().items())
    assert not [name for name in method.state_dict() if "teacher" in name]


def test_where_the_teachers_differ_nothing_is_taught() -> None:
    method = make(PAIR, count=2, keep=0.25)
    batch = random_batch(PAIR, 2, rows={})
    taught = {t.task.name: t for t in method.taught(replace(batch, image=batch.image.double()))}
    assert taught["depth"].sure.double().mean().item() == pytest.approx(0.25, abs=0.01)
    assert taught["semantic"].sure.all()


@pytest.mark.parametrize(
    "given", [{}, {"teachers": ()}, {"teachers": ("runs/a", "runs/a")}], ids=["no", "none", "twice"]
)
def test_teachers_should_be_given_each_once(given: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"--teachers .* should name trained runs, each once"):
        SelfTraining(make_network(PAIR), **given)


def test_a_teacher_of_other_tasks_or_other_classes_is_refused() -> None:
    method = make(PAIR[:1], count=1)
    method.teachers["teacher 1"] = make_network([SIX[1]])
    with pytest.raises(UsageError, match="should predict one of semantic at least; found a run"):
        method.loaded()
    kind = PAIR[0].kind
    assert isinstance(kind, Classes)
    fewer = Task("semantic", replace(kind, names=kind.names[1:], palette=kind.palette[1:]))
    other = Task("semantic", replace(kind, palette=kind.palette[::-1]))
    method.teachers["teacher 1"] = make_network([other])
    method.loaded()
    method.teachers["teacher 1"] = make_network([fewer])
    with pytest.raises(UsageError, match="should mean by `semantic` what the store does"):
        method.loaded()


def test_sizes_that_a_teacher_cannot_take_are_refused() -> None:
    method = make(PAIR, count=1)
    method.teachers["teacher 1"] = NETWORKS["segnet"](PAIR, width=0.0625)
    stride = method.teachers["teacher 1"].stride
    method.check_size(stride, stride)
    if stride > 1:
        with pytest.raises(ValueError, match=r"divisible|multiple"):
            method.check_size(stride + 1, stride)
