"""Where a configuration comes from: defaults < recipe < flags < `--set a.b=c`."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from mtdata.errors import SampleError, UsageError, should_be
from mtdata.sources.files.files import read_text
from mtdata.yaml_text import YamlError, load_yaml
from mtmodels.training.config import Config

Layer = Mapping[str, Any]
"""A part of a configuration as plain values; keys that it lacks are left as they are."""


def resolve(*layers: Layer) -> Config:
    """Lay one layer over the other and check the result.

    Raises:
        UsageError: naming the first key or value that cannot be.
    """
    merged: dict[str, Any] = {}
    for layer in layers:
        merged = merge(_without_length(merged, layer), layer)
    try:
        return Config.model_validate(merged)
    except ValidationError as error:
        raise UsageError(_explain(error)) from None


def _without_length(below: Layer, above: Layer) -> Layer:
    """Leave out the epochs where the layer above says steps, and the other way round."""
    other = {"steps": "epochs", "epochs": "steps"}
    gone = {other[key] for key in other if above.get(key) is not None} - above.keys()
    return {key: value for key, value in below.items() if key not in gone}


def merge(below: Layer, above: Layer) -> dict[str, Any]:
    """Lay `above` over `below`, part by part.

    A part that names another member (another method) drops the options that were below it: they
    belong to the member that was.
    """
    result = dict(below)
    for key, value in above.items():
        old = result.get(key)
        if isinstance(value, Mapping) and isinstance(old, Mapping):
            if "name" in value and value["name"] != old.get("name", value["name"]):
                old = {k: v for k, v in old.items() if k != "options"}
            result[key] = merge(old, value)
        else:
            result[key] = dict(value) if isinstance(value, Mapping) else value
    return result


def named_plugins(layers: Sequence[Layer]) -> list[str]:
    """The plug-ins that some parts of a configuration name, all of them: no part hides another's.

    Raises:
        UsageError: where they are no names.
    """
    named = [resolve({"plugins": layer["plugins"]}) for layer in layers if "plugins" in layer]
    return list(dict.fromkeys(name for config in named for name in config.plugins))


def parse_set(assignments: Sequence[str]) -> dict[str, Any]:
    """Read what `--set` was given: `a.b=c`, where c is YAML.

    Raises:
        UsageError: where an assignment has no `=` or its value is not YAML.
    """
    layer: dict[str, Any] = {}
    for assignment in assignments:
        path, equals, text = assignment.partition("=")
        if not equals or not path.strip("."):
            raise UsageError(f"`--set` should be given key=value; found `{assignment}`.")
        try:
            value = load_yaml(text)
        except YamlError as error:
            raise UsageError(
                f"`--set {path}` should be given YAML; found `{text[:80]}`: {error.what}."
            ) from None
        for key in reversed(path.split(".")):
            value = {key: value}
        layer = merge(layer, value)
    return layer


def read_layer(path: Path) -> dict[str, Any]:
    """Read a configuration file.

    Raises:
        UsageError: where it is missing or holds no mapping.
    """
    try:
        layer = load_yaml(read_text(path))
    except SampleError as error:
        raise UsageError(str(error)) from None
    except YamlError as error:
        raise UsageError(error.at(path)) from None
    if not isinstance(layer, dict):
        raise UsageError(f"{path} should hold keys and values; found {type(layer).__name__}.")
    return layer


def _explain(error: ValidationError) -> str:
    """Say what the first problem is; for an unknown key, name the nearest known one."""
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    if first["type"] == "too_short":
        least = first["ctx"]["min_length"]
        return f"`{where}` should hold {least} value or more; found {first['input']!r}."
    if first["type"] != "extra_forbidden":
        name = f"`{where}`{':' * (first['type'] == 'value_error')} " if where else ""
        named = first["type"] == "model_type" and isinstance(first["input"], str)
        return f"{name}{should_be(first)}.{f' Give it as `{where}.name`.' if named else ''}"
    known = _known_keys(first["loc"][:-1])
    near = get_close_matches(str(first["loc"][-1]), known, n=1, cutoff=0.5)
    hint = f" Did you mean `{near[0]}`?" if near else ""
    return f"There is no key `{where}`.{hint} Known: {', '.join(known)}."


def _known_keys(loc: Sequence[Any]) -> list[str]:
    part: type[BaseModel] = Config
    for key in loc:
        annotation = part.model_fields[str(key)].annotation
        assert isinstance(annotation, type)
        assert issubclass(annotation, BaseModel)
        part = annotation
    return list(part.model_fields)
