"""What a file says: which labels of which images."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Assignment:
    """Labels of images as a file names them.

    `labels` is `[n, t]`; `keys` None means that row i is the i-th image of the split. `lines` has
    the line of each key, where the file has lines.
    """

    keys: tuple[str, ...] | None
    tasks: tuple[str, ...]
    labels: NDArray[np.bool_]
    lines: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of_pairs(
        cls,
        pairs: Iterable[tuple[str, str]],
        *,
        keys: Iterable[str] = (),
        tasks: Iterable[str] = (),
        lines: Mapping[str, int] | None = None,
    ) -> "Assignment":
        """Make it of (key, task).

        Args:
            pairs: The labels.
            keys: Images that may have no label.
            tasks: Tasks that may have no label.
            lines: The line of each key.
        """
        cells = list(pairs)
        rows = {key: i for i, key in enumerate(dict.fromkeys([*keys, *(key for key, _ in cells)]))}
        columns = {
            task: t for t, task in enumerate(dict.fromkeys([*tasks, *(task for _, task in cells)]))
        }
        labels = np.zeros((len(rows), len(columns)), np.bool_)
        for key, task in cells:
            labels[rows[key], columns[task]] = True
        return cls(tuple(rows), tuple(columns), labels, lines or {})
