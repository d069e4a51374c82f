"""The files of one image: the value of each task at each pixel, and pictures of all of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from mtdata import Classes, Task
from mtdata.errors import UsageError
from mtmodels.predicting.attention import DrawnMask, Masks, attention_picture
from mtmodels.predicting.folder import Folder
from mtmodels.predicting.formats import RAW, as_array, format_of, npy, raw_form, value_at
from mtmodels.predicting.mapped_picture import mapped_picture
from mtmodels.predicting.mapper import Mapper
from mtmodels.predicting.picture import picture

PICTURES = "pictures"
MAPPED = "mapped"
ATTENTION = "attention"


@dataclass(frozen=True)
class Writer:
    """Writes the predictions of some tasks.

    Args:
        folder: Where to.
        tasks: Which.
        raw: Whether to write what the network gave, too.
        pictures: Whether to draw image and predictions side by side.
        mapper: What maps predictions into joint spaces, to draw these maps, too; None for none.

    Raises:
        UsageError: where a task is called like a folder of ours.
    """

    folder: Folder
    tasks: tuple[Task, ...]
    raw: bool = False
    pictures: bool = True
    mapper: Mapper | None = None

    def __post_init__(self) -> None:
        for task in self.tasks:
            if task.name in (PICTURES, MAPPED, ATTENTION, RAW):
                raise UsageError(
                    f"a task should not be called `{task.name}`, as a folder of predictions is. "
                    "Leave it out with --tasks."
                )

    def write(
        self,
        name: str,
        image: NDArray[np.uint8],
        given: Mapping[str, Float[Tensor, "c h w"]],
        *,
        masks: Masks | None = None,
    ) -> dict[str, Any]:
        """Write all files of an image.

        Args:
            name: Its name.
            image: The image, `[h, w, 3]`; predictions are brought to its size.
            given: What the network gave for each task, at the size that it predicted at.
            masks: The masks of each task, to draw them, too; None for none.

        Returns:
            The `files` of each task and, where they are drawn, the `picture`, the `mapped` one and
            that of `attention`, as paths below the folder; where they are written, the `masks` of
            each task by their layers.

        Raises:
            MtdataError: where the disk is full or the folder cannot be written.
        """
        files: dict[str, list[str]] = {}
        labels = {}
        for task in self.tasks:
            value = value_at(task, given[task.name], (image.shape[0], image.shape[1]))
            contents = self._contents(task, name, value, given[task.name])
            files[task.name] = [self.folder.put(*item) for item in contents.items()]
            labels[task.name] = format_of(task).label(value)
        found: dict[str, Any] = {"files": files}
        if self.pictures:
            drawn = picture(name, image, self.tasks, labels)
            found["picture"] = self.folder.put(f"{PICTURES}/{name}.png", drawn)
        if self.mapper is not None:
            drawn = mapped_picture(name, image, mapper=self.mapper, given=given, labels=labels)
            found["mapped"] = self.folder.put(f"{MAPPED}/{name}.png", drawn)
        if masks is not None:
            size = given[self.tasks[0].name].shape[-2:]
            drawn = attention_picture(
                name, image, self.tasks, masks=masks, size=(size[0], size[1]), labels=labels
            )
            found["attention"] = self.folder.put(f"{ATTENTION}/{name}.png", drawn)
        if masks is not None and self.raw:
            found["masks"] = {
                task.name: {mask.layer: self._put(task, name, mask) for mask in masks[task.name]}
                for task in self.tasks
            }
        return found

    def _put(self, task: Task, name: str, mask: DrawnMask) -> str:
        """Write a mask as it is, at its own size."""
        place = f"{RAW}/{ATTENTION}/{task.name}/{mask.layer.replace(' ', '-')}/{name}.npy"
        return self.folder.put(place, npy(task, mask.values.numpy()))

    def _contents(
        self, task: Task, name: str, value: NDArray[Any], given: Float[Tensor, "c h w"]
    ) -> dict[str, bytes]:
        """The files of a task, by their paths."""
        contents = {
            form.place(task, name): form.encode(task, value) for form in format_of(task).forms(task)
        }
        if self.raw:
            form = raw_form(task)
            contents[form.place(task, name)] = form.encode(task, as_array(given))
        return contents

    def describe(self) -> dict[str, dict[str, Any]]:
        """For each task what it is, and what its files hold."""
        return {task.name: self._describe(task) for task in self.tasks}

    def _describe(self, task: Task) -> dict[str, Any]:
        facts: dict[str, Any] = {"kind": task.kind.name, "units": task.kind.units}
        if isinstance(task.kind, Classes):
            facts |= {"names": list(task.kind.names), "palette": [*map(list, task.kind.palette)]}
        forms = [*format_of(task).forms(task), *([raw_form(task)] if self.raw else [])]
        return facts | {"files": [form.to_json(task) for form in forms]}
