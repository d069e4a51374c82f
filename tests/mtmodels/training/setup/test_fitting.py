"""What does not fit together is refused before anything is written."""

from pathlib import Path
from typing import Any

import pytest

from mtdata.errors import UsageError
from mtmodels.recipes import all_recipes
from mtmodels.training.run import prepare
from mtmodels.training.setup.fitting import check_asked
from mtmodels.training.setup.resolve import resolve
from tests.mtmodels.training.conftest import Train
from tests.mtmodels.training.test_resume import KillAt, Killed

IDLE: list[tuple[str, dict[str, Any], str]] = [
    ("self-training", {"mix": "boxes"}, "--views 2"),
    ("self-training", {"colour": 0.1}, "--views 2"),
    ("self-training", {"blur": 2.0}, "--views 2"),
    ("self-training", {"supervise": "main"}, "--views 2"),
    ("x-task", {"supervise": "all"}, "--views 2"),
    ("x-task", {"learn_from": "predictions", "mapping_epochs": 3}, "learn_from: labels"),
    ("mtpsl", {"ssl_weight": 2.0}, "--with-ssl"),
    ("contrastive", {"ssl_distance": "loss"}, "--with-ssl"),
    ("discriminator", {"helpful_every": 3}, "helpful_pairs: true"),
    ("mtpsl", {"conditioning": "none", "film_rate": 1.0}, "conditioning: pair"),
    ("mtpsl", {"conditioning": "separate", "film_schedule": {"name": "step"}}, "conditioning"),
    *(
        (name, {"relations": {"normals-of-depth": 1.0}}, "--with-geometry")
        for name in ("mtpsl", "ssl", "teacher", "self-training")
    ),
    ("ssl", {"geometry_weight": 2.0}, "--with-geometry"),
]


@pytest.mark.parametrize(("name", "options", "how"), IDLE, ids=str)
def test_an_option_that_would_do_nothing_is_refused(
    name: str, options: dict[str, Any], how: str
) -> None:
    asked = {"method": {"name": name, "options": options}}
    with pytest.raises(UsageError, match=f"should go with {how}"):
        check_asked(resolve(asked), [asked])
    if how == "--views 2":
        check_asked(resolve(asked, {"views": {"count": 2}}), [asked])


def test_an_option_that_is_as_it_is_by_default_is_taken() -> None:
    options = {"mix": "none", "supervise": "all", "with_geometry": True, "geometry_weight": 2.0}
    asked = {"method": {"name": "self-training", "options": options}}
    check_asked(resolve(asked), [asked])
    geometry = {"method": {"name": "geometry", "options": {"geometry_weight": 2.0}}}
    check_asked(resolve(geometry), [geometry])


@pytest.mark.parametrize("views", [{"scales": [1.0, 2.0]}, {"flip": 0.5}], ids=str)
def test_how_further_views_are_made_is_refused_where_there_are_none(views: dict[str, Any]) -> None:
    asked = {"method": {"name": "sl"}, "views": views}
    with pytest.raises(UsageError, match=r"`views\.(scales|flip)` should go with --views 2"):
        check_asked(resolve(asked), [asked])
    check_asked(resolve(asked | {"views": {**views, "count": 2}}), [asked])


@pytest.mark.parametrize("name", all_recipes())
def test_recipes_are_taken_as_they_are(name: str) -> None:
    recipe = {**all_recipes()[name].config, "recipe": {"name": name}}
    check_asked(resolve(recipe), [recipe])


def test_a_run_of_before_goes_on_with_an_option_that_does_nothing(
    run: Train, layer: dict[str, Any], tmp_path: Path
) -> None:
    jtr = {"name": "jtr", "options": {"auto_encoder_width": 0.0625}}
    changes = {"method": jtr, "views": {"count": 1}, "holdout": 0.0}
    with pytest.raises(Killed):
        run(tmp_path / "run", watcher=KillAt(1), checkpoint_every=1, **changes)
    stored = tmp_path / "run" / "config.yaml"
    stored.write_text(stored.read_text().replace("colour: 0.0", "colour: 0.5"))
    prepare([], out=tmp_path / "run", mode="resume").data.store.close()
    jtr["options"]["colour"] = 0.5  # type: ignore[index]
    with pytest.raises(UsageError, match="`colour` should go with --views 2"):
        prepare([layer, changes], out=tmp_path / "new", mode="new")
