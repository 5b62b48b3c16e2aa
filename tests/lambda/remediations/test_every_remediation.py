from __future__ import annotations

from pathlib import Path

import pytest

from remediations.registry import all_remediations

HERE = Path(__file__).parent


@pytest.mark.parametrize("name", all_remediations())
def test_its_statements_are_proven_by_its_own_test(name):
    (tests,) = (path.read_text() for path in HERE.glob(f"*/test_{name}.py"))
    assert f'prove_statements("{name}"' in " ".join(tests.split()).replace("( ", "(")
