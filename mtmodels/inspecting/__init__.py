"""Run folders looked at, whether they go or are done. None but a card needs torch."""

from mtmodels.inspecting.runs import Found, find_runs, look

__all__ = ["Found", "find_runs", "look"]
