"""Scores under one protocol."""

from collections.abc import Iterable
from typing import Any

from mtdata.reading.batch import Batch
from mtmodels.scoring.evaluate import evaluate_under
from mtmodels.scoring.evaluation import Evaluation, Predict


def evaluate(
    predict: Predict, batches: Iterable[Batch], *, protocol: str = "mtpsl", **options: Any
) -> Evaluation:
    """Those of `evaluate_under`."""
    return evaluate_under([protocol], predict, batches, **options)[0]
