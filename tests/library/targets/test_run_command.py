from __future__ import annotations

import json

import pytest
from aws_cdk import CfnParameter
from aws_cdk import aws_events as events
from aws_cdk import aws_ssm as ssm
from aws_cdk.assertions import Annotations, Match
from hypothesis import given
from hypothesis import strategies as st

from securityhub_actions import targets
from securityhub_actions.targets import Instances

ONE = Instances.with_ids("i-0123456789abcdef0")
PATCHED = Instances.with_tag("Patch", "yes", "soon")
TITLE = events.EventField.from_path("$.detail.findings[0].Title")
SHELL_WARNING = Match.string_like_regexp("can then run commands on the instances")


def arn_of(stack, text):
    return stack.resolve(f"arn:{stack.partition}:{text}")


def test_the_command_runs_on_the_named_instances(stack, send, target_of):
    send(targets.RunCommand("AWS-UpdateSSMAgent", instances=ONE))
    assert target_of(stack)["RunCommandParameters"] == {
        "RunCommandTargets": [{"Key": "InstanceIds", "Values": ["i-0123456789abcdef0"]}]
    }


def test_the_command_runs_on_the_instances_with_a_tag(stack, send, target_of):
    send(targets.RunCommand("AWS-UpdateSSMAgent", instances=PATCHED))
    assert target_of(stack)["RunCommandParameters"] == {
        "RunCommandTargets": [{"Key": "tag:Patch", "Values": ["yes", "soon"]}]
    }


@pytest.mark.parametrize(
    ("document", "arn"),
    [
        ("AWS-UpdateSSMAgent", "ssm:us-east-1::document/AWS-UpdateSSMAgent"),
        ("AmazonInspector-ManageAWSAgent", "ssm:us-east-1::document/AmazonInspector-ManageAWSAgent"),
        ("Isolate", "ssm:us-east-1:111122223333:document/Isolate"),
    ],
)
def test_the_name_of_a_document_tells_whether_aws_owns_it(stack, send, target_of, document, arn):
    send(targets.RunCommand(document, instances=ONE))
    assert target_of(stack)["Arn"] == arn_of(stack, arn)


def test_a_document_can_be_shared_by_another_account(stack, send, target_of):
    send(targets.RunCommand("arn:aws:ssm:us-east-1:444455556666:document/Isolate", instances=ONE))
    assert target_of(stack)["Arn"] == arn_of(stack, "ssm:us-east-1:444455556666:document/Isolate")


def test_a_document_of_this_app_can_be_given_itself(stack, send, target_of):
    document = ssm.CfnDocument(stack, "Isolate", content={}, document_type="Command")
    send(targets.RunCommand(document, instances=ONE))
    _, parts = target_of(stack)["Arn"]["Fn::Join"]
    assert parts[-2].endswith(":ssm:us-east-1:111122223333:document/")
    assert parts[-1] == stack.resolve(document.ref)


@pytest.mark.parametrize("name", ["", "ab", "two words", "a" * 129, "arn:aws:s3:::bucket"])
def test_what_is_no_document_is_an_error(name):
    with pytest.raises(ValueError, match="is not the name of a Systems Manager document"):
        targets.RunCommand(name, instances=ONE)


def test_parameters_are_lists_of_texts_as_systems_manager_wants_them(stack, send, target_of):
    parameters = {"workingDirectory": "/tmp", "commands": ["date", "uptime"]}  # noqa: S108 - on the instance
    send(targets.RunCommand("AWS-RunShellScript", instances=ONE, parameters=parameters))
    assert json.loads(target_of(stack)["Input"]) == {
        "workingDirectory": ["/tmp"],  # noqa: S108
        "commands": ["date", "uptime"],
    }


def test_without_parameters_the_command_gets_none_instead_of_the_event(stack, send, target_of):
    send(targets.RunCommand("AWS-UpdateSSMAgent", instances=ONE))
    assert target_of(stack)["Input"] == "{}"


def test_a_parameter_can_come_from_the_event(stack, send, target_of):
    send(targets.RunCommand("Isolate", instances=ONE, parameters={"Reason": TITLE}))
    transformer = target_of(stack)["InputTransformer"]
    ((variable, path),) = transformer["InputPathsMap"].items()
    assert path == "$.detail.findings[0].Title"
    assert transformer["InputTemplate"] == f'{{"Reason":[<{variable}>]}}'


def test_a_field_of_the_event_inside_a_longer_text_is_an_error_because_its_quotes_would_not_be_escaped():
    with pytest.raises(ValueError, match="Reason has an event field inside a longer string"):
        targets.RunCommand("Isolate", instances=ONE, parameters={"Reason": ["ok", f"Because of {TITLE}"]})


@pytest.mark.parametrize("document", ["AWS-RunShellScript", "AWS-RunPowerShellScript"])
def test_text_of_a_finding_in_a_shell_gives_a_warning(stack, send, document):
    send(targets.RunCommand(document, instances=ONE, parameters={"commands": ["echo", TITLE]}))
    Annotations.from_stack(stack).has_warning("/Stack/Findings/Rule", SHELL_WARNING)


@pytest.mark.parametrize(
    ("document", "parameters"),
    [("AWS-RunShellScript", {"commands": "date"}), ("Isolate", {"Reason": TITLE})],
)
def test_neither_a_fixed_command_nor_a_document_of_ones_own_gives_a_warning(
    stack, send, document, parameters
):
    send(targets.RunCommand(document, instances=ONE, parameters=parameters))
    Annotations.from_stack(stack).has_no_warning("*", SHELL_WARNING)


def test_the_role_may_send_this_document_to_these_instances_only(stack, send, permissions_of):
    instances = Instances.with_ids("i-0123456789abcdef0", "mi-0123456789abcdef0")
    send(targets.RunCommand("Isolate", instances=instances))
    assert permissions_of(stack) == [
        {
            "Effect": "Allow",
            "Action": "ssm:SendCommand",
            "Resource": arn_of(stack, "ssm:us-east-1:111122223333:document/Isolate"),
        },
        {
            "Effect": "Allow",
            "Action": "ssm:SendCommand",
            "Resource": [
                arn_of(stack, "ec2:us-east-1:111122223333:instance/i-0123456789abcdef0"),
                arn_of(stack, "ssm:us-east-1:111122223333:managed-instance/mi-0123456789abcdef0"),
            ],
        },
    ]


def test_the_role_may_send_to_the_instances_with_the_tag_only(stack, send, permissions_of):
    send(targets.RunCommand("Isolate", instances=PATCHED))
    assert permissions_of(stack)[1] == {
        "Effect": "Allow",
        "Action": "ssm:SendCommand",
        "Resource": arn_of(stack, "ec2:us-east-1:111122223333:instance/*"),
        "Condition": {"StringEquals": {"ssm:resourceTag/Patch": ["yes", "soon"]}},
    }


def test_two_commands_of_a_rule_have_a_role_each(send):
    rule = send(targets.RunCommand("Isolate", instances=ONE))
    rule.add_target(targets.RunCommand("Isolate", instances=PATCHED))
    roles = [child.node.id for child in rule.node.children if child.node.id.startswith("RunCommandRole")]
    assert roles == ["RunCommandRole", "RunCommandRole2"]


@given(st.integers(1, 50))
def test_1_to_50_values_are_accepted(count):
    values = [f"i-{number:017x}" for number in range(count)]
    assert Instances.with_ids(*values).values == tuple(values)


@pytest.mark.parametrize("count", [0, 51])
def test_no_value_or_more_than_50_are_an_error(count):
    with pytest.raises(ValueError, match=f"tag:Name has {count} values. EventBridge allows 1 to 50"):
        Instances.with_tag("Name", *map(str, range(count)))


@pytest.mark.parametrize("values", [("web", " "), ("web", "web")])
def test_a_blank_value_or_one_twice_is_an_error(values):
    with pytest.raises(ValueError, match="blank or duplicate value"):
        Instances.with_tag("Name", *values)


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("x" * 125, "web", "key 'tag:x+' has 129 characters"),
        ("Name", "x" * 257, "value 'x+' has 257 characters"),
    ],
)
def test_a_key_or_value_that_is_longer_than_eventbridge_allows_is_an_error(key, value, said):
    with pytest.raises(ValueError, match=said):
        Instances.with_tag(key, value)
    assert Instances.with_tag("x" * 124, "x" * 256).values == ("x" * 256,)


def test_a_blank_tag_key_is_an_error():
    with pytest.raises(ValueError, match="key ' ' is blank"):
        Instances.with_tag(" ", "web")


def test_what_is_no_id_of_an_instance_is_an_error():
    with pytest.raises(ValueError, match="'web-1' is not an instance ID"):
        Instances.with_ids("web-1")


def test_the_values_of_a_tag_may_be_a_list_known_only_at_deployment(stack, send, target_of):
    waves = CfnParameter(stack, "Waves", type="CommaDelimitedList").value_as_list
    send(targets.RunCommand("AWS-UpdateSSMAgent", instances=Instances.with_tag("Wave", *waves)))
    assert target_of(stack)["RunCommandParameters"] == {
        "RunCommandTargets": [{"Key": "tag:Wave", "Values": {"Ref": "Waves"}}]
    }


def test_a_list_of_ids_known_only_at_deployment_is_rejected_because_of_the_permission(stack):
    ids = CfnParameter(stack, "Ids", type="CommaDelimitedList").value_as_list
    with pytest.raises(ValueError, match=r"instance_ids has a list .* Instances\.with_tag"):
        Instances.with_ids(*ids)
