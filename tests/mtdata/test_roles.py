"""What a split is for: by its name, and as `tasks.yaml` says."""

import pytest

from mtdata.tasks.role import role_by_name


@pytest.mark.parametrize(
    ("split", "role"),
    [
        ("train", "train"),
        ("Training", "train"),
        ("train_extra", "train"),
        ("val", "val"),
        ("validation", "val"),
        ("dev", "val"),
        ("test", "test"),
        ("night", "test"),
    ],
)
def test_the_role_of_a_name(split: str, role: str) -> None:
    assert role_by_name(split) == role
