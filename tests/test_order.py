from __future__ import annotations

from pathlib import Path

from tests.order import HEAVY_FIRST, TESTS, rank


def test_the_folders_with_heavy_tests_come_first():
    files = [
        TESTS / "tools" / "test_demo.py",
        TESTS / "stacks" / "test_app.py",
        TESTS / "e2e" / "test_targets.py",
    ]
    assert sorted(files, key=rank) == files[::-1]


def test_every_folder_that_is_named_exists():
    assert all((TESTS / folder).is_dir() for folder in HEAVY_FIRST)


def test_a_file_of_somewhere_else_comes_last():
    assert rank(Path("/elsewhere/e2e/test_targets.py")) == len(HEAVY_FIRST)
