"""What holds for every file of the project, which no other tool checks."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("constructs", "stacks", "lambda", "emulator", "tools", "benchmarks", "examples")
SOURCES = sorted(
    [
        *ROOT.glob("*.py"),
        *(
            path
            for folder in FOLDERS
            for path in (ROOT / folder).rglob("*.py")
            if not path.name.startswith("test_")
        ),
    ]
)
# One class for each operator of EventBridge, which belong together.
LONG = {"constructs/securityhub_actions/patterns/conditions.py"}
MOST_LINES = 400


def name_of(path):
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", [path for path in SOURCES if name_of(path) not in LONG], ids=name_of)
def test_a_file_is_short_enough_to_read(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MOST_LINES


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_a_constant_is_final(path):
    assigned = [
        node for node in ast.parse(path.read_text(encoding="utf-8")).body if isinstance(node, ast.Assign)
    ]
    names = [target.id for node in assigned for target in node.targets if isinstance(target, ast.Name)]
    assert [name for name in names if re.fullmatch(r"_?[A-Z][A-Z0-9_]+", name)] == []


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_a_docstring_calls_its_links_sources(path):
    assert re.findall(r"^\s*See:.*", path.read_text(encoding="utf-8"), re.MULTILINE) == []
