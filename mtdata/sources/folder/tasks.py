"""The form of `tasks.yaml`: what lies where in a folder of one's own, and what it means."""

import re
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    model_validator,
)

from mtdata.sources.folder.annotations import FORMATS
from mtdata.sources.folder.annotations.base import WholeFormat
from mtdata.sources.folder.matching import IMAGE_SUFFIXES, LABEL_SUFFIXES, Pattern
from mtdata.tasks.kinds import Binary, Classes, Depth, Kind, Normals
from mtdata.tasks.palette import distinct
from mtdata.tasks.role import Role
from mtdata.tasks.task import TASK_ORDER, Task

AXES = {"right": (0, 1), "left": (0, -1), "up": (1, 1), "down": (1, -1), "towards": (2, 1),
        "away": (2, -1)}  # fmt: skip
"""Directions as seen in the image: which of our axes (x right, y up, z towards), and its sign."""
NAME = re.compile(r"[A-Za-z][\w-]*")


def _colour(value: Any) -> Any:
    """`[255, 0, 0]`, `"#ff0000"` or `"255, 0, 0"`."""
    if isinstance(value, str):
        if re.fullmatch(r"#[0-9a-fA-F]{6}", value):
            return tuple(bytes.fromhex(value[1:]))
        if re.fullmatch(r"\s*\d+\s*,\s*\d+\s*,\s*\d+\s*", value):
            return tuple(map(int, value.split(",")))
        raise ValueError('a colour should be [255, 0, 0] or "#ff0000"')
    return tuple(value) if isinstance(value, list) else value


def _number(value: Any) -> Any:
    """YAML reads `1e-3`, for want of a point, as text."""
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value


METRES = {"mm": 0.001, "millimetres": 0.001, "millimeters": 0.001, "cm": 0.01, "km": 1000}
"""Units of length that are a scale of metres."""


def _unit(value: Any) -> Any:
    if isinstance(value, str) and value in METRES:
        raise ValueError(f"for {value} say `units: m` and `scale: {METRES[value]:g}`")
    return value


def _listed(value: Any) -> Any:
    """One value in place of a list of one."""
    return [value] if isinstance(value, (int, float, str)) else value


def _pattern(suffixes: tuple[str, ...], *, any_suffix: bool) -> Any:
    def check(text: str) -> str:
        suffix = Pattern(text).suffix
        if suffix not in suffixes and not (any_suffix and suffix == ".*"):
            raise ValueError(f"a pattern should end in {' or '.join(suffixes)}")
        return text

    return AfterValidator(check)


def _name(text: str) -> str:
    if NAME.fullmatch(text) is None:
        raise ValueError("a name should be letters, digits, - and _, a letter first")
    return text


def _below(text: str) -> str:
    Pattern(f"{text}/{{stem}}")
    return text


Byte = Annotated[int, Field(ge=0, le=255)]
Colour = Annotated[tuple[Byte, Byte, Byte], BeforeValidator(_colour)]
Number = Annotated[float, Field(allow_inf_nan=False), BeforeValidator(_number)]
Name = Annotated[str, AfterValidator(_name)]
Below = Annotated[str, AfterValidator(_below)]
ImageFiles = Annotated[str, _pattern(IMAGE_SUFFIXES, any_suffix=True)]
LabelFiles = Annotated[str, _pattern(LABEL_SUFFIXES, any_suffix=False)]
Invalid = Literal["refuse", "void"]
Unlabelled = Literal["refuse", "skip", "keep"]
Axis = Literal["right", "left", "up", "down", "towards", "away"]


class Part(BaseModel):
    """What all parts of the file share."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


COLOURED = (".png", ".tif", ".tiff", ".bmp")
"""How files end whose colours may stand for classes."""


class NamedClasses(Part):
    """What each form of classes has: their names, and perhaps colours to draw them in."""

    kind: Literal["classes"]
    files: str
    classes: list[str] | dict[str, Colour]

    @property
    def names(self) -> list[str]:
        """Names of the classes, in the order of their ids."""
        return list(self.classes)

    @model_validator(mode="after")
    def _each_once(self) -> "NamedClasses":
        if not 2 <= len(self.names) <= 254 or len(set(self.names)) != len(self.names):
            raise ValueError("`classes` should be 2 to 254 names, each once")
        return self

    def to_kind(self) -> Kind:
        """Classes with the given colours, or with some that are easy to tell apart."""
        given = tuple(self.classes.values()) if isinstance(self.classes, dict) else None
        return Classes(tuple(self.names), given or distinct(len(self.names)))


class ClassesFile(NamedClasses):
    """Class ids, or colours that stand for classes."""

    files: LabelFiles
    encoding: Literal["ids", "colours"] = "ids"
    ids: dict[int, str] | None = None
    colours: dict[Colour, str] | None = None
    void: Annotated[list[int] | list[Colour] | None, BeforeValidator(_listed)] = None
    unlisted: Invalid = "refuse"

    @model_validator(mode="after")
    def _agree(self) -> "ClassesFile":
        coded = self.encoding == "colours"
        if coded and self.colours is None and isinstance(self.classes, list):
            raise ValueError("`encoding: colours` needs a colour for each of `classes`")
        if coded and (self.ids or not self.files.lower().endswith(COLOURED)):
            raise ValueError("`encoding: colours` goes with PNG, TIFF or BMP and without `ids`")
        if not coded and self.colours:
            raise ValueError("`colours` goes with `encoding: colours`")
        for name in [*(self.ids or {}).values(), *(self.colours or {}).values()]:
            if name not in self.names:
                raise ValueError(f"`{name}` is none of the names in `classes`")
        if any(isinstance(value, tuple) != coded for value in self.void or ()):
            raise ValueError("`void` should be " + ("colours" if coded else "whole numbers"))
        given = self.colours if coded else self.ids
        if both := {*(given or ())} & {*(self.void or ())}:
            raise ValueError(f"`{min(both)}` should stand for a class or be `void`, not both")
        return self

    def table(self) -> dict[Any, int]:
        """The class of each value or colour of the file."""
        place = {name: number for number, name in enumerate(self.names)}
        if self.colours is not None:
            return {colour: place[name] for colour, name in self.colours.items()}
        if self.encoding == "colours" and isinstance(self.classes, dict):
            return {colour: place[name] for name, colour in self.classes.items()}
        if self.ids is not None:
            return {value: place[name] for value, name in self.ids.items()}
        return {number: number for number in place.values()}


def _format(name: str) -> str:
    return name if name in FORMATS else FORMATS[name].name  # which says what there is


class AnnotatedFile(NamedClasses):
    """Classes drawn as shapes in an annotation tool."""

    format: Annotated[str, AfterValidator(_format)]
    labels: dict[str, str] = {}
    void: list[str] = []
    unlisted: Literal["refuse", "void", "skip"] = "refuse"
    uncovered: str = "void"
    unannotated: Literal["missing", "uncovered"] = "missing"
    order: Literal["listed", "larger-first"] = "listed"
    crowd: Literal["draw", "void"] = "draw"

    @property
    def whole(self) -> bool:
        """Whether one file is of many images, and names them."""
        return issubclass(FORMATS[self.format], WholeFormat)

    @model_validator(mode="after")
    def _agree(self) -> "AnnotatedFile":
        suffix = FORMATS[self.format].suffix
        if not self.files.lower().endswith(suffix):
            raise ValueError(f"`files` of {self.format} should end in {suffix}")
        # One file for all images, or for a split, has no {stem}: a path below the folder.
        fields = Pattern(f"{self.files}/{{stem}}" if self.whole else self.files).fields
        if self.whole and ("*" in self.files or set(fields) - {"split", "stem"}):
            raise ValueError(f"`files` of {self.format} should be a path, with {{split}} at most")
        for name in self.labels.values():
            if name not in self.names:
                raise ValueError(f"`{name}` is none of the names in `classes`")
        if self.uncovered not in (*self.names, "void"):
            raise ValueError("`uncovered` should be void or one of `classes`")
        if self.uncovered == "void" and self.unannotated == "uncovered":
            raise ValueError("`unannotated: uncovered` needs a class that is `uncovered`")
        return self

    def table(self) -> dict[str, int]:
        """The class of each label; -1 for those that mean nothing."""
        place = {name: number for number, name in enumerate(self.names)}
        given = {label: place[name] for label, name in self.labels.items()}
        return place | given | dict.fromkeys(self.void, -1)


class BinaryFile(Part):
    """On or off at each pixel."""

    kind: Literal["binary"]
    files: LabelFiles
    ones: Annotated[list[int], BeforeValidator(_listed)] = [1, 255]
    zeros: Annotated[list[int], BeforeValidator(_listed)] = [0]
    threshold: Number | None = None
    void: Annotated[list[int], BeforeValidator(_listed)] = []

    @model_validator(mode="after")
    def _agree(self) -> "BinaryFile":
        listed = [*self.void] if self.threshold is not None else [
            *self.ones, *self.zeros, *self.void]  # fmt: skip
        if len(set(listed)) != len(listed):
            raise ValueError("a value should stand in one of `ones`, `zeros` and `void` only")
        return self

    def to_kind(self) -> Kind:
        """Binary."""
        return Binary()


class DepthFile(Part):
    """Depth or inverse depth: value x scale + offset, in `units`."""

    kind: Literal["depth"]
    files: LabelFiles
    units: Annotated[Literal["m", "1/m", "px", "disparity"], BeforeValidator(_unit)] = "m"
    scale: Annotated[Number, Field(gt=0)] | None = None
    offset: Number = 0.0
    void: Annotated[list[Number], BeforeValidator(_listed)] = [0]
    invalid: Invalid = "refuse"

    @property
    def integers(self) -> bool:
        """Whether the file's integers are kept as they are: the store calls 0 void as well."""
        return self.files.lower().endswith(".png") and 0 in self.void

    @model_validator(mode="after")
    def _agree(self) -> "DepthFile":
        if self.scale is None and self.files.lower().endswith(".png"):
            raise ValueError("a PNG needs `scale`, units a step: 0.001 for millimetres")
        return self

    def to_kind(self) -> Kind:
        """Depth in the units of the file."""
        if not self.integers:
            return Depth(unit=self.units)
        return Depth(unit=self.units, dtype="uint16", scale=self.scale or 1.0, offset=self.offset)


class NormalsFile(Part):
    """Unit vectors: (n + 1) / 2 in a PNG, or as they are in a `.npy`."""

    kind: Literal["normals"]
    files: LabelFiles
    axes: Annotated[list[Axis], Field(min_length=3, max_length=3)] = ["right", "up", "towards"]
    invalid: Invalid = "refuse"

    @model_validator(mode="after")
    def _agree(self) -> "NormalsFile":
        if {AXES[axis][0] for axis in self.axes} != {0, 1, 2}:
            raise ValueError(
                "`axes` should name one each of right or left, up or down, towards or away"
            )
        return self

    def to_kind(self) -> Kind:
        """Normals."""
        return Normals()


ArrayFile = ClassesFile | BinaryFile | DepthFile | NormalsFile
"""Labels that lie in files pixel by pixel."""
TaskFile = ArrayFile | AnnotatedFile
TASK_FILES: dict[str, type[Part]] = {
    "classes": ClassesFile, "binary": BinaryFile, "depth": DepthFile, "normals": NormalsFile
}  # fmt: skip
ANNOTATED = "classes with `format`"
"""What errors of pydantic call an `AnnotatedFile`: it shares its kind with `ClassesFile`."""


def _form(task: Any) -> Any:
    """Which of the classes above an entry of `tasks` is."""
    given = dict(task) if isinstance(task, (dict, Part)) else {}
    kind = given.get("kind")
    return ANNOTATED if kind == "classes" and "format" in given else kind


class Splits(Part):
    """Which images belong to which split; one of the three ways."""

    lists: dict[Name, Below] | None = None
    fraction: Annotated[Number, Field(gt=0, lt=1)] | None = None
    folders: dict[Name, str] | None = None
    seed: int = 0
    roles: dict[Name, Role] = Field(default_factory=dict)
    absent: Literal["refuse", "skip"] = "refuse"

    @model_validator(mode="after")
    def _one(self) -> "Splits":
        given = [self.lists, self.fraction, self.folders]
        if sum(way is not None for way in given) != 1 or {} in given:
            raise ValueError("`splits` should have one of `lists`, `fraction` and `folders`")
        names = self.lists or self.folders or {"train": "", "test": ""}
        for name in self.roles:
            if name not in names:
                raise ValueError(
                    f"`splits.roles` should name splits that there are, {', '.join(names)}; found "
                    f"{name}"
                )
        return self


class TasksFile(Part):
    """All of `tasks.yaml`."""

    images: ImageFiles
    exif: Literal["apply", "ignore"] | None = None
    unlabelled: Unlabelled = "refuse"
    splits: Splits | None = None
    tasks: Annotated[
        dict[
            Name,
            Annotated[
                Annotated[ClassesFile, Tag("classes")]
                | Annotated[AnnotatedFile, Tag(ANNOTATED)]
                | Annotated[BinaryFile, Tag("binary")]
                | Annotated[DepthFile, Tag("depth")]
                | Annotated[NormalsFile, Tag("normals")],
                Discriminator(_form),
            ],
        ],
        Field(min_length=1),
    ]

    @model_validator(mode="after")
    def _agree(self) -> "TasksFile":
        fields = set(Pattern(self.images).fields)
        if (self.splits is not None and self.splits.folders is not None) != ("split" in fields):
            raise ValueError(
                "`splits: {folders: ...}` and {split} in the pattern of `images` go together"
            )
        for name, task in self.tasks.items():
            if isinstance(task, AnnotatedFile) and task.whole:
                if "{split}" in task.files and "split" not in fields:
                    raise ValueError(f"`tasks.{name}.files` has {{split}} and `images` has not")
                continue
            found = set(Pattern(task.files).fields)
            if found - {"split"} != fields - {"split"} or found - fields:
                raise ValueError(
                    f"`tasks.{name}.files` should have the braces of `images`: {self.images}"
                )
        return self

    def to_tasks(self) -> tuple[Task, ...]:
        """The tasks, those that have a place in `TASK_ORDER` first."""
        order = {name: place for place, name in enumerate(TASK_ORDER)}
        names = sorted(self.tasks, key=lambda name: order.get(name, len(order)))
        return tuple(Task(name, self.tasks[name].to_kind()) for name in names)
