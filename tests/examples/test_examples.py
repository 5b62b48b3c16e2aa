from __future__ import annotations

import re

import pytest

from tests.examples.running import EXAMPLES

NAMES = sorted(path.name for path in EXAMPLES.iterdir() if (path / "app.py").exists())
each_example = pytest.mark.parametrize("name", NAMES)


def test_the_readme_lists_every_example():
    readme = (EXAMPLES / "README.md").read_text()
    assert sorted(re.findall(r"^\| \[(\w+)\]\(\1/README\.md\)", readme, re.MULTILINE)) == NAMES


@each_example
def test_an_example_has_a_readme_and_a_test_that_deploys_it(name):
    assert (EXAMPLES / name / "README.md").exists()
    test = (EXAMPLES.parent / "tests" / "examples" / f"test_{name}.py").read_text()
    assert "pytest.mark.long" in test
    assert "deploy" in test
