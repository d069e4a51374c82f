"""Predictions of a run on images of any size, written as files that others can read."""

from mtmodels.predicting.predict import predict

__all__ = ["predict"]
