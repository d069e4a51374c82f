"""Fixtures that all tests share."""

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared() -> Path:
    """Real data and golden numbers; a test that asks for it is skipped where they are absent."""
    folder = Path(__file__).resolve().parents[2] / "shared"
    if not (folder / "data" / "nyuv2").is_dir():
        pytest.skip(f"real data and golden numbers are not at {folder}")
    return folder
