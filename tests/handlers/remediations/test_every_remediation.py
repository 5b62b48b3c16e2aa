from __future__ import annotations

from pathlib import Path

import pytest

from remediation.registry import all_remediations

HERE = Path(__file__).parent


@pytest.mark.parametrize("name", all_remediations())
def test_its_statements_are_proven_by_its_own_test(name):
    tests = (HERE / f"test_{name}.py").read_text()
    assert f'prove_statements("{name}"' in " ".join(tests.split()).replace("( ", "(")
