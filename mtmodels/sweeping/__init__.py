"""Many trainings from one plan: what they are, and who trains them."""

from mtmodels.sweeping.plan import Cell, Plan, read_plan
from mtmodels.sweeping.running import Job, Outcome, run_all

__all__ = ["Cell", "Job", "Outcome", "Plan", "read_plan", "run_all"]
