"""What goes together in a table of labels."""

from collections import Counter
from collections.abc import Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray


def count_pairs(tasks: Sequence[str], shown: NDArray[np.bool_]) -> dict[str, int]:
    """How many images show both tasks of each pair, as `semantic+depth`.

    Args:
        tasks: The names of the `t` tasks.
        shown: Which labels may be seen, `[n, t]`.
    """
    return {
        f"{tasks[a]}+{tasks[b]}": int((shown[:, a] & shown[:, b]).sum())
        for a, b in combinations(range(len(tasks)), 2)
    }


def count_sets(tasks: Sequence[str], shown: NDArray[np.bool_]) -> dict[str, int]:
    """How many images show exactly each set of tasks, the most frequent first; `none` for none.

    Args:
        tasks: The names of the `t` tasks.
        shown: Which labels may be seen, `[n, t]`.
    """
    names = ("+".join(np.array(tasks, object)[row]) or "none" for row in shown)
    return dict(Counter(names).most_common())
