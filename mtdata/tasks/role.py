"""What a split of a data set is for."""

from typing import Literal

Role = Literal["train", "test"]
"""`train` is learnt from; `test` is scored and chooses nothing."""
