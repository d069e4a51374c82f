"""What is known about one task: its name and its kind of label."""

from dataclasses import dataclass
from typing import Any

from mtdata.tasks.kinds import Kind, kind_from_json

TASK_ORDER = ("semantic", "depth", "normals", "parts", "saliency", "edges")


@dataclass(frozen=True)
class Task:
    """One dense prediction task.

    Args:
        name: One of `TASK_ORDER`, or a name of the user's own.
        kind: Everything that depends on the kind of label.
    """

    name: str
    kind: Kind

    @property
    def channels(self) -> int:
        """Channels of a prediction."""
        return self.kind.channels

    def to_json(self) -> dict[str, Any]:
        """The task as JSON."""
        return {"name": self.name, **self.kind.to_json()}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "Task":
        """Build a task from what `to_json` gave."""
        options = dict(value)
        return cls(options.pop("name"), kind_from_json(options))
