"""What a split of a data set is for."""

from typing import Literal, get_args

Role = Literal["train", "val", "test"]
"""`train` is learnt from, `val` chooses among epochs, `test` is scored and chooses nothing."""

ROLES: tuple[Role, ...] = get_args(Role)


def role_by_name(split: str) -> Role:
    """The role of a split of one's own that says none: by the first letters of its name."""
    for role in ("train", "val"):
        if split.lower().startswith(role):
            return role
    return "val" if split.lower() == "dev" else "test"
