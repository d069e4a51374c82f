"""The forms that a network is written in, each with what opens the file again."""

import json
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.export import ExportedProgram

from mtdata.errors import UsageError
from mtmodels.errors import ExportError
from mtmodels.exporting.graph import INPUT, Predict, first_line

EXTRA_FILE = "mtpartial.json"
"""The extra file of a `torch.export` program that holds the facts."""
OPSET = 18
"""Runtimes since 2023 read it."""
AXES = ("batch", None, "height", "width")


@dataclass(frozen=True)
class Form:
    """A form of file.

    Args:
        suffix: What its files end in.
        needs: The packages that it takes, all of the extra `export`.
        write: Writes a graph with its facts.
        open: Opens a file to predict with.
    """

    suffix: str
    needs: tuple[str, ...]
    write: Callable[[ExportedProgram, Mapping[str, Any], Path], None]
    open: Callable[[Path, Mapping[str, Any]], Predict]

    def check(self, name: str) -> None:
        """Refuse where a package is missing.

        Raises:
            UsageError: naming it.
        """
        missing = [package for package in self.needs if find_spec(package) is None]
        if missing:
            raise UsageError(
                f"the form `{name}` should have its extra installed; there is no package "
                f"`{missing[0]}` here. Run: pip install 'mtpartial[export]'"
            )


def _write_onnx(program: ExportedProgram, facts: Mapping[str, Any], path: Path) -> None:
    import onnx

    outputs = list(facts["outputs"])
    with _quiet():
        try:
            made = torch.onnx.export(
                program,
                dynamo=True,
                input_names=[INPUT],
                output_names=outputs,
                opset_version=OPSET,
                verbose=False,
            )
            assert made is not None
            model = made.model_proto
        except Exception as error:  # of the exporter, of whatever kind
            raise ExportError(
                "the network should have a form in ONNX; torch cannot find it: "
                f"{first_line(error)} --format torch needs none."
            ) from error
    # Sizes in between are expressions of the exporter's own, which a runtime finds itself; and its
    # notes on where a node comes from are half of a small file.
    del model.graph.value_info[:]
    for noted in (model.graph, *model.graph.node, *model.graph.input, *model.graph.output):
        del noted.metadata_props[:]
    for value in (*model.graph.input, *model.graph.output):
        for axis, name in zip(value.type.tensor_type.shape.dim, AXES, strict=True):
            if name is not None:
                axis.dim_param = name
    model.producer_name, model.producer_version = "mtpartial", version("mtpartial")
    told = {key: v if isinstance(v, str) else json.dumps(v) for key, v in facts.items()}
    onnx.helper.set_model_props(model, told)
    onnx.checker.check_model(model)
    onnx.save(model, path)


def _open_onnx(path: Path, facts: Mapping[str, Any]) -> Predict:
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]

    def predict(image: Tensor) -> dict[str, Tensor]:
        found = session.run(names, {INPUT: image.numpy()})
        return {name: torch.from_numpy(one) for name, one in zip(names, found, strict=True)}

    return predict


def _write_torch(program: ExportedProgram, facts: Mapping[str, Any], path: Path) -> None:
    with path.open("wb") as file:
        torch.export.save(program, file, extra_files={EXTRA_FILE: json.dumps(facts)})


def _open_torch(path: Path, facts: Mapping[str, Any]) -> Predict:
    extra = {EXTRA_FILE: ""}
    with path.open("rb") as file:
        module = torch.export.load(file, extra_files=extra).module()
    assert json.loads(extra[EXTRA_FILE]) == facts
    return module


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporter's advice to its own authors from the user."""
    logger = logging.getLogger("onnx_ir")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)


FORMS: dict[str, Form] = {
    "onnx": Form(".onnx", ("onnx", "onnxscript", "onnxruntime"), _write_onnx, _open_onnx),
    "torch": Form(".pt2", (), _write_torch, _open_torch),
}
