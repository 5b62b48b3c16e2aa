"""Each threat names tests that exist, and says what remains."""

from __future__ import annotations

import ast
import re
from functools import cache

import pytest

from tests.docs.documents import DOCS

DOCUMENT = DOCS / "threat-model.md"
COLUMNS = ["Threat", "What stops it", "Proof", "What remains"]
TEST = re.compile(r"\[(test_\w+)\]\(([^)]+\.py)\)")


def sections():
    """The rows of the table of threats in each section that has one, by its heading."""
    found = {}
    for section in re.split(r"^## ", DOCUMENT.read_text(), flags=re.MULTILINE)[1:]:
        rows = [
            [cell.strip() for cell in line.strip("|").split(" | ")]
            for line in section.splitlines()
            if line.startswith("| ")
        ]
        if rows and rows[0] == COLUMNS:
            found[section.partition("\n")[0]] = rows[1:]
    return found


THREATS = [row for rows in sections().values() for row in rows]


@cache
def functions_of(path):
    return {node.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("threat", THREATS, ids=lambda row: row[0])
def test_each_threat_names_tests_that_exist(threat):
    _, _, proof, _ = threat
    named = TEST.findall(proof)
    assert named
    assert [name for name, path in named if name not in functions_of((DOCS / path).resolve())] == []


@pytest.mark.parametrize("threat", THREATS, ids=lambda row: row[0])
def test_each_threat_says_what_stops_it_and_what_remains(threat):
    _, stops, _, remains = threat
    assert stops
    assert remains


def test_every_kind_of_adversary_has_threats():
    assert list(sections()) == [
        "Someone imports forged findings",
        "A member account is compromised",
        "A tracker is compromised",
        "A webhook leaks",
        "The permission to press is stolen",
        "A dependency is poisoned",
    ]
