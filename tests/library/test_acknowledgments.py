"""What cdk-nag reports for the library's own resources is acknowledged, for its versions 2 and 3.

tests/library/targets/test_every_target.py synthesizes with cdk-nag 3.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from aws_cdk import App, Duration, Environment, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk.assertions import Annotations, Match, Template

from securityhub_actions import (
    CustomActionRule,
    DeadLetterQueue,
    ImportedFindingsRule,
    LoggedFunction,
    targets,
)
from securityhub_actions.acknowledgments import acknowledge
from tests.library.functions import new_function

ROOT = Path(__file__).resolve().parents[2]
CDK_NAG_2 = "cdk-nag==2.38.2"


@pytest.fixture
def stack():
    return Stack(App(), "Stack")


def suppressions(stack, resource_type):
    (resource,) = Template.from_stack(stack).find_resources(resource_type).values()
    return resource["Metadata"]["cdk_nag"]["rules_to_suppress"]


def test_cdk_nag_2_reads_a_suppression_in_the_metadata_of_the_resource(stack):
    DeadLetterQueue(stack, "Queue")
    (suppression,) = suppressions(stack, "AWS::SQS::Queue")
    assert suppression["id"] == "AwsSolutions-SQS3"
    assert "dead-letter queue" in suppression["reason"]


def test_the_finding_of_a_rule_is_named_in_what_it_applies_to(stack):
    role = iam.Role(stack, "Role", assumed_by=iam.ServicePrincipal("events.amazonaws.com"))
    for resource in ("a", "b"):
        acknowledge(role, id=f"AwsSolutions-IAM5[Resource::{resource}]", reason="Why")
    assert suppressions(stack, "AWS::IAM::Role") == [
        {"id": "AwsSolutions-IAM5", "reason": "Why", "applies_to": [f"Resource::{resource}"]}
        for resource in ("a", "b")
    ]


def test_what_another_check_reports_is_no_business_of_cdk_nags(stack):
    function = new_function(stack)
    acknowledge(function, id="cfn-lint::W3005", reason="Why")
    (resource,) = Template.from_stack(stack).find_resources("AWS::Lambda::Function").values()
    assert "cdk_nag" not in resource.get("Metadata", {})


def findings_of_cdk_nag_2():
    """Run in an interpreter that has cdk-nag 2: print what it reports for what the library creates."""
    from aws_cdk import Aspects  # noqa: PLC0415
    from cdk_nag import AwsSolutionsChecks  # noqa: PLC0415

    from tests.library.targets.test_every_target import EVERY_TARGET  # noqa: PLC0415

    app = App(analytics_reporting=False)
    Aspects.of(app).add(AwsSolutionsChecks())
    stack = Stack(app, "Stack", env=Environment(account="111122223333", region="eu-west-1"))
    function = LoggedFunction(
        stack,
        "Function",
        description="Handles findings",
        code=lambda_.Code.from_inline("def handle(event, context): ..."),
        handler="index.handle",
        timeout=Duration.minutes(1),
        tracing=True,
    )
    CustomActionRule(
        stack,
        "Press",
        action_id="Press",
        action_name="Press",
        description="Press",
        targets=[targets.LambdaFunction(function)],
    )
    for number, target in enumerate(EVERY_TARGET):
        ImportedFindingsRule(stack, f"Findings{number}", targets=[target(stack)])
    found = Annotations.from_stack(stack).find_error("*", Match.string_like_regexp("AwsSolutions-"))
    json.dump([f"{message.id}: {message.entry.data}" for message in found], sys.stdout)


@pytest.mark.long
def test_cdk_nag_2_reports_nothing_for_what_the_library_creates(tmp_path):
    uv = (sys.executable, "-m", "uv", "--no-config", "--quiet")
    install = [*uv, "pip", "install", "--no-deps", "--target", str(tmp_path), CDK_NAG_2]
    # Without the network if the cache has it.
    if subprocess.run([*install, "--offline"], capture_output=True, check=False).returncode:  # noqa: S603
        subprocess.run(install, check=True)  # noqa: S603
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", f"from {__name__} import findings_of_cdk_nag_2 as run; run()"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT), str(ROOT / "lambda")])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == []
