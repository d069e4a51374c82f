"""Division where nothing may have been counted."""

import torch
from jaxtyping import Num
from torch import Tensor


def ratio(part: Num[Tensor, "*n"], whole: Num[Tensor, "*n"]) -> Num[Tensor, "*n"]:
    """Divide in float64; NaN where the whole is zero."""
    part, whole = part.double(), whole.double()
    return torch.where(
        whole > 0, part / whole.clamp(min=torch.finfo(torch.float64).tiny), torch.nan
    )
