"""Augmentation: a function of (seed, epoch, key)."""

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from mtdata.errors import UsageError
from mtdata.reading.augment import Augmentation, sample_rng
from mtdata.reading.geometry import PAPER_SCALES, Crop, Flip, Paste, Rotate
from mtdata.reading.photometric import Photometric
from mtdata.tasks.sample import Extent, Sample
from tests.stores.fake_split import INVERSE, TASKS, make_sample


def test_randomness_is_a_function_of_seed_epoch_and_key() -> None:
    first = sample_rng(0, 1, "a").random(4)
    assert (first == sample_rng(0, 1, "a").random(4)).all()
    for other in ((1, 1, "a"), (0, 2, "a"), (0, 1, "b"), (0, 11, "")):
        assert (first != sample_rng(*other).random(4)).all()


def test_randomness_stays_as_it_is_from_version_to_version() -> None:
    assert sample_rng(0, 0, "0001").random() == pytest.approx(0.8741092383219203, abs=1e-15)


def test_flips_and_scales_come_as_often_as_they_should() -> None:
    augment = Augmentation()
    drawn = [augment.changes(sample_rng(0, 0, f"{i}")) for i in range(1000)]
    assert 450 < sum(Flip() in changes for changes in drawn) < 550
    scales = [c.scale for changes in drawn for c in changes if isinstance(c, Crop)]
    assert 280 < scales.count(1.2) < 390
    assert 280 < scales.count(1.5) < 390
    assert len(scales) < 1000


def test_what_is_drawn_does_not_depend_on_what_is_switched_on() -> None:
    """So that two runs that differ in one setting share the rest of their randomness."""
    full = Augmentation(rotate=10.0).changes(sample_rng(0, 0, "k3"))
    plain = Augmentation(flip=0.0).changes(sample_rng(0, 0, "k3"))
    assert [c for c in full if isinstance(c, Crop)] == [c for c in plain if isinstance(c, Crop)]
    assert any(isinstance(c, Rotate) for c in full)


def test_nothing_switched_on_changes_nothing() -> None:
    sample = make_sample()
    assert Augmentation(flip=0.0, scales=(1.0,))(sample, sample_rng(0, 0, "k"), TASKS) is sample


def test_paper_geometry_divides_inverse_depth() -> None:
    sample = make_sample(tasks=[INVERSE])
    means = [
        Augmentation(flip=0.0, scales=(1.5,), paper_geometry=paper)(
            sample, sample_rng(0, 0, "k"), [INVERSE]
        )
        .labels["disparity"]
        .mean()
        for paper in (False, True)
    ]
    assert means[0] / means[1] == pytest.approx(1.5**2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"flip": 1.5}, "`flip` should be 0 to 1; found 1.5"),
        ({"scales": (0.0, 1.0)}, "`scales` should be numbers above 0"),
        ({"scales": ()}, "`scales` should be numbers above 0"),
        ({"rotate": -3.0}, "`rotate` should be 0 to 180 degrees"),
    ],
)
def test_bad_options_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Augmentation(**options)  # type: ignore[arg-type]


def test_scales_of_the_papers_are_the_default() -> None:
    assert Augmentation().scales == PAPER_SCALES == (1.0, 1.2, 1.5)


def test_colours_change_and_places_do_not() -> None:
    sample = make_sample()
    augment = Augmentation(flip=0.0, scales=(1.0,), photometric=Photometric())
    changed = augment(sample, sample_rng(0, 0, "k"), TASKS)
    assert changed.labels is sample.labels
    assert changed.image.shape == sample.image.shape
    assert (changed.image != sample.image).any()
    # A constant image shows it: every pixel is treated alike.
    flat = np.full((8, 8, 3), (90, 120, 60), np.uint8)
    assert len(np.unique(Photometric()(flat, sample_rng(0, 0, "k")).reshape(-1, 3), axis=0)) == 1


def test_colours_are_a_function_of_the_given_randomness() -> None:
    import albumentations as A

    image = make_sample(size=(16, 16)).image
    pipelines = (
        None,
        A.Compose([A.GaussNoise(p=0.7), A.OneOf([A.RandomGamma(), A.CLAHE()], p=0.9)], seed=3),
    )
    for pipeline in pipelines:
        change = Photometric(pipeline=pipeline)
        first = [change(image, sample_rng(0, e, "k")) for e in range(6)]
        np.random.seed(1)  # noqa: NPY002
        np.random.random(3)  # noqa: NPY002
        other = pickle.loads(pickle.dumps(Photometric(pipeline=pipeline)))
        other(image, sample_rng(5, 5, "z"))
        again = [other(image, sample_rng(0, e, "k")) for e in reversed(range(6))][::-1]
        np.testing.assert_array_equal(first, again)
        assert any((a != first[0]).any() for a in first[1:])


def test_transforms_of_a_pipeline_act_independently() -> None:
    """Given one seed for all, albumentations makes them act all at once or not at all."""
    import albumentations as A

    white, black = (A.Solarize(threshold_range=(0, 0), p=0.5), A.ChannelDropout((1, 1), fill=7))
    change = Photometric(pipeline=A.Compose([white, black]))
    image = np.zeros((2, 2, 3), np.uint8)
    outcomes = set()
    for i in range(40):
        out = change(image, sample_rng(0, i, "k"))
        outcomes.add((bool((out == 255).any()), bool((out == 7).any())))
    assert outcomes == {(False, False), (False, True), (True, False), (True, True)}


def test_a_pipeline_from_a_file(tmp_path: Path) -> None:
    import albumentations as A

    path = tmp_path / "colours.yaml"
    A.save(A.Compose([A.InvertImg(p=1)]), path, data_format="yaml")
    image = make_sample().image
    change = Photometric(pipeline=path)
    np.testing.assert_array_equal(change(image, sample_rng(0, 0, "k")), 255 - image)


def test_pipelines_that_would_spoil_labels_or_images_are_refused(tmp_path: Path) -> None:
    import albumentations as A

    image, rng = make_sample().image, sample_rng(0, 0, "k")
    moves = A.Compose([A.OneOf([A.ToGray(), A.HorizontalFlip()])])
    with pytest.raises(UsageError, match="change colours alone; found HorizontalFlip"):
        Photometric(pipeline=moves)(image, rng)
    with pytest.raises(UsageError, match="keep size and type of an image"):
        Photometric(pipeline=A.Compose([A.Normalize(p=1)]))(image, rng)
    path = tmp_path / "broken.yaml"
    path.write_text("no: [pipeline")
    with pytest.raises(UsageError, match=r"broken\.yaml: should be a pipeline"):
        Photometric(pipeline=path)(image, rng)
    with pytest.raises(UsageError, match=r"there is no .*gone\.yaml"):
        Photometric(pipeline=tmp_path / "gone.yaml")
    with pytest.raises(UsageError, match=r"`hue` should be 0 to 0\.5; found 0\.7"):
        Photometric(hue=0.7)


def test_zooms_between_two_are_uniform_and_take_the_same_randomness() -> None:
    wide = Augmentation(scales=(0.75, 1.25), continuous=True)
    rngs = [sample_rng(0, 0, f"{i}") for i in range(2000)]
    zooms = [wide.changes(rng)[0] for rng in rngs]
    scales = [
        1 / z.scale if isinstance(z, Paste) else z.scale for z in zooms if hasattr(z, "scale")
    ]
    assert len(scales) == 2000
    assert min(scales) < 0.751
    assert max(scales) > 1.249
    assert np.mean(scales) == pytest.approx(1.0, abs=0.01)
    assert 450 < sum(scale < 0.875 for scale in scales) < 550
    # What is drawn behind the zoom is what it is without one.
    again = [sample_rng(0, 0, f"{i}") for i in range(2000)]
    for rng in again:
        Augmentation().changes(rng)
    assert all(a.random() == b.random() for a, b in zip(rngs, again, strict=True))


def _reference(sample: Sample, scale: float, top: float, left: float) -> NDArray[np.uint8]:
    """Where each class of a label goes that shrinks, pixel by pixel."""
    height, width = sample.labels["semantic"].shape
    h, w = int(height * scale), int(width * scale)
    y, x = int(top * (height - h + 1)), int(left * (width - w + 1))
    out = np.zeros((height, width), np.uint8)
    for i in range(h):
        for j in range(w):
            row, column = (2 * i + 1) * height // (2 * h), (2 * j + 1) * width // (2 * w)
            out[y + i, x + j] = sample.labels["semantic"][row, column]
    return out


def test_zooming_out_keeps_the_true_size_and_leaves_padding_without_a_label() -> None:
    sample = make_sample(size=(24, 32))
    augment = Augmentation(flip=0.0, scales=(0.75,))
    _, top, left = sample_rng(0, 0, "k").random(3)
    out = augment(sample, sample_rng(0, 0, "k"), TASKS)
    assert out.image.shape == sample.image.shape
    assert out.extent == Extent(int(top * 7), int(left * 9), 18, 24)
    outside = np.ones((24, 32), bool)
    outside[out.extent.part] = False
    for task in out.valid:
        assert not out.valid[task][outside].any(), task
        assert out.valid[task].any(), task
    np.testing.assert_array_equal(out.labels["semantic"], _reference(sample, 0.75, top, left))
    seen = out.valid["depth"]
    # It is further away: 3 metres become 4.
    assert out.labels["depth"][seen].mean() == pytest.approx(
        sample.labels["depth"][sample.valid["depth"]].mean() / 0.75, rel=0.02
    )
    lengths = np.linalg.norm(out.labels["normals"][out.valid["normals"]], axis=-1)
    np.testing.assert_allclose(lengths, 1, atol=1e-5)


def test_a_padded_image_that_shrinks_and_turns_keeps_its_padding_outside() -> None:
    padded = make_sample(size=(24, 32))
    inside = Extent(2, 4, 12, 16)
    mask = np.zeros((24, 32), bool)
    mask[inside.part] = True
    sample = replace(padded, valid={t: v & mask for t, v in padded.valid.items()}, extent=inside)
    for number in range(20):
        augment = Augmentation(scales=(0.75, 1.25), continuous=True, rotate=20.0)
        out = augment(sample, sample_rng(0, number, "k"), TASKS)
        assert out.extent is not None
        outside = np.ones((24, 32), bool)
        outside[out.extent.part] = False
        for task in out.valid:
            assert not out.valid[task][outside].any()
