"""The network of a run as a file that predicts without this package."""

from mtmodels.exporting.export import export
from mtmodels.exporting.forms import FORMS

__all__ = ["FORMS", "export"]
