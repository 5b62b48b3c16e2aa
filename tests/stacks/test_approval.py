from __future__ import annotations

import json

import pytest
from aws_cdk.assertions import Match, Template

from stacks.approval import PARAMETERS, STEP
from stacks.remediation import RemediationStack

LEADS = ["arn:aws:iam::111122223333:role/SecurityLead", "arn:aws:iam::111122223333:user/oncall"]
APPROVAL = {
    "enabled": True,
    "approvers": LEADS,
    "minimum_approvals": 2,
    "hours": 8,
    "remediations": ["s3_public_access"],
    "controls": ["EC2.19"],
    "accounts": ["444455556666", "ou-abcd-12345678"],
    "emails": ["leads@example.com"],
}


@pytest.fixture(scope="module")
def template(new_app, environment, remediation_settings):
    settings = remediation_settings(approval=APPROVAL)
    stack = RemediationStack(new_app(), "Remediation", settings=settings, env=environment)
    return Template.from_stack(stack)


def only(template, kind):
    (resource,) = template.find_resources(kind).values()
    return resource["Properties"]


def logical_id(template, kind, **properties):
    (found,) = template.find_resources(kind, {"Properties": properties})
    return found


@pytest.fixture(scope="module")
def function(template):
    (found,) = [
        one["Properties"]
        for one in template.find_resources("AWS::Lambda::Function").values()
        if one["Properties"].get("Handler") == "functions.remediate.handler.handle"
    ]
    return found


def test_as_shipped_nothing_needs_approval(new_app, environment, remediation_settings):
    stack = RemediationStack(new_app(), "Remediation", settings=remediation_settings(), env=environment)
    template = Template.from_stack(stack)
    template.resource_count_is("AWS::SSM::Document", 0)
    assert "APPROVAL" not in json.dumps(template.to_json())


def test_only_the_approvers_can_approve_and_as_many_of_them_as_it_takes_and_not_forever(template):
    document = only(template, "AWS::SSM::Document")
    assert (document["DocumentType"], document["UpdateMethod"]) == ("Automation", "NewVersion")
    (step,) = document["Content"]["mainSteps"]
    assert (step["name"], step["action"], step["onFailure"]) == (STEP, "aws:approve", "Abort")
    assert (step["inputs"]["Approvers"], step["inputs"]["MinRequiredApprovals"]) == (LEADS, 2)
    assert step["timeoutSeconds"] == 8 * 3600


def test_the_request_names_everything_that_the_function_passes(template):
    content = only(template, "AWS::SSM::Document")["Content"]
    message = content["mainSteps"][0]["inputs"]["Message"]
    assert set(content["parameters"]) == set(PARAMETERS)
    shown = {name for name in PARAMETERS if f"{{{{ {name} }}}}" in message}
    assert shown == set(PARAMETERS) - {"Request"}


def test_the_function_starts_only_this_runbook_and_can_approve_nothing(template):
    name = {"Ref": logical_id(template, "AWS::SSM::Document")}
    statements = [
        statement
        for policy in template.find_resources("AWS::IAM::Policy").values()
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
    ]
    (start,) = [one for one in statements if one["Action"] == "ssm:StartAutomationExecution"]
    definitions = [one for one in start["Resource"] if "automation-execution" not in json.dumps(one)]
    assert len(definitions) == 2
    assert all(name in one["Fn::Join"][1] for one in definitions)
    assert "SendAutomationSignal" not in json.dumps(statements)
    (passed,) = [one for one in statements if one["Action"] == "iam:PassRole"]
    assert passed["Condition"] == {"StringEquals": {"iam:PassedToService": "ssm.amazonaws.com"}}
    role = logical_id(
        template, "AWS::IAM::Role", Description="Lets the runbook for approvals publish its requests"
    )
    assert passed["Resource"] == {"Fn::GetAtt": [role, "Arn"]}


def test_the_runbook_can_only_publish_to_the_topic_whose_name_begins_as_systems_manager_wants_it(template):
    role = logical_id(
        template, "AWS::IAM::Role", Description="Lets the runbook for approvals publish its requests"
    )
    template.has_resource_properties(
        "AWS::IAM::Policy",
        {
            "Roles": [{"Ref": role}],
            "PolicyDocument": {
                "Statement": [
                    {"Action": "sns:Publish", "Effect": "Allow", "Resource": {"Ref": Match.any_value()}}
                ]
            },
        },
    )
    assert only(template, "AWS::SNS::Topic")["TopicName"] == "Automation-Remediation"
    assert only(template, "AWS::SNS::Subscription")["Endpoint"] == "leads@example.com"


def test_the_function_knows_what_needs_approval_and_hears_of_decisions_in_two_ways(template, function):
    variables = function["Environment"]["Variables"]
    assert variables["APPROVAL_REMEDIATIONS"] == "s3_public_access"
    assert variables["APPROVAL_CONTROLS"] == "EC2.19"
    assert variables["APPROVAL_ACCOUNTS"] == "444455556666,ou-abcd-12345678"
    assert variables["APPROVAL_HOURS"] == "8"
    name = {"Ref": logical_id(template, "AWS::SSM::Document")}
    assert variables["APPROVAL_RUNBOOK"] == name
    template.has_resource_properties(
        "AWS::Events::Rule",
        {"EventPattern": Match.object_like({"detail": Match.object_like({"Definition": [name]})})},
    )
    template.has_resource_properties("AWS::Events::Rule", {"ScheduleExpression": "rate(1 hour)"})


def test_an_alarm_finds_what_the_hourly_run_leaves_to_the_next_one(template):
    pattern = '{ $.message = "Decision left to the next hourly run" }'
    (filter_,) = template.find_resources(
        "AWS::Logs::MetricFilter", {"Properties": {"FilterPattern": pattern}}
    ).values()
    (metric,) = filter_["Properties"]["MetricTransformations"]
    template.has_resource_properties(
        "AWS::CloudWatch::Alarm",
        {
            "MetricName": metric["MetricName"],
            "Namespace": metric["MetricNamespace"],
            "Period": 3600,
            "EvaluationPeriods": 3,
            "DatapointsToAlarm": 2,
        },
    )


def test_units_in_the_accounts_are_looked_up(template):
    assert "organizations:ListParents" in json.dumps(template.find_resources("AWS::IAM::Policy"))


def test_the_snapshot_is_what_was_reviewed(template, snapshot, without_asset_hashes):
    resources = template.to_json()["Resources"]
    new = {name: one for name, one in resources.items() if name.startswith("Approval")}
    assert without_asset_hashes(new) == snapshot


def test_the_template_passes_every_check(new_checked_app, environment, remediation_settings):
    an_app = new_checked_app()
    settings = remediation_settings(approval=APPROVAL)
    RemediationStack(an_app, "Remediation", settings=settings, env=environment)
    an_app.synth()
