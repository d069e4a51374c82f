"""Every recipe is a configuration that can be built, and its published row exists."""

from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from docs.tables import PAGE, written
from mtdata import open_store
from mtdata.errors import UnknownNameError, UsageError
from mtdata.regimes.table import RegimeTable
from mtdata.store import add_regime
from mtmodels.metrics import METRICS
from mtmodels.networks import NETWORKS
from mtmodels.options import filled
from mtmodels.recipes import RELEASED, Recipe, all_recipes, load_recipe, matching
from mtmodels.recipes.scaling import scaled
from mtmodels.scoring.published import all_rows, published_row
from mtmodels.training.loop import OPTIMISERS, SCHEDULES
from mtmodels.training.loop.schedules import Position
from mtmodels.training.setup.resolve import resolve
from tests.runs.small_run import small_store

WITHOUT = {
    "xtasc-net/README": "the README of its code, no table of the paper",
    "mtpsl/scripts NYU": "references that its scripts hold, no table of the paper",
    "mtpsl/scripts Cityscapes": "references that its scripts hold, no table of the paper",
    "jtr/Taskonomy": "a data set that there is no source of",
}
"""Tables whose rows have no recipe although those who print them trained them, and why."""
OF_BEFORE = (
    "jtr-nyu-random-jtr",
    "jtr-cityscapes-one-mtpsl",
    "mtpsl-nyu-full-sl",
    "mtpsl-nyu-full-x-task",
    "mtpsl-nyu-random-mtpsl-no-regulariser",
    "mtpsl-cityscapes-one-discriminator",
    "mtpsl-cityscapes-9-1-perceptual-map",
    "xtasc-nyu-single-depth",
    "xtasc-cityscapes-xtc-imagenet",
    "nyu-compact",
    "fine-tune",
)


@pytest.mark.parametrize("name", all_recipes())
def test_a_recipe_is_whole(name: str) -> None:
    recipe = all_recipes()[name]
    config = resolve(recipe.config)
    schedule = SCHEDULES[config.schedule.name].read(config.schedule.options)
    assert 0 < schedule(Position(0, 10, config.epochs)) <= 1
    assert recipe.summary.endswith(".")
    assert recipe.needs
    assert set(recipe.teachers.values()) <= set(all_recipes())
    assert not recipe.store or config.regime or "nyu-" in name


def test_every_row_that_a_paper_trained_is_a_recipe() -> None:
    """All but those that a paper prints from another one, and of the tables in `WITHOUT`."""
    trained = [row for row in all_rows() if row.trained]
    tables = {f"{row.paper}/{row.table}" for row in trained}
    assert set(WITHOUT) <= tables
    assert len(tables - set(WITHOUT)) == 17 + 2  # of the three papers, figure and text; of JTR
    rows = {row.key for row in trained if f"{row.paper}/{row.table}" not in WITHOUT}
    about = {key for recipe in all_recipes().values() for key in recipe.rows.values()}
    assert rows == about
    page = PAGE.read_text(encoding="utf-8")
    for table, reason in WITHOUT.items():
        assert f"| `{table}` | {reason} |" in page
    quoted = {row.key for row in all_rows() if not row.trained and row.paper != "later"}
    assert {key for key in quoted if key.startswith("mt-unet")} == {
        f"mt-unet/1/{name}" for name in ("STAN", "Dense", "Cross-Stitch", "MTAN")
    }
    others = ("STAN", "Dense", "Cross-Stitch", "MTAN", "PCGrad", "KD4MTL", "AdaMT-Net")
    assert {key for key in quoted if key.startswith("xtasc-net")} == {
        *(f"xtasc-net/II/{name}" for name in others),
        "xtasc-net/IV/AdaMT-Net",
        *(f"xtasc-net/README/{name}" for name in ("KD4MTL", "PCGrad", "AdaMT-Net")),
    }
    assert not any(key.startswith("mtpsl/") for key in quoted)


def test_a_row_of_two_tables_is_one_recipe_with_two_names() -> None:
    first, second = map(load_recipe, ("mtpsl/table2/one/ours", "mtpsl/table6/one/ours"))
    assert first is second is load_recipe("mtpsl-nyu-one-mtpsl")
    for recipe in all_recipes().values():
        scores = [published_row(key).scores for key in recipe.rows.values()]
        assert all(one == scores[0] for one in scores), recipe.name
    names = [name for recipe in all_recipes().values() for name in recipe.names]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("name", OF_BEFORE)
def test_names_of_before_are_names_still(name: str) -> None:
    assert load_recipe(name).name in all_recipes()


@pytest.mark.parametrize("name", [n for n, r in all_recipes().items() if r.published])
def test_a_published_row_is_about_the_same_thing(name: str) -> None:
    recipe = all_recipes()[name]
    row = published_row(str(recipe.published))
    config = resolve(recipe.config)
    assert row.dataset == recipe.store["dataset"]
    assert row.protocol in (config.protocol, "mt-unet")
    assert row.size == tuple(recipe.store["size"])
    assert row.classes == recipe.store["classes"]
    assert row.epochs in (None, config.epochs)
    assert row.regime.replace(" ", "-").replace(":", "-") == config.regime
    assert row.method in ("", config.method.name)
    assert row.network in ("", config.network.name)
    named = {"gradient": "adamt"}.get(row.weighting, row.weighting)
    if len(config.tasks or ()) > 1 and "pcgrad" not in name:  # which stands in the place of one
        assert named in ("", config.weighting.name)
    assert set(config.tasks or ()) <= set(row.tasks)


def test_the_protocol_of_the_paper() -> None:
    nyu = resolve(load_recipe("xtasc-nyu-xtc").config)
    assert (nyu.epochs, nyu.batch, nyu.lr) == (100, 6, 1e-4)
    assert filled(OPTIMISERS["adam"], nyu.optimizer.options)["betas"] == [0.9, 0.99]
    assert nyu.schedule.options == {"every": 60, "factor": 0.5}
    city = resolve(load_recipe("xtasc-cityscapes-xtc").config)
    assert (city.epochs, city.batch, city.schedule.options["every"]) == (250, 8, 80)
    assert city.method.options["lambda"] == 0.01
    assert nyu.method.options["lambda"] == 1e-4
    single = resolve(load_recipe("xtasc-nyu-single-depth").config)
    assert single.optimizer.options["betas"] == [0.9, 0.999]


@pytest.mark.parametrize("table", ["table2", "table4"])
@pytest.mark.parametrize("system", ["mtan", "pcgrad", "kd4mtl", "kd4mtl/teacher/depth"])
def test_systems_of_others_are_trained_as_the_code_of_xtasc_does(table: str, system: str) -> None:
    """Its `model/mtan` and `model/kd4mtl`; section V-C speaks of the paper's own networks."""
    config = resolve(load_recipe(f"xtasc/{table}/{system}").config)
    assert (config.epochs, config.batch, config.lr) == (200, 2, 1e-4)
    assert config.optimizer.options["betas"] == [0.9, 0.999]
    assert config.method.options["reduction"] == "pixels"
    schedule = SCHEDULES[config.schedule.name](**config.schedule.options)
    halved = 1 if system == "pcgrad" else 0.5
    assert [schedule(Position(e, 1, 200)) for e in (0, 99, 100, 199)] == [1, 1, halved, halved]
    drawn = "teacher" in system and table == "table2"
    assert config.augmentation.flip == (0.5 if drawn else 0)
    assert config.network.name == ("segnet-stan" if "teacher" in system else "segnet-mtan")


def test_full_labels_are_pooled_over_the_batch_as_in_the_scripts_of_mtpsl() -> None:
    """`nyu_mtl_sl.py` and `cityscapes_mtl_sl.py`; single tasks and partial labels are not."""
    table5 = {"mtl", "mtan", "uncertainty", "gradnorm", "mgda", "dwa"}
    pooled = {"mtpsl/table1/full/sl", "mtpsl/table2/full/sl", "mtpsl/table4/full/sl"}
    pooled |= {f"mtpsl/table5/{name}" for name in table5}
    for name, recipe in matching("mtpsl/*").items():
        found = resolve(recipe.config).method.options.get("reduction", "image")
        assert found == ("pixels" if name in pooled else "image"), name


def test_cityscapes_is_normalised_as_released() -> None:
    recipes = [r for r in all_recipes().values() if r.name.startswith("xtasc/")]
    names = [r.name for r in recipes if r.store["dataset"] == "cityscapes"]
    assert len(names) == 21
    for name in names:
        options = resolve(load_recipe(name).config).network.options
        assert options == {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}, name


def test_a_file_is_a_recipe_too_and_a_wrong_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("epochs: 3\n")
    assert load_recipe(str(tmp_path / "mine.yaml")).config == {"epochs": 3}
    with pytest.raises(UnknownNameError, match=r"no recipe `nyu-compac`. Did you mean"):
        load_recipe("nyu-compac")


@pytest.mark.parametrize(
    ("needed", "told"),
    [
        ({"dataset": "nyu"}, "dataset fake in place of nyu"),
        ({"size": [288, 384]}, "size 32x64 in place of 288x384"),
        ({"classes": 40}, "classes 5 in place of 40"),
        ({"tasks": ["normals", "edgy"]}, "no edgy"),
        ({"units": {"depth": "disparity"}}, "depth in metres in place of disparity"),
        ({"images": 795}, "images 14 in place of 795"),
        ({"origin": {"depth": "raw"}}, "depth filled in place of raw"),
    ],
)
def test_a_store_that_a_recipe_was_not_made_for_is_refused(
    tmp_path: Path, needed: dict[str, object], told: str
) -> None:
    recipe = Recipe("r", "A recipe.", "a store", {}, store=needed)
    with open_store(small_store(tmp_path, depth="filled")) as store:
        with pytest.raises(UsageError, match=f"recipe `r` needs a store; .*{told}.*--anyway"):
            recipe.check(store)
        Recipe("r", "A recipe.", "a store", {}, store={"dataset": "fake", "size": [32, 64]}).check(
            store
        )


@pytest.mark.parametrize("name", all_recipes())
def test_what_is_checked_is_what_the_text_says(name: str) -> None:
    recipe = all_recipes()[name]
    known = {"dataset", "images", "classes", "tasks", "size", "units", "origin", "released"}
    assert set(recipe.store) <= known
    assert bool(recipe.store) == (" with " in recipe.needs)
    if recipe.store:
        assert "x".join(map(str, recipe.store["size"])) in recipe.needs
        assert f"{recipe.store['classes']} classes" in recipe.needs
    for task, origin in recipe.store.get("origin", {}).items():
        assert f"{task} {origin}" in recipe.needs
    file = recipe.store.get("released", {}).get(recipe.config.get("regime"))
    assert (file is not None) == ("MTPSL released" in recipe.needs)
    assert file is None or (file in recipe.needs and file in RELEASED)


@pytest.mark.real
def test_digests_are_those_of_the_released_files(shared: Path) -> None:
    folder = shared / "data" / "regimes" / "mtpsl"
    assert {f.name: sha256(f.read_bytes()).hexdigest() for f in folder.iterdir()} == RELEASED


@pytest.mark.parametrize("regime", ["one", "two", "gone"])
def test_a_regime_that_was_not_released_is_told(tmp_path: Path, regime: str) -> None:
    store = {"released": {"one": "pascal_onelabel.npy"}}
    recipe = Recipe("r", "A recipe.", "a store", {"regime": "one"}, store=store)
    path = small_store(tmp_path)
    with open_store(path) as opened:
        keys, tasks = opened.splits["train"].keys, [t.name for t in opened.tasks]
        labels = opened.splits["train"].visible("one")
    about = {"file": "pascal_onelabel.npy", "sha256": RELEASED["pascal_onelabel.npy"]}
    table = RegimeTable("import", keys, tuple(tasks), labels, about, origin="read")
    add_regime(path, "two", table)
    with open_store(path) as opened:
        told = recipe.misfits(opened, regime)
        where = {"one": "drawn", "gone": "not in the store"}
        expected = f"regime `{regime}` ({where.get(regime)}) in place of pascal_onelabel.npy"
        assert told == (() if regime == "two" else (expected,))
        # Rows of a .pth file are those of MTAN's arrays, which this store does not come from.
        other = replace(recipe, store={"released": {"one": "nyuv2_onelabel.pth"}})
        assert other.misfits(opened, "two") == (
            "regime `two` (read) in place of nyuv2_onelabel.pth",
        )


def test_the_page_of_recipes_has_the_tables_as_they_are() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page == written(page), "write them again: python -m docs.tables"
    also = [name for recipe in all_recipes().values() for name in recipe.also if "/" in name]
    for name in (*all_recipes(), *also):
        assert f"`{name}`" in page


@pytest.mark.parametrize(
    ("pattern", "some", "none"),
    [
        ("nyu one", "mtpsl/table2/one/ours", "mtpsl/table1/one/ours"),
        ("mtpsl/table6", "mtpsl/table6/one/ours", "mtpsl/table2/one/ours"),
        ("segnet-mtan", "mtpsl/table5/mtan", "mtpsl/table5/mtl"),
        ("*/ours pascal", "mtpsl/table3/random/ours", "mtpsl/table3/random/sl"),
    ],
)
def test_a_pattern_finds_recipes_by_words(pattern: str, some: str, none: str) -> None:
    found = matching(pattern)
    assert some in found
    assert none not in found
    assert matching("no-such-recipe") == {}


SCALES = [0.25, 0.5, 0.999]


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("name", all_recipes())
def test_a_recipe_shrinks_as_a_whole(name: str, scale: float) -> None:
    recipe = all_recipes()[name]
    whole = resolve(recipe.config)
    small = resolve(recipe.config, scaled(recipe, scale, (96, 128)))
    assert small.network.width == pytest.approx(whole.network.width * scale)
    assert (small.batch, small.lr) == (whole.batch, whole.lr)
    stride = NETWORKS[small.network.name].stride
    assert small.size is not None
    for side, before in zip(small.size, recipe.store.get("size", (96, 128)), strict=True):
        assert side % stride == 0
        assert abs(side - before * scale) <= stride / 2 or side == stride
        assert side <= before
    assert small.recipe.apart == (f"--scale {scale:g} of the recipe",)
    if whole.steps is None and "epochs" in recipe.config:
        assert small.epochs == max(1, round(whole.epochs * scale))
        # The rate falls as often as it did.
        if whole.schedule.name == "step":
            every: list[Any] = [c.schedule.options["every"] for c in (whole, small)]
            assert abs(whole.epochs // every[0] - small.epochs // every[1]) <= 1
    assert METRICS[small.protocol].at == "stored"
    film: Any = small.method.options.get("film_schedule")
    if film is not None:
        assert film["options"]["every"] == max(1, round(30 * scale))
