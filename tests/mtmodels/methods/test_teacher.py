"""A moving teacher against a slow reference, and what is pasted from one image into another."""

import copy
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from mtdata.reading.geometry import Crop, Flip
from mtdata.reading.geometry.device import apply
from mtdata.tasks.sample import Extent
from mtdata.tasks.task import Task
from mtmodels.kinds import kind_model
from mtmodels.methods.parts.mixing import Taught, mixed
from mtmodels.methods.parts.supervision import Supervision, SupervisionOptions
from mtmodels.methods.teacher import Teacher
from mtmodels.methods.terms import Terms
from mtmodels.methods.views import Views
from mtmodels.networks import NETWORKS
from mtmodels.networks.base import Output
from tests.mtmodels.methods.looks import second_view
from tests.runs.batches import PAIR, SIX, generator, random_batch

ROWS = {"semantic": [0, 2], "depth": [1], "normals": [1], "parts": [2], "saliency": [0]}
CROPS = [Crop(1.2, 0.3, 0.7), Crop(1.2, 0.6, 0.2), Crop(1.5, 0.9, 0.1)]
PLAIN = {"begin": 0.0, "ramp_up": 0.0, "confidence": 0.0, "keep": 1.0}


def make(**options: Any) -> Teacher:
    torch.manual_seed(0)
    network = NETWORKS["unet-resnet18"](SIX, width=0.125)
    return Teacher(network, **{**PLAIN, **options}).double().train()


def views(**rows: Any) -> Views:
    batch = random_batch(SIX, 3, rows=rows or ROWS)
    return second_view(replace(batch, image=batch.image.double()), SIX, [CROPS])


def step(method: Teacher, of: Views, progress: float = 1.0) -> Terms:
    terms: Terms = method(of, progress=progress, rng=generator(0))
    return terms


@pytest.mark.parametrize("distance", ["soft", "hard", "squared"])
@pytest.mark.parametrize("task", SIX, ids=lambda task: task.name)
def test_equals_the_loop(task: Task, distance: str) -> None:
    """Image by image and pixel by pixel, with half of the pixels of which the teacher is sure."""
    method, of = make(distance=distance, teacher_weight={task.name: 0.7}, keep=0.5), views()
    found = step(method, of).auxiliary.get(f"{task.name}/taught")
    row, image = kind_model(task), of.main.image
    with torch.no_grad():
        both = method.teacher(torch.cat([image, image.flip(-1)])).predictions[task.name]
        pred = of.predict(method.network)[1].predictions[task.name]
    values = row.as_value(both)
    total = 0.0
    for i in range(3):
        if i in ROWS.get(task.name, []):
            continue
        plain = values[i : i + 1]
        back, _ = apply(values[3 + i : 4 + i], [Flip()], kind=task.kind, prediction=True)
        mean = (plain + back) / 2
        if task.kind.name == "normals":
            mean = nn.functional.normalize(mean, dim=1)
        sure = torch.ones(1, 32, 32, dtype=torch.bool)
        if task.kind.name == "depth":
            spread = (plain - back).abs()[:, 0]
            sure = spread <= spread.flatten().quantile(0.5)
        if task.kind.name == "normals":
            spread = 1 - (plain * back).sum(1)
            sure = spread <= spread.flatten().quantile(0.5)
        target, sure = apply(mean, [CROPS[i]], kind=task.kind, valid=sure, prediction=True)
        p, t = pred[i], target[0]
        if distance == "squared":
            loss = (row.as_value(pred[i : i + 1])[0] - t).square().mean(0)
        elif task.kind.name == "classes":
            share = t if distance == "soft" else nn.functional.one_hot(t.argmax(0)).movedim(-1, 0)
            if distance == "hard":
                share = torch.zeros_like(t).scatter_(0, t.argmax(0, keepdim=True), 1)
            loss = -(share * p.log_softmax(0)).sum(0)
        elif task.kind.name == "binary":
            yes = t[0] if distance == "soft" else (t[0] > 0.5).double()
            loss = -(yes * nn.functional.logsigmoid(p[0]))
            loss = loss - (1 - yes) * nn.functional.logsigmoid(-p[0])
        elif task.kind.name == "depth":
            loss = (p - t).abs()[0]
        else:
            loss = 1 - (p * t).sum(0)
        total += (loss * sure[0]).sum().item() / (32 * 32)
    assert found is not None
    assert found.item() == pytest.approx(0.7 * total / 3, rel=1e-6)


def test_only_what_an_image_lacks_is_taught() -> None:
    full = {task.name: [0, 1, 2] for task in SIX}
    assert not step(make(), views(**full)).auxiliary
    full["depth"] = [0, 1]
    assert list(step(make(), views(**full)).auxiliary) == ["depth/taught"]


def test_the_teacher_follows_the_network_and_learns_nothing_itself() -> None:
    method = make(decay=0.75)
    first = copy.deepcopy(method.teacher.state_dict())
    terms = step(method, views())
    torch.stack([*terms.tasks.values(), *terms.auxiliary.values()]).sum().backward()
    assert all(p.grad is None for p in method.teacher.parameters())
    with torch.no_grad():
        for p in method.network.parameters():
            p.add_(1)
    kept = [0.1, 2 / 11, 3 / 12, 0.75]  # (1 + n) / (10 + n), and at last the decay
    behind = 1.0
    for n, share in enumerate(kept):
        method.steps.fill_(n if n < 3 else 1000)
        method.after_step(progress=0.5)
        behind *= share
        for name, p in method.teacher.named_parameters():
            expected = first[name] + 1 - behind
            torch.testing.assert_close(p, expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("norms", ["batch", "running"])
def test_dropout_of_the_teacher_is_off_and_norms_are_as_asked(norms: str) -> None:
    method = make(norms=norms)
    for layer in method.teacher.modules():
        if isinstance(layer, nn.BatchNorm2d):
            assert layer.training == (norms == "batch")
        elif isinstance(layer, nn.Dropout):
            assert not layer.training
    assert not any(layer.training for layer in method.eval().modules())


def test_norms_that_are_kept_in_the_network_are_kept_in_the_teacher() -> None:
    """With the weights of the network it is the network, whatever statistics those came with."""
    torch.manual_seed(0)
    network = NETWORKS["unet-resnet18"](PAIR, width=0.125, freeze_norm=True)
    for encoder in network.pretrained():
        for layer in encoder.modules():
            if isinstance(layer, nn.BatchNorm2d):
                assert layer.running_mean is not None
                assert layer.running_var is not None
                nn.init.normal_(layer.running_mean, std=0.3)
                nn.init.uniform_(layer.running_var, 0.5, 2)
    method = Teacher(network, **PLAIN).train()
    image = torch.rand(2, 3, 64, 64)
    ours = method.network(image).predictions
    for name, said in method.say(image)[0].items():
        torch.testing.assert_close(said, ours[name])


def test_nothing_is_taught_before_it_begins() -> None:
    method = make(begin=0.2, ramp_up=0.4)
    of = views()
    assert not step(method, of, progress=0.19).auxiliary
    half, whole = (step(method, of, progress=at).auxiliary["depth/taught"] for at in (0.4, 0.6))
    assert half.item() == pytest.approx(whole.item() / 2, rel=1e-9)


@pytest.mark.parametrize("task", SIX, ids=lambda task: task.name)
def test_a_taught_task_has_the_weight_of_its_labels(task: Task) -> None:
    plain, heavy = (
        step(make(task_weights=weights), views()).auxiliary for weights in (None, {task.name: 30.0})
    )
    for name, term in plain.items():
        factor = 30 if name == f"{task.name}/taught" else 1
        assert heavy[name].item() == pytest.approx(factor * term.item(), rel=1e-6)


def test_as_printed_what_is_taught_is_divided_as_what_is_labelled() -> None:
    """By the number of tasks of the image that are: |T_n| of the labels, |U_n| of the others."""
    rows = {"semantic": [0], "depth": [1], "normals": [2]}
    batch = views(**rows)
    plain, paper = (step(make(normalise=how), batch) for how in ("batch", "paper"))
    lacking = len(SIX) - 1
    for name, term in plain.auxiliary.items():
        assert paper.auxiliary[name].item() == pytest.approx(term.item() / lacking, rel=1e-6)
    for name, term in plain.tasks.items():
        assert paper.tasks[name].item() == pytest.approx(term.item(), rel=1e-6)


def test_normals_are_taught_by_the_loss_of_their_labels() -> None:
    by_cosine, by_l1 = (
        step(make(losses={"normals": loss}), views()).auxiliary["normals/taught"].item()
        for loss in ("cosine", "l1")
    )
    assert by_cosine != pytest.approx(by_l1, rel=0.01)


@pytest.mark.parametrize("mix", ["none", "boxes"])
def test_padding_does_not_thin_what_is_taught(mix: str) -> None:
    """A depth that is 2 m wrong wherever the image is costs 2, as it does against a label."""
    method = make(mix=mix)
    batch = random_batch(SIX, 3, rows={})
    extents = (Extent(0, 0, 32, 16),) * 3
    whole, padded = (
        second_view(replace(batch, image=batch.image.double(), extents=of), SIX, [[Crop(1.0)] * 3])
        for of in (None, extents)
    )
    for of in (whole, padded):
        value = torch.ones(3, 1, 32, 32).double()
        taught = [Taught(SIX[1], value, of.main.inside(), of.main.inside().sum((1, 2)))]
        _, [moved] = mixed(of, [taught], SIX, how=mix, rng=generator(0))
        assert method._distance(moved[0], value + 2, None).item() == pytest.approx(2)


def test_a_teacher_that_is_never_sure_teaches_nothing() -> None:
    terms = step(make(confidence=1.0), views())
    assert terms.auxiliary["semantic/taught"].item() == 0
    assert terms.auxiliary["depth/taught"].item() > 0


def test_words_that_cannot_be_are_refused() -> None:
    network = NETWORKS["unet-resnet18"]([SIX[1]], width=0.125)
    with pytest.raises(ValueError, match="`mix` should be `none` or `boxes` for tasks without"):
        Teacher(network, mix="classes")
    with pytest.raises(ValueError, match="teacher_weight"):
        make(teacher_weight={"depht": 1.0})
    for wrong in (-1.0, float("nan"), float("inf")):  # away from what the teacher says, or nowhere
        with pytest.raises(ValueError, match="`teacher_weight` should be 0 or more"):
            make(teacher_weight={"depth": wrong})


@pytest.mark.parametrize("how", ["boxes", "classes"])
def test_a_pasted_part_brings_its_labels_and_what_is_taught(how: str) -> None:
    """Every pixel has image, label and taught value of one source image, and of that alone."""
    batch = random_batch(PAIR, 3, rows={"semantic": [0, 1], "depth": [2]}, seed=3)
    tag = torch.arange(3.0).view(3, 1, 1, 1)
    image = tag.expand(3, 3, 32, 32).clone()
    depth = torch.full_like(batch.labels["depth"], 2.0)
    batch = replace(batch, image=image, labels={**batch.labels, "depth": depth})
    taught = [
        Taught(
            PAIR[0],
            torch.rand(3, 5, 32, 32),
            torch.tensor([0, 0, 1])[:, None, None].expand(3, 32, 32) > 0,
            torch.full((3,), 1024),
        ),
        Taught(
            PAIR[1],
            tag.expand(3, 1, 32, 32),
            torch.tensor([1, 1, 0])[:, None, None].expand(3, 32, 32) > 0,
            torch.full((3,), 1024),
        ),
    ]
    of = Views(batch, batch, steps=[[[Crop(1.0)] * 3]])
    views, [moved] = mixed(of, [taught], PAIR, how=how, rng=generator(1))
    made = views.last
    assert views.main is batch
    source = made.image[:, 0].long()
    changed = source != torch.arange(3)[:, None, None]
    assert changed.any(2).any(1).all(), "every image gets something"
    assert (~changed).any(2).any(1).all(), "and keeps something"
    torch.testing.assert_close(moved[1].value[:, 0], source.float())
    assert torch.equal(moved[1].sure, source != 2)
    assert torch.equal(moved[0].sure, source == 2)
    assert torch.equal(
        made.rows["depth"], torch.tensor(sorted({2, *(source == 2).nonzero()[:, 0].tolist()}))
    )
    for k, i in enumerate(made.rows["depth"].tolist()):
        valid = (source[i] == 2) & batch.valid["depth"][0]
        assert torch.equal(made.valid["depth"][k], valid)
        assert (made.labels["depth"][k, 0][valid] == 2).all()
    for k, i in enumerate(made.rows["semantic"].tolist()):
        for j in (0, 1):
            here = source[i] == j
            assert torch.equal(
                made.labels["semantic"][k, 0][here], batch.labels["semantic"][j, 0][here]
            )
            assert torch.equal(made.valid["semantic"][k][here], batch.valid["semantic"][j][here])


@pytest.mark.parametrize("reduction", ["image", "pixels"])
def test_a_part_of_a_label_weighs_as_a_part(reduction: str) -> None:
    """Two of six labels are as much as before, wherever their pixels are pasted."""
    batch = random_batch(PAIR, 6, rows={"depth": [0, 3]})
    batch = replace(batch, valid={"depth": torch.ones(2, 32, 32, dtype=torch.bool)})
    batch = replace(batch, labels={"depth": torch.ones(2, 1, 32, 32)})
    of = Views(batch, batch, steps=[[[Crop(1.0)] * 6]])
    supervision = Supervision(PAIR, SupervisionOptions(reduction=reduction))
    found = []
    for seed in range(100):
        made = mixed(of, [[]], PAIR, how="boxes", rng=generator(seed))[0].last
        output = Output({"depth": torch.full((6, 1, 32, 32), 2.0)}, torch.zeros(6, 1, 1, 1))
        terms = supervision.terms(Views(made), [output])
        found.append(terms.tasks["depth"].item())
        assert terms.labelled["depth"].item() == pytest.approx(1)
        assert terms.tasks["depth"] / terms.images["depth"] == pytest.approx(1 / 6)
    assert sum(found) / len(found) == pytest.approx(2 / 6, abs=0.01)


def test_a_label_that_a_crop_emptied_is_no_part_of_one() -> None:
    """What is left of the other label beside it is a part of that, and not of half as much."""
    batch = random_batch(PAIR, 2, rows={"depth": [0, 1]})
    valid = torch.tensor([True, False])[:, None, None].expand(2, 32, 32).clone()
    batch = replace(batch, valid={"depth": valid})
    of = Views(batch, batch, steps=[[[Crop(1.0)] * 2]])
    made = mixed(of, [[]], PAIR, how="boxes", rng=generator(0))[0].last
    left = made.valid["depth"].flatten(1).float().mean(1)
    assert torch.equal(made.shares["depth"], left)


def test_a_part_of_a_label_is_a_part_of_the_tasks_of_an_image() -> None:
    """Under `normalise=paper`: what one label was divided by, two halves are, and not by 2."""
    everywhere = torch.ones(1, 32, 32, dtype=torch.bool)
    batch = random_batch(PAIR, 2, rows={"semantic": [0], "depth": [1]}, seed=3)
    batch = replace(batch, valid={"semantic": everywhere, "depth": everywhere})
    of = Views(batch, batch, steps=[[[Crop(1.0)] * 2]])
    made = mixed(of, [[]], PAIR, how="boxes", rng=generator(0))[0].last
    said = {task.name: torch.rand(2, task.channels, 32, 32) for task in PAIR}
    output, found = Output(said, torch.zeros(2, 1, 1, 1)), []
    for how in ("batch", "paper"):
        supervision = Supervision(PAIR, SupervisionOptions(normalise=how))
        terms = supervision.terms(Views(made), [output])
        found.append({name: term.item() for name, term in terms.tasks.items()})
    assert found[1] == pytest.approx(found[0])


def test_half_of_the_classes_of_the_other_image_are_pasted() -> None:
    batch = random_batch(PAIR[:1], 2, seed=3)
    everywhere = torch.ones(2, 32, 32, dtype=torch.bool)
    batch = replace(batch, valid={"semantic": everywhere}, image=batch.image.zero_())
    batch.image[1] = 1
    of = Views(batch, batch, steps=[[[Crop(1.0)] * 2]])
    views, _ = mixed(of, [[]], PAIR[:1], how="classes", rng=generator(2))
    pasted = views.last.image[0, 0] == 1
    classes = batch.labels["semantic"][1, 0]
    chosen = set(classes[pasted].tolist())
    assert len(chosen) == 3  # half of five, rounded up
    assert all(bool(pasted[classes == c].all()) for c in chosen)


@pytest.mark.parametrize("how", ["boxes", "classes"])
def test_padding_is_never_pasted(how: str) -> None:
    """Nor is it an image of the class 0, of which a teacher says something everywhere."""
    batch = random_batch(PAIR[:1], 2, rows={"semantic": [0]})
    image = torch.zeros(2, 3, 32, 32)
    image[:, :, 16:] = 1  # the padding of both
    batch = replace(batch, image=image, extents=(Extent(0, 0, 16, 32),) * 2)
    inside = batch.inside()
    one_class = torch.zeros(2, 5, 32, 32)
    one_class[:, 0, 16:] = one_class[:, 1, :16] = 1
    taught = [Taught(PAIR[0], one_class, inside, inside.sum((1, 2)))]
    of = Views(batch, replace(batch, image=image + 2), steps=[[[Crop(1.0)] * 2]])
    for seed in range(5):
        views, [moved] = mixed(of, [taught], PAIR[:1], how=how, rng=generator(seed))
        assert torch.equal(views.last.image, image + 2)  # both are alike but for the padding
        own = batch.valid["semantic"][0]
        made = views.last.valid["semantic"][views.last.rows["semantic"].tolist().index(0)]
        assert torch.equal(made[16:], own[16:]), "nothing of the other image is in the padding"
        assert moved[0].sure[1, :16].any()


@pytest.mark.parametrize("mix", ["boxes", "classes"])
def test_mixing_takes_two_images(mix: str) -> None:
    """With one it would do nothing, and not say so."""
    make(mix="none").check_batch(1, 2)
    with pytest.raises(ValueError, match="a batch should have 2 images or more"):
        make(mix=mix).check_batch(1, 2)


@pytest.mark.parametrize("how", ["boxes", "classes"])
def test_one_image_has_nobody_to_take_from(how: str) -> None:
    batch = random_batch(PAIR, 1)
    of = Views(batch, batch, steps=[[[Crop(1.0)]]])
    views, _ = mixed(of, [[]], PAIR, how=how, rng=generator(2))
    assert views is of
