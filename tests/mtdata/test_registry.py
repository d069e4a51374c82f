"""A registry knows names without importing, and takes members of others."""

import subprocess
import sys

import pytest

from mtdata.errors import UnknownNameError
from mtdata.inspecting.suspicions import CHECKS
from mtdata.regimes import REGIMES
from mtdata.regimes.one import One
from mtdata.registry import Registry
from mtdata.sources import SOURCES
from mtmodels import ENCODERS, METHODS, METRICS, NETWORKS, WEIGHTINGS
from mtmodels.methods.parts.relations import RELATIONS
from mtmodels.training.loop import OPTIMISERS, SCHEDULES

FAMILIES = (
    SOURCES,
    REGIMES,
    NETWORKS,
    ENCODERS,
    METHODS,
    RELATIONS,
    WEIGHTINGS,
    METRICS,
    SCHEDULES,
    OPTIMISERS,
    CHECKS,
)


@pytest.mark.parametrize("registry", FAMILIES, ids=lambda registry: registry.family)
def test_every_member_is_where_it_says_and_of_its_family(registry: Registry[object]) -> None:
    assert len(registry) == len(list(registry)) > 1
    for name, member in registry.items():
        kind = member if isinstance(member, type) else type(member)
        assert issubclass(kind, registry.base), name
        assert registry[name] is member
    assert not registry.origins


def test_names_are_known_without_importing_members() -> None:
    code = (
        "import sys; from mtmodels.methods import METHODS; from mtdata.regimes import REGIMES;"
        "assert 'mtpsl' in METHODS and list(REGIMES)[0] == 'full' and len(METHODS) > 5;"
        "assert not {'torch', 'numpy'} & sys.modules.keys()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_wrong_name_tells_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match=r"no regime `imbalance`. Did you mean `imbalanced`"):
        REGIMES["imbalance"]
    assert REGIMES.get("imbalance") is None


def test_members_of_others_come_and_go() -> None:
    class Mine(One):
        name = "mine"

    REGIMES.add("mine", Mine, origin="mine.py")
    try:
        assert REGIMES["mine"] is Mine
        assert list(REGIMES)[-1] == "mine"
        assert REGIMES.origins == {"mine": "mine.py"}
    finally:
        REGIMES.remove("mine")
    assert "mine" not in REGIMES
    assert not REGIMES.origins
