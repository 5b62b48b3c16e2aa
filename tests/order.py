"""The order in which the tests run."""

from __future__ import annotations

from pathlib import Path
from typing import Final

TESTS: Final = Path(__file__).resolve().parent
HEAVY_FIRST: Final = ("e2e", "examples", "stacks", "docs", "library")


def rank(file: Path) -> int:
    """Return where a file of tests comes: what takes longest first, so that no worker is left with it."""
    folder = file.relative_to(TESTS).parts[0] if file.is_relative_to(TESTS) else ""
    return HEAVY_FIRST.index(folder) if folder in HEAVY_FIRST else len(HEAVY_FIRST)
