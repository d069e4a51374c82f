"""Names for help texts are those of the registries."""

from mtmodels import names
from mtmodels.methods import METHODS
from mtmodels.metrics import METRICS
from mtmodels.networks import NETWORKS
from mtmodels.training.loop.schedules import SCHEDULES
from mtmodels.weightings import WEIGHTINGS


def test_names_are_those_of_the_registries() -> None:
    assert set(names.NETWORK_NAMES) == set(NETWORKS)
    assert set(names.METHOD_NAMES) == set(METHODS)
    assert set(names.WEIGHTING_NAMES) == set(WEIGHTINGS)
    assert set(names.PROTOCOL_NAMES) == set(METRICS)
    assert set(names.SCHEDULE_NAMES) == set(SCHEDULES)
    assert set(names.DEFAULT_TASKS) <= set(METHODS)


def test_a_method_trains_on_its_tasks_where_the_store_has_them() -> None:
    there = ("semantic", "depth", "normals")
    assert names.default_tasks("xtc", there) == ("semantic", "depth")
    assert names.default_tasks("xtc", ("depth", "edges")) == ("depth", "edges")
    assert names.default_tasks("sl", there) == there
