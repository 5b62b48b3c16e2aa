from __future__ import annotations

import re
from pathlib import Path

import pytest
from aws_cdk import Annotations, App, Aws, Duration, Stack, assertions
from aws_cdk import aws_lambda as lambda_
from aws_cdk.assertions import Match, Template

from securityhub_actions import LoggedFunction
from securityhub_actions.function_environment import MUCH_ENVIRONMENT
from securityhub_actions.quotas import MAX_ENVIRONMENT

# The JSON around a value: {"NAME":"..."}.
AROUND = len('{"NAME":""}')


@pytest.fixture
def stack():
    return Stack(App(analytics_reporting=False), "Stack")


@pytest.fixture
def function(stack, tmp_path):
    (Path(tmp_path) / "code.py").write_text("def handle(event, context):\n    pass\n")
    return LoggedFunction(
        stack,
        "Function",
        description="Does nothing",
        code=lambda_.Code.from_asset(str(tmp_path)),
        handler="code.handle",
        timeout=Duration.seconds(5),
    )


def warnings(stack):
    return assertions.Annotations.from_stack(stack).find_warning("*", Match.any_value())


def test_what_is_not_ascii_counts_by_its_bytes(stack, function):
    function.add_environment("NAME", "ß" * 1_800)
    assert len(warnings(stack)) == 1


@pytest.mark.parametrize(("size", "warns"), [(3_276, 0), (3_277, 1), (MAX_ENVIRONMENT, 1)])
def test_from_80_percent_on_there_is_a_warning(stack, function, size, warns):
    function.add_environment("NAME", "x" * (size - AROUND))
    assert len(warnings(stack)) == warns


def test_more_than_lambda_allows_is_an_error_that_says_what_to_do(stack, function):
    function.add_environment("NAME", "x" * (MAX_ENVIRONMENT - AROUND + 1))
    with pytest.raises(RuntimeError, match=r"at least 4,097 bytes. Lambda allows 4,096. Put large values"):
        App.of(stack).synth()


def test_the_warning_can_be_acknowledged(stack, function):
    function.add_environment("NAME", "x" * 4_000)
    Annotations.of(function).acknowledge_warning(MUCH_ENVIRONMENT, "It won't grow.")
    assert warnings(stack) == []


def test_what_only_a_deployment_determines_counts_for_nothing(stack, function):
    for number in range(200):
        function.add_environment(f"N{number:03}", Aws.REGION)
    assert warnings(stack) == []


def test_a_variable_that_is_set_again_counts_once_and_the_function_has_all(stack, function):
    for value in ("x" * 3_000, "y" * 3_000):
        assert function.add_environment("NAME", value) is function
    Template.from_stack(stack).has_resource_properties(
        "AWS::Lambda::Function", {"Environment": {"Variables": {"NAME": "y" * 3_000}}}
    )
    assert re.search("MuchEnvironment", str(warnings(stack))) is None
