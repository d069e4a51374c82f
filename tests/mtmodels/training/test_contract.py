"""What members of one's own give is looked at where it is taken, before anything is trained."""

from pathlib import Path
from typing import Any

import pytest
import torch

from cli.mttrain import mttrain
from cli.shared.common import run as run_command
from mtdata.errors import PluginError, UsageError
from mtdata.plugins import load_plugin
from mtmodels.errors import DivergedError, MemberError, OutputError
from mtmodels.metrics import METRICS
from mtmodels.training.loop.watcher import Watcher
from mtmodels.training.record.runlog import read_rows
from mtmodels.training.run import fit, plan, prepare
from tests.mtmodels.scoring.scored import evaluate
from tests.runs.batches import SIX, random_batch
from tests.runs.plugin_files import NETWORK, REST, write
from tests.runs.small_run import as_arguments

LAST = (
    "        return Output({t.name: kind_model(t).activation(x) for t, x in raw.items()}, features)"
)
FORWARDS = {
    "one class more": (
        'raw["semantic"] = F.pad(raw["semantic"], (0, 0, 0, 0, 0, 1))',
        r"`Tiny` should predict `semantic` as \[3, 5, 32, 64\] for 3 images of 32x64; found "
        r"\[3, 6, 32, 64\]",
    ),
    "two depths": (
        'raw["depth"] = raw["depth"].repeat(1, 2, 1, 1)',
        r"`depth` as \[3, 1, 32, 64\].*found \[3, 2, 32, 64\]",
    ),
    "no depth": ('del raw["depth"]', r"should predict `depth`; it predicts `semantic`\."),
    "half size": (
        "raw = {t: x[..., ::2, ::2] for t, x in raw.items()}",
        r"\[3, 5, 32, 64\].*found \[3, 5, 16, 32\]",
    ),
    "one row": (
        "features, raw = features[:1], {t: x[:1] for t, x in raw.items()}",
        r"found \[1, 5, 32, 64\]",
    ),
    "a plain dict": ("return raw", r"should give an `Output` \(mtmodels.Output\); found dict\."),
}


def started(layer: dict[str, Any], out: Path, **changes: Any) -> None:
    """Train for two steps, with a log that tells whether there was one."""
    job = prepare([layer, {"steps": 2, "holdout": 0, **changes}], out=out, mode="new")
    fit(job, mode="new", arguments=[], watcher=Watcher())


@pytest.mark.parametrize("what", FORWARDS)
def test_a_network_that_does_not_fit_its_tasks_trains_no_step(
    what: str, layer: dict[str, Any], tmp_path: Path
) -> None:
    line, told = FORWARDS[what]
    given = "Output({t: x for t, x in raw.items()}, features)"
    text = NETWORK.replace("{task: self", "{task.name: self").replace(
        LAST, f"        {line}\n        return {given}"
    )
    own = {
        "plugins": [str(write(tmp_path, text))],
        "network": {"name": "tiny"},
        "method": {"name": "sl"},
    }
    with pytest.raises(OutputError, match=told):
        started(layer, tmp_path / "run", **own)
    assert (tmp_path / "run" / "metrics.jsonl").read_text() == ""
    with pytest.raises(OutputError, match=told):
        plan(prepare([layer, own], out=None, mode=None))


def test_predictions_of_another_number_of_channels_are_not_scored() -> None:
    batch = random_batch(SIX[:1], 2, (32, 32))
    logits = torch.zeros(2, SIX[0].channels + 1, 32, 32)
    with pytest.raises(OutputError, match=r"`predicted` should predict `semantic` as \[2, "):
        evaluate(_named(lambda image: {"semantic": logits}), [batch], tasks=SIX[:1])
    metric = METRICS["mtpsl"].of(SIX[0])(SIX[0])
    with pytest.raises(ValueError, match="channel"):
        metric.update(logits, batch.labels["semantic"], batch.valid["semantic"])


def _named(function: Any) -> Any:
    function.__name__ = "predicted"
    return function


METHOD = """
import torch
from mtmodels import METHODS as OURS, WEIGHTINGS as THEIRS, Terms

SL, Equal = OURS["sl"], THEIRS["equal"]


class Own(SL):
    summary = "sl, and something else"

    def forward(self, views, *, progress, rng):
        terms = super().forward(views, progress=progress, rng=rng)
        return {0}


class Heavy(Equal):
    summary = "equal, and something else"

    def backward(self, terms, shared, backward):
        total = sum(terms.tasks.values())
        {1}

    def weights(self):
        return {2}


METHODS = {{"own": Own}}
WEIGHTINGS = {{"heavy": Heavy}}
"""
GOOD = (
    "terms",
    "backward(total); return total.detach()",
    "{t: torch.tensor(1.0) for t in self.tasks}",
)
TERM = "next(iter(terms.tasks.values()))"
GIVEN = {
    "nothing": (0, "None", MemberError, r"method `own` should give `Terms`.*found NoneType\."),
    "detached": (
        0,
        "Terms({t: x.detach() for t, x in terms.tasks.items()})",
        MemberError,
        "should make terms that the network can learn from",
    ),
    "another task": (
        0,
        f'terms + Terms({{"mystery": {TERM}}})',
        MemberError,
        r"tasks of the network in `tasks` of its terms, semantic, depth; found `mystery`",
    ),
    "another owner": (
        0,
        f'terms + Terms(auxiliary={{"x": {TERM}}}, owners={{"x": "dpeth"}})',
        MemberError,
        "in `owners` of its terms.*found `dpeth`",
    ),
    "an owner without a term": (
        0,
        'terms + Terms(owners={"x": "depth"})',
        MemberError,
        "auxiliary term for each name in `owners`; found `x`",
    ),
    "a term twice": (
        0,
        f'terms + Terms(tasks={{"semantic": {TERM}}})',
        ValueError,
        "names of their own in `tasks`; found `semantic` in both",
    ),
    "no term": (0, "Terms()", MemberError, "should make a term in some of its steps"),
    "NaN": (
        0,
        f'terms + Terms(auxiliary={{"x": {TERM} * float("nan")}})',
        DivergedError,
        r"loss `x` should be finite.*; a lower --lr often helps. Or look at the method `own` of "
        r"the plug-in ",
    ),
    "a gradient of NaN": (
        1,
        'backward(total * float("nan")); return total.detach()',
        DivergedError,
        r"The gradient should be finite.*and the weighting `heavy` of the plug-in ",
    ),
    "no total": (
        1,
        "backward(total)",
        MemberError,
        "weighting `heavy` should return the total.*No",
    ),
    "nothing backwards": (1, "return total.detach()", MemberError, "send the total backwards"),
    "a list of weights": (
        2,
        "[1.0]",
        MemberError,
        r"a dict of task to number.*found list, \[1.0\]",
    ),
}


GIVEN |= {
    "some weights": (
        2,
        '{"semantic": 1.0}',
        MemberError,
        r"a finite number for each task from `weights`, semantic, depth; found \{'sem",
    ),
    "weights of NaN": (
        2,
        '{t: float("nan") for t in self.tasks}',
        MemberError,
        "a finite number for each task",
    ),
    "auxiliary terms left out": (
        0,
        f'terms + Terms(auxiliary={{"x": {TERM} * 2}})',
        MemberError,
        r"weighting `heavy` should send the auxiliary terms backwards.*of `x`\. Add",
    ),
}


def own_members(folder: Path, place: int = -1, text: str = "") -> dict[str, Any]:
    """A configuration with a method and a weighting of one's own, of which one does `text`."""
    filled = [text if at == place else good for at, good in enumerate(GOOD)]
    return {
        "plugins": [str(write(folder, METHOD.format(*filled)))],
        "method": {"name": "own"},
        "weighting": {"name": "heavy"},
        "precision": "32",
        "device": "cpu",
    }


@pytest.mark.filterwarnings("ignore:::torch")
@pytest.mark.parametrize("what", GIVEN)
def test_what_a_member_gives_is_looked_at_where_it_is_taken(
    what: str, layer: dict[str, Any], tmp_path: Path
) -> None:
    place, text, error, told = GIVEN[what]
    with pytest.raises(error, match=told):
        started(layer, tmp_path / "run", **own_members(tmp_path, place, text))


def test_weights_may_be_tensors(layer: dict[str, Any], tmp_path: Path) -> None:
    started(layer, tmp_path / "run", **own_members(tmp_path), log_every=1)
    rows = read_rows(tmp_path / "run" / "metrics.jsonl", "step")
    assert rows[0]["weights"] == {"semantic": 1.0, "depth": 1.0}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{}["depth"]', "KeyError: 'depth'. Add --debug"),
        ('Terms(auxiliary={"x": torch.ones(1)})', "should be a scalar; found [1]. Add --debug"),
    ],
)
def test_an_error_says_where_in_a_plug_in_it_came_from(
    text: str, told: str, layer: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = {**layer, **own_members(tmp_path, 0, text), "steps": 2, "holdout": 0}
    del own["epochs"]
    assert run_command(mttrain, [*as_arguments(own), "--out", str(tmp_path / "run")]) == 1
    said = " ".join(capsys.readouterr().err.split())
    line = METHOD.format(*GOOD).splitlines().index("        return terms") + 1
    assert f"Error: mine.py, line {line} (method `own`): " in said
    assert told in said


SCORES = {
    "text": ('"novelty": 1.0', '"novelty": "much"', "with numbers; found 'much' as `novelty`"),
    "not declared": ('"novelty": 1.0', '"news": 1.0', "found `news`"),
    "an error": (
        "return {**super",
        "raise KeyError(3); return {**super",
        "failed with KeyError: 3",
    ),
}


@pytest.mark.parametrize("what", SCORES)
def test_a_metric_is_tried_before_the_first_step(
    what: str, layer: dict[str, Any], tmp_path: Path
) -> None:
    old, new, told = SCORES[what]
    plugins = [str(write(tmp_path, REST.replace(old, new)))]
    with pytest.raises(UsageError, match=f"metric `Bias` of protocol `mine`.*{told}"):
        started(layer, tmp_path / "run", plugins=plugins, protocol="mine")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('"depth": Bias}', '"depth": int}', "a class of mtmodels.Metric for `depth`; found <class"),
        ('"depth": Bias}', '"depth": "nomod:X"}', "found 'nomod:X'"),
        ('"depth": Bias}', '"depth": Metric}', "lacks update"),
        ('"novelty": True}', '"abs_err": True}', "should say False of `abs_err`"),
        ('better = {**PooledDepth.better, "novelty": True}', "better = None", "say in `better`"),
    ],
)
def test_a_protocol_of_what_is_no_metric_is_not_loaded(
    old: str, new: str, told: str, tmp_path: Path
) -> None:
    with pytest.raises(PluginError, match=f"line .*the protocol `mine` .*{told}"):
        load_plugin(write(tmp_path, REST.replace(old, new)))


GROUP = "ParameterGroup(list(self.network.parameters()))"
STAGE = f"Stage('NAME', 1, self.forward, lambda: [{GROUP}])"
HOOKS = {
    "no group": ("parameter_groups", "[]", UsageError, "in `parameter_groups`; found none"),
    "a group twice": ("parameter_groups", f"[{GROUP}] * 2", UsageError, "one more than once"),
    "no groups": ("parameter_groups", "None", UsageError, "`own`: `parameter_groups`.*found None"),
    "no groups in a stage": (
        "stages",
        f"[{STAGE.replace(GROUP, '')}]",
        MemberError,
        "method `own` cannot learn: each parameter that learns.*found none",
    ),
    "no stage": ("stages", "[1]", UsageError, r"a list of `Stage`.*found \[1\]"),
    "a stage twice": (
        "stages",
        f"[{STAGE}] * 2",
        UsageError,
        r"method `own`: a stage should have a name of its own.*found 'NAME' twice",
    ),
    "a stage in a folder": (
        "stages",
        f"[{STAGE.replace('NAME', 'a/b')}]",
        UsageError,
        "found 'a/b'",
    ),
    "no epoch": ("stages", f"[{STAGE.replace('1', '0')}]", UsageError, "1 epoch or more; found 0"),
}


@pytest.mark.parametrize("what", HOOKS)
def test_what_a_hook_gives_is_looked_at_where_it_is_taken(
    what: str, layer: dict[str, Any], tmp_path: Path
) -> None:
    hook, given, error, told = HOOKS[what]
    own = own_members(tmp_path)
    text = METHOD.format(*GOOD).replace(
        "    def forward", f"    def {hook}(self):\n        return {given}\n\n    def forward"
    )
    write(tmp_path, f"from mtmodels.methods.base import ParameterGroup, Stage\n{text}")
    with pytest.raises(error, match=told):
        started(layer, tmp_path / "run", **own)


RELATION = """
from mtmodels.methods.parts.relations.base import Relation


class Own(Relation):
    summary, needs = "depth is 1", "`semantic` and `depth`"

    @classmethod
    def holds(cls, given, learns):
        return (given.name, learns.name) == ("semantic", "depth")

    def loss(self, scene):
        loss, counts = (scene.prediction - 1).abs()[:, 0], scene.inside
        return GIVEN


RELATIONS = {"own": Own}
"""


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("loss", r"found float32 \[\d, 32, 64\]\."),
        ("loss.mean(), counts", r"found float32 \[\] and bool \[\d, 32, 64\]"),
        ("loss, None", "and NoneType"),
        ("loss, counts.float()", "and float32"),
    ],
)
def test_a_relation_gives_a_loss_and_which_pixels_count(
    given: str, told: str, layer: dict[str, Any], tmp_path: Path
) -> None:
    changes = {
        "plugins": [str(write(tmp_path, RELATION.replace("GIVEN", given)))],
        "method": {"name": "geometry", "options": {"relations": {"own": 1.0}}},
        "regime": "one",
        "precision": "32",
    }
    with pytest.raises(MemberError, match=f"relation `own` should give from `loss` .*{told}"):
        started(layer, tmp_path / "run", **changes)


MAPS = {
    "no width": ("feature_channels = 4", "", UsageError, "`feature_channels` should be a whole"),
    "no stride": ("feature_stride = 1", "", UsageError, "`feature_stride` should be a whole"),
    "another width": (
        "feature_channels = 4",
        "feature_channels = 5",
        MemberError,
        r"`features` of \[3, 5, 32, 64\] for 3 images.*`feature_stride`; found \[3, 4, 32, 64\]",
    ),
    "another stride": ("feature_stride = 1", "feature_stride = 2", MemberError, "`features` of"),
}


@pytest.mark.parametrize("what", MAPS)
def test_features_are_as_the_network_says(what: str, layer: dict[str, Any], tmp_path: Path) -> None:
    old, new, error, told = MAPS[what]
    plugins = [str(write(tmp_path, NETWORK.replace(f"    {old}\n", f"    {new}\n")))]
    changes = {"network": {"name": "tiny"}, "method": {"name": "sl"}}
    with pytest.raises(error, match=told):
        started(layer, tmp_path / "run", plugins=plugins, **changes)


ENCODER = """
from torch import nn
from mtmodels import Encoder


class Own(Encoder):
    summary = "five convolutions"
    reference = "none"
    channels = (8, 8, 8, 8, 8)
    strides = (2, 4, 8, 16, 32)

    def __init__(self, *, width=1.0, weights=None, dilated=False):
        super().__init__(width=width, weights=weights, dilated=dilated)
        self.layers = nn.ModuleList(nn.Conv2d(c, 8, 3, 2, 1) for c in (3, 8, 8, 8, 8))

    def forward(self, image):
        maps = []
        for layer in self.layers:
            image = layer(image)
            maps.append(image)
        return tuple(maps)


ENCODERS = {"own": Own}
"""
ENCODED = {
    "as it says": ("own", "own", ""),
    "other strides": ("(2, 4, 8, 16, 32)", "(4, 8, 16, 32, 32)", "`Own` should give a map for"),
    "other channels": ("(8, 8, 8, 8, 8)", "(8, 8, 8, 8, 4)", "`Own` should give a map for each"),
    "one map": ("tuple(maps)", "maps[-1]", "found Tensor"),
    "no channels": ("    channels", "    c", "the encoder `own` should say the `channels`"),
    "no weights": (
        ", weights=None, dilated=False):",
        "):",
        r"made of \(width=..., weights=..., dil",
    ),
}


@pytest.mark.parametrize("what", ENCODED)
def test_maps_are_as_the_encoder_says(what: str, layer: dict[str, Any], tmp_path: Path) -> None:
    old, new, told = ENCODED[what]
    changes = {
        "plugins": [str(write(tmp_path, ENCODER.replace(old, new)))],
        "network": {"name": "unet", "options": {"encoder": "own"}},
        "method": {"name": "sl"},
    }
    if not told:
        started(layer, tmp_path / "run", **changes)
        return
    with pytest.raises((MemberError, UsageError), match=told):
        started(layer, tmp_path / "run", **changes)


FACTORS = ("float('nan')", "-1.0", "None", "'a'", "float('inf')")


@pytest.mark.parametrize("given", FACTORS)
def test_a_schedule_gives_a_factor(given: str, layer: dict[str, Any], tmp_path: Path) -> None:
    plugins = [str(write(tmp_path, REST.replace("return self.share", f"return {given}")))]
    with pytest.raises(MemberError, match="schedule `part` should give a factor of 0 or more"):
        started(layer, tmp_path / "run", plugins=plugins, schedule={"name": "part"})


FLAT = "[p for g in groups for p in g['params']]"
OPTIMISERS = {
    "None": "an optimiser of torch in `make`; found NoneType",
    f"torch.optim.SGD({FLAT}, lr=lr)": "hold the groups .* found 1",
    f"torch.optim.LBFGS({FLAT}, lr=lr)": "`closure`",
}


@pytest.mark.parametrize("given", OPTIMISERS)
def test_an_optimiser_holds_the_groups_that_it_is_given(
    given: str, layer: dict[str, Any], tmp_path: Path
) -> None:
    make = f"    def make(self, groups, *, lr, fused):\n        return {given}\n"
    text = REST.replace('    summary = "sgd by another name"\n', f"    summary = ''\n\n{make}")
    plugins = [str(write(tmp_path, f"import torch\n{text}"))]
    changes = {"weighting": {"name": "uncertainty"}, "optimizer": {"name": "again"}}
    with pytest.raises(MemberError, match=f"optimiser `again` should .*{OPTIMISERS[given]}"):
        started(layer, tmp_path / "run", plugins=plugins, **changes)


@pytest.mark.parametrize("given", ["self.shared.parameters()", "self.shared"])
def test_shared_parameters_are_a_list(given: str, layer: dict[str, Any], tmp_path: Path) -> None:
    text = NETWORK.replace("list(self.shared.parameters())", given)
    plugins = [str(write(tmp_path, text))]
    with pytest.raises(MemberError, match="`tiny` should give a list of parameters from `shared_"):
        started(layer, tmp_path / "run", plugins=plugins, network={"name": "tiny"})


def test_a_protocol_of_ones_own_chooses_no_epoch_without_a_score_that_may(
    layer: dict[str, Any], tmp_path: Path
) -> None:
    text = REST.replace('"classes": PooledClasses, "depth": Bias', '"classes": New, "depth": New')
    text = text.replace("METHODS =", f"{NEW}\n\nMETHODS =")
    own = {"plugins": [str(write(tmp_path, text))], "protocol": "mine", "holdout": 0.3}
    with pytest.raises(
        UsageError, match=r"the protocol `mine` has none of these\. Give --select l"
    ):
        started(layer, tmp_path / "run", **own, select="holdout")
    assert not (tmp_path / "run").exists()


NEW = """
class New(Metric):
    better = {"novelty": True}

    def update(self, prediction, label, valid):
        pass

    def compute(self):
        return {"novelty": 1.0}
"""


def test_a_method_that_cannot_be_called_is_not_loaded(tmp_path: Path) -> None:
    text = METHOD.format(*GOOD).replace("(self, views, *, progress, rng)", "(self, views)")
    with pytest.raises(PluginError, match=r"`forward\(self, views, progress=..., rng=...\)`"):
        load_plugin(write(tmp_path, text))
