from __future__ import annotations

import json

import pytest
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_ssm as ssm

from securityhub_actions import targets

INSTANCE = events.EventField.from_path("$.detail.findings[0].Resources[0].Id")


@pytest.fixture
def assume_role(stack):
    return iam.Role(stack, "RunbookRole", assumed_by=iam.ServicePrincipal("ssm.amazonaws.com"))


def arn(stack, account, resource):
    return stack.resolve(f"arn:{stack.partition}:ssm:us-east-1:{account}:{resource}")


def definition(stack, account, name):
    return arn(stack, account, f"automation-definition/{name}")


@pytest.mark.parametrize("runbook", ["AWS-StopEC2Instance", "Isolate"])
def test_the_default_version_of_the_runbook_is_started(stack, send, target_of, runbook):
    send(targets.Automation(runbook))
    assert target_of(stack)["Arn"] == definition(stack, "111122223333", f"{runbook}:$DEFAULT")


@pytest.mark.parametrize("version", ["$LATEST", "1", "12"])
def test_another_version_can_be_started(stack, send, target_of, version):
    send(targets.Automation("Isolate", version=version))
    assert target_of(stack)["Arn"] == definition(stack, "111122223333", f"Isolate:{version}")


@pytest.mark.parametrize("version", ["", "0", "v1", "LATEST"])
def test_what_is_no_version_is_an_error(version):
    with pytest.raises(ValueError, match=f"version {version!r} is not valid"):
        targets.Automation("Isolate", version=version)


def test_a_runbook_of_this_app_can_be_given_itself(stack, send, target_of):
    runbook = ssm.CfnDocument(stack, "Isolate", content={}, document_type="Automation")
    send(targets.Automation(runbook))
    _, parts = target_of(stack)["Arn"]["Fn::Join"]
    assert parts[-2:] == [stack.resolve(runbook.ref), ":$DEFAULT"]


def test_parameters_are_lists_of_texts_as_systems_manager_wants_them(stack, send, target_of):
    send(targets.Automation("Isolate", parameters={"Mode": "soft", "Groups": ["a", "b"]}))
    assert json.loads(target_of(stack)["Input"]) == {"Mode": ["soft"], "Groups": ["a", "b"]}


def test_without_parameters_the_runbook_gets_none_instead_of_the_event(stack, send, target_of):
    send(targets.Automation("Isolate"))
    assert target_of(stack)["Input"] == "{}"


def test_a_parameter_can_come_from_the_event(stack, send, target_of):
    send(targets.Automation("Isolate", parameters={"InstanceId": INSTANCE}))
    transformer = target_of(stack)["InputTransformer"]
    ((variable, path),) = transformer["InputPathsMap"].items()
    assert path == "$.detail.findings[0].Resources[0].Id"
    assert transformer["InputTemplate"] == f'{{"InstanceId":[<{variable}>]}}'


def test_a_field_of_the_event_inside_a_longer_text_is_an_error():
    with pytest.raises(ValueError, match="InstanceId has an event field inside a longer string"):
        targets.Automation("Isolate", parameters={"InstanceId": f"{INSTANCE} now"})


def test_the_role_may_start_this_runbook_only(stack, send, permissions_of):
    send(targets.Automation("Isolate"))
    assert permissions_of(stack) == [
        {
            "Effect": "Allow",
            "Action": "ssm:StartAutomationExecution",
            "Resource": [
                definition(stack, "111122223333", "Isolate:$DEFAULT"),
                arn(stack, "111122223333", "document/Isolate"),
                arn(stack, "111122223333", "automation-execution/*"),
            ],
        }
    ]


def test_the_role_may_start_a_runbook_of_aws_under_both_of_its_names(stack, send, permissions_of):
    send(targets.Automation("AWS-StopEC2Instance"))
    assert permissions_of(stack)[0]["Resource"] == [
        definition(stack, "", "AWS-StopEC2Instance:$DEFAULT"),
        definition(stack, "111122223333", "AWS-StopEC2Instance:$DEFAULT"),
        arn(stack, "", "document/AWS-StopEC2Instance"),
        arn(stack, "111122223333", "document/AWS-StopEC2Instance"),
        arn(stack, "111122223333", "automation-execution/*"),
    ]


def test_the_role_may_pass_on_the_assume_role_to_systems_manager_only(
    stack, send, assume_role, permissions_of
):
    send(targets.Automation("Isolate", assume_role=assume_role))
    assert permissions_of(stack)[1] == {
        "Effect": "Allow",
        "Action": "iam:PassRole",
        "Resource": stack.resolve(assume_role.role_arn),
        "Condition": {"StringEquals": {"iam:PassedToService": "ssm.amazonaws.com"}},
    }


def test_the_runbook_gets_the_assume_role_as_its_parameter(stack, send, assume_role, target_of):
    send(targets.Automation("Isolate", assume_role=assume_role))
    assert target_of(stack)["Input"] == {
        "Fn::Join": ["", ['{"AutomationAssumeRole":["', stack.resolve(assume_role.role_arn), '"]}']]
    }


def test_the_assume_role_among_the_parameters_is_an_error_because_it_could_not_be_passed_on():
    with pytest.raises(ValueError, match=r"Pass the role as assume_role=\.\.\."):
        targets.Automation("Isolate", parameters={"AutomationAssumeRole": "arn:aws:iam::1:role/x"})
