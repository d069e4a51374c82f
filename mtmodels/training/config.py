"""The configuration of a run: strict, frozen, and read to the last field."""

import math
import re
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, model_validator

from mtdata.urls import is_url, located
from mtmodels.options import WIDEST, as_tuple

MOST = 10**9
"""Of what is counted: more than any run has, and little enough to reckon with."""
Positive = Annotated[int, Field(ge=1, le=MOST)]
_EXPONENT = re.compile(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+")


def _names(value: Any) -> Any:
    """One name is a list of one."""
    return (value,) if isinstance(value, str) else as_tuple(value)


def _no_none(value: Any) -> Any:
    """The word `none` is null, which a flag has no other way to say."""
    return None if value == "none" else value


def _switch(value: Any) -> Any:
    """YAML reads `on` and `off` as truth values."""
    return {True: "on", False: "off"}.get(value, value) if isinstance(value, bool) else value


def _shown(value: Any) -> Any:
    """A URL without its secrets, which a process that was given them knows (`mtdata.urls`)."""
    return str(located(value)) if is_url(value) else value


def _scientific(value: Any) -> Any:
    """YAML reads `1e-4`, for want of a point, as text; in options it is meant as a number."""
    if isinstance(value, str) and _EXPONENT.fullmatch(value):
        return float(value)
    if isinstance(value, dict):
        return {key: _scientific(item) for key, item in value.items()}
    return [_scientific(item) for item in value] if isinstance(value, list) else value


def _float(value: Any) -> Any:
    """YAML reads `1e-4` as text and `1` as a whole number; both are meant as numbers here."""
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


FREE = frozenset(
    {
        "data",
        "device",
        "devices",
        "nodes",
        "workers",
        "cache",
        "compile",
        "log",
        "log_every",
        "checkpoint_every",
    }
)
"""What a resumed run may be given anew: none of it changes a weight beyond its last digits, but for
the number of processes, which the configuration then says."""

Options = Annotated[dict[str, JsonValue], BeforeValidator(_scientific)]
Number = Annotated[float, BeforeValidator(_float), Field(allow_inf_nan=False)]
Scale = Annotated[Number, Field(ge=1, lt=math.inf)]
Names = Annotated[tuple[str, ...] | None, BeforeValidator(_names)]


class Part(BaseModel):
    """What all parts of the configuration share."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, validate_default=True)


class NetworkPart(Part):
    """Which network, and how wide."""

    name: str = "unet"
    width: Annotated[Number, Field(gt=0, le=WIDEST)] = 1.0
    encoder_weights: Annotated[str | None, BeforeValidator(_no_none)] = None
    options: Options = {}

    @property
    def label(self) -> str:
        """What it is called in tables and folders: its name, with its encoder if it has a choice.

        So `unet` on ResNet-18 is `unet-resnet18`, as it was called in version 0.1.
        """
        encoder = self.options.get("encoder")
        whole = encoder is None or self.name.endswith(f"-{encoder}")
        return self.name if whole else f"{self.name}-{encoder}"


class MethodPart(Part):
    """Which method, with its own options."""

    name: str = "sl"
    options: Options = {}


class WeightingPart(Part):
    """Which weighting of the tasks, with its own options."""

    name: str = "equal"
    options: Options = {}


class OptimizerPart(Part):
    """What makes a step of a gradient, with its own options."""

    name: str = "adam"
    options: Options = {}


class SchedulePart(Part):
    """How the learning rate goes over the run, with its own options."""

    name: str = "constant"
    options: Options = {}


class AugmentationPart(Part):
    """What is done to a training sample before it is seen; see `mtdata.reading.augment`."""

    flip: Annotated[Number, Field(ge=0, le=1)] = 0.5
    scales: Annotated[tuple[Number, ...], BeforeValidator(as_tuple), Field(min_length=1)] = (
        1.0,
        1.2,
        1.5,
    )
    continuous: bool = False
    rotate: Annotated[Number, Field(ge=0, le=180)] = 0.0
    photometric: bool = False
    paper_geometry: bool = False


class ViewsPart(Part):
    """How many views of a batch a method sees, and how the others are made of the first.

    A method may have its own idea of how a view of its own is made.
    """

    count: Annotated[int, Field(ge=1, le=100)] | None = None
    scales: Annotated[tuple[Scale, ...], BeforeValidator(as_tuple), Field(min_length=1)] = (
        1.0,
        1.2,
        1.5,
    )
    flip: Annotated[Number, Field(ge=0, le=1)] = 0.0


class RecipePart(Part):
    """The recipe that a run began with, and what keeps its scores apart from the published ones."""

    name: str | None = None
    scale: Annotated[Number, Field(gt=0, le=1)] = 1.0
    misfits: Annotated[tuple[str, ...], BeforeValidator(as_tuple)] = ()

    @property
    def apart(self) -> tuple[str, ...]:
        """Why scores of the run do not stand for the row of the recipe; empty where they may."""
        scaled = () if self.scale == 1 else (f"--scale {self.scale:g} of the recipe",)
        return (*scaled, *self.misfits)


class Config(Part):
    """All that decides how a run goes.

    Raises:
        pydantic.ValidationError: for a key or a value that cannot be.
    """

    data: Annotated[str | None, BeforeValidator(_shown)] = None
    size: Annotated[tuple[Positive, Positive] | None, BeforeValidator(as_tuple)] = None
    regime: str | None = None
    filled_anyway: bool = False
    tasks: Names = None
    network: NetworkPart = NetworkPart()
    method: MethodPart = MethodPart()
    weighting: WeightingPart = WeightingPart()
    epochs: Positive = 15
    steps: Positive | None = None
    start: Literal["mean", "random"] = "random"
    batch: Positive = 8
    accumulate: Positive = 1
    lr: Annotated[Number, Field(gt=0)] = 1e-4
    optimizer: OptimizerPart = OptimizerPart()
    schedule: SchedulePart = SchedulePart()
    gradient_clip: Annotated[Number, Field(gt=0)] | None = None
    augmentation: AugmentationPart = AugmentationPart()
    views: ViewsPart = ViewsPart()
    keep_unlabelled: bool = False
    labelled_share: Annotated[Number, Field(gt=0, lt=1)] | None = None
    seed: Annotated[int, Field(ge=0, lt=2**64)] = 0
    holdout: Annotated[Number, Field(ge=0, lt=1)] = 0.0
    select: Literal["last", "holdout", "val", "paper"] | None = None
    train_on: Names = None
    select_on: Names = None
    score_on: Names = None
    protocol: str = "mtpsl"
    precision: Literal["auto", "32", "bf16", "16"] = "auto"
    device: Literal["auto", "cpu", "cuda"] = "auto"
    devices: Positive = 1
    nodes: Positive = 1
    sync_norm: bool = False
    workers: Annotated[int, Field(ge=0, le=1024)] | None = None
    cache: Literal["none", "memory", "device"] = "none"
    compile: Annotated[Literal["auto", "on", "off"], BeforeValidator(_switch)] = "off"
    log: Annotated[tuple[str, ...], BeforeValidator(_names)] = ()
    log_every: Positive = 10
    checkpoint_every: Positive | None = None
    plugins: Annotated[tuple[str, ...], BeforeValidator(_names)] = ()
    recipe: RecipePart = RecipePart()

    @model_validator(mode="before")
    @classmethod
    def _of_before(cls, given: Any) -> Any:
        """Configurations of version 0.1 had the betas of Adam as a key of their own."""
        if not isinstance(given, dict) or "betas" not in given:
            return given
        rest = {key: value for key, value in given.items() if key != "betas"}
        part = dict(rest.get("optimizer") or {})
        part["options"] = {"betas": given["betas"], **(part.get("options") or {})}
        return {**rest, "optimizer": part}

    @model_validator(mode="after")
    def _one_length(self) -> "Config":
        if self.steps is not None and "epochs" in self.model_fields_set:
            raise ValueError("a length should be given in `epochs` or in `steps`; found both")
        return self

    @model_validator(mode="after")
    def _parts_of_one_size(self) -> "Config":
        if self.batch % self.accumulate:
            raise ValueError(
                f"`batch` should be divisible by `accumulate`, the parts that a step is computed "
                f"in; found {self.batch} and {self.accumulate}"
            )
        if self.batch // self.accumulate % self.processes:
            raise ValueError(
                f"`batch`, all images of a step, should be divisible by `devices` x `nodes`, the "
                f"processes that share it{' and `accumulate`' if self.accumulate > 1 else ''}; "
                f"found {self.batch} images for {self.processes} processes"
                f"{f' in {self.accumulate} parts' if self.accumulate > 1 else ''}"
            )
        return self

    @model_validator(mode="after")
    def _selection_has_its_data(self) -> "Config":
        if self.select == "holdout" and self.holdout == 0:
            raise ValueError("`select: holdout` should come with `holdout` above 0; found 0")
        return self

    @property
    def held_share(self) -> float:
        """The share of the training images that training does not see.

        Runs of before took a `holdout` beside `select: paper`, and kept nothing away.
        """
        return 0.0 if self.select == "paper" else self.holdout

    @property
    def processes(self) -> int:
        """How many processes train together."""
        return self.devices * self.nodes

    @property
    def images_at_once(self) -> int:
        """Images that a process sees in one pass."""
        return self.batch // self.accumulate // self.processes

    def to_dict(self) -> dict[str, Any]:
        """The configuration as plain values, as YAML and JSON have them.

        `epochs` is left out where `steps` says how long the run is.
        """
        values = self.model_dump(mode="json")
        if self.steps is not None:
            del values["epochs"]
        return values

    def to_yaml(self) -> str:
        """The configuration as a YAML document."""
        return yaml.safe_dump(self.to_dict(), sort_keys=False)
