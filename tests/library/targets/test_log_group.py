from __future__ import annotations

import json

import pytest
from aws_cdk import Aws, aws_events_targets
from aws_cdk import aws_logs as logs
from aws_cdk.assertions import Template
from aws_cdk.aws_events import EventField, RuleTargetInput

from securityhub_actions import targets

POLICY = "AWS::Logs::ResourcePolicy"


@pytest.fixture
def log_group(stack):
    return logs.LogGroup(stack, "Log", log_group_name="/aws/events/findings")


@pytest.fixture
def policy_of(stack):
    """A function that returns the statements of the one resource policy, references as `${...}`."""

    def find():
        (policy,) = Template.from_stack(stack).find_resources(POLICY).values()
        _, parts = policy["Properties"]["PolicyDocument"]["Fn::Join"]
        text = "".join(part if isinstance(part, str) else reference(part) for part in parts)
        return json.loads(text)["Statement"]

    return find


def reference(part):
    ((_, value),) = part.items()
    return f"${{{value if isinstance(value, str) else '.'.join(value)}}}"


def test_the_target_is_the_log_group_itself_and_not_its_streams(stack, send, log_group, target_of):
    send(targets.LogGroup(log_group))
    _, parts = target_of(stack)["Arn"]["Fn::Join"]
    assert parts[-1] == {"Ref": stack.get_logical_id(log_group.node.default_child)}
    assert parts[-2].endswith(":logs:us-east-1:111122223333:log-group:")


def test_no_role_is_given_because_eventbridge_refuses_one_here(stack, send, log_group, target_of):
    send(targets.LogGroup(log_group))
    assert "RoleArn" not in target_of(stack)


def test_the_log_event_can_have_a_message_of_its_own(stack, send, log_group, target_of):
    message = aws_events_targets.LogGroupTargetInput.from_object_v2(message="A finding")
    send(targets.LogGroup(log_group, message=message))
    assert (
        json.loads(target_of(stack)["InputTransformer"]["InputTemplate"].replace("<time>", "0"))["message"]
        == "A finding"
    )


@pytest.mark.parametrize(
    "message",
    [
        aws_events_targets.LogGroupTargetInput.from_object_v2(),
        aws_events_targets.LogGroupTargetInput.from_object_v2(
            message=f"Title: {EventField.from_path('$.detail.findings[0].Title')}"
        ),
        RuleTargetInput.from_object(
            {"timestamp": EventField.from_path("$.time"), "message": f"In {Aws.REGION}"}
        ),
    ],
)
def test_a_message_has_a_timestamp_and_a_text(stack, send, log_group, message):
    send(targets.LogGroup(log_group, message=message))
    Template.from_stack(stack)


@pytest.mark.parametrize(
    "message",
    [
        RuleTargetInput.from_text(f"Title: {EventField.from_path('$.detail.findings[0].Title')}"),
        RuleTargetInput.from_event_path("$.detail"),
        RuleTargetInput.from_object({"timestamp": "1767225600000", "message": "constant"}),
        RuleTargetInput.from_object({"message": EventField.from_path("$.id")}),
        RuleTargetInput.from_object(
            {
                "timestamp": EventField.from_path("$.time"),
                "message": EventField.from_path("$.id"),
                "event": EventField.from_path("$.detail"),
            }
        ),
    ],
)
def test_any_other_message_is_refused_as_eventbridge_would(send, log_group, message):
    with pytest.raises(RuntimeError, match="requires an object with the fields timestamp and message"):
        send(targets.LogGroup(log_group, message=message))


def test_only_the_rules_may_write_to_the_log_group(stack, send, log_group, policy_of):
    rules = [send(targets.LogGroup(log_group), name) for name in ("One", "Two")]
    ids = [stack.get_logical_id(rule.node.default_child) for rule in rules]
    assert policy_of()[1:] == [
        {
            "Effect": "Allow",
            "Principal": {"Service": "events.amazonaws.com"},
            "Action": "logs:PutLogEvents",
            "Resource": f"${{{stack.get_logical_id(log_group.node.default_child)}.Arn}}",
            "Condition": {
                "ArnEquals": {"aws:SourceArn": [f"${{{rule_id}.Arn}}" for rule_id in ids]},
                "StringEqualsIfExists": {"aws:SourceAccount": "111122223333"},
            },
        }
    ]


def test_log_streams_are_made_without_a_condition_because_eventbridge_names_no_rule_then(
    stack, send, log_group, policy_of
):
    second = logs.LogGroup(stack, "Second")
    for group in (log_group, second):
        send(targets.LogGroup(group), group.node.id + "Rule")
    assert policy_of()[0] == {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "logs:CreateLogStream",
        "Resource": [
            f"${{{stack.get_logical_id(group.node.default_child)}.Arn}}" for group in (log_group, second)
        ],
    }


def test_all_log_groups_of_a_stack_share_one_policy_because_an_account_has_ten(
    stack, send, log_group, policy_of
):
    second = logs.LogGroup(stack, "Second")
    one, two = (send(targets.LogGroup(group), group.node.id + "Rule") for group in (log_group, second))
    assert [statement["Condition"]["ArnEquals"]["aws:SourceArn"] for statement in policy_of()[1:]] == [
        [f"${{{stack.get_logical_id(rule.node.default_child)}.Arn}}"] for rule in (one, two)
    ]


def test_a_policy_above_5120_characters_is_an_error_that_counts_them(stack, send):
    for number in range(12):
        group = logs.LogGroup.from_log_group_name(stack, f"Log{number}", f"/aws/events/{number}{'x' * 100}")
        send(targets.LogGroup(group), f"Rule{number}")
    with pytest.raises(RuntimeError, match=r"has \d{4} characters. CloudWatch Logs allows 5120"):
        stack.node.root.synth()


def test_the_policy_of_a_log_group_of_somebody_else_in_the_account_can_be_written_here(
    stack, send, policy_of
):
    send(targets.LogGroup(logs.LogGroup.from_log_group_name(stack, "Theirs", "/aws/events/theirs")))
    assert policy_of()[0]["Resource"].endswith(":log-group:/aws/events/theirs:*")


def test_a_log_group_in_another_region_is_an_error(stack, send):
    theirs = logs.LogGroup.from_log_group_arn(
        stack, "Theirs", "arn:aws:logs:eu-west-1:111122223333:log-group:/aws/events/theirs"
    )
    with pytest.raises(RuntimeError, match="The target Stack/Theirs is in Region eu-west-1"):
        send(targets.LogGroup(theirs))
