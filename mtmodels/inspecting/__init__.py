"""Run folders looked at, whether they go or are done. Nothing here needs torch."""

from mtmodels.inspecting.runs import Found, find_runs, look

__all__ = ["Found", "find_runs", "look"]
