"""The names of the package: what they load, and that type checkers and Python see the same."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

PACKAGES = ["securityhub_actions", "securityhub_actions.targets"]


def loaded_by(statement):
    """The modules of the CDK, jsii (which starts Node.js) and boto3 that a statement loads."""
    code = f"{statement}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    output = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout  # noqa: S603
    heavy = {"aws_cdk", "jsii", "constructs", "boto3"}
    return {name for name in json.loads(output) if name.partition(".")[0] in heavy}


@pytest.mark.parametrize("module", ["patterns", "filters", "patterns.analysis", "filters.finding_filter"])
def test_patterns_and_filters_need_neither_the_cdk_nor_node(module):
    assert loaded_by(f"import securityhub_actions.{module}") == set()


def test_the_filters_that_the_package_hands_on_need_neither_the_cdk_nor_node():
    assert loaded_by("from securityhub_actions import FindingFilter, OcsfFindingFilter, __version__") == set()


def test_a_construct_loads_the_cdk():
    assert "aws_cdk" in loaded_by("from securityhub_actions import CustomAction")


def names_for_type_checkers(package):
    tree = ast.parse(Path(import_module(package).__file__).read_text())
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    return {alias.name for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names}


@pytest.mark.parametrize("package", PACKAGES)
def test_the_names_are_the_same_for_type_checkers_for_python_and_in_all(package):
    module = import_module(package)
    public = set(module.__all__) - {"__version__"}
    assert names_for_type_checkers(package) == public
    assert public <= set(dir(module))
    for name in public:
        assert getattr(module, name).__name__.rpartition(".")[2] == name


@pytest.mark.parametrize("package", PACKAGES)
def test_a_name_that_is_not_there_is_an_attribute_error_that_names_it(package):
    with pytest.raises(AttributeError, match=rf"module '{package}' has no attribute 'Nonsense'"):
        getattr(import_module(package), "Nonsense")  # noqa: B009 - it is the access that is tested
