from __future__ import annotations

import pytest
from aws_cdk import Environment, Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sqs as sqs
from aws_cdk.assertions import Annotations, Match, Template

from securityhub_actions import Delivery, targets

POLICY = "AWS::SQS::QueuePolicy"


@pytest.fixture
def queue(stack):
    return sqs.Queue(stack, "Inbox", enforce_ssl=True)


def test_the_queue_gets_the_whole_event(stack, send, queue, target_of):
    send(targets.SqsQueue(queue))
    target = target_of(stack)
    assert target["Arn"] == stack.resolve(queue.queue_arn)
    assert not target.keys() & {"Input", "InputPath", "InputTransformer", "RoleArn", "SqsParameters"}


def test_the_queue_can_get_a_part_of_the_event(stack, send, queue, target_of):
    send(targets.SqsQueue(queue, message=events.RuleTargetInput.from_event_path("$.detail.findings[0]")))
    assert target_of(stack)["InputPath"] == "$.detail.findings[0]"


def test_only_the_rules_may_send_to_the_queue_and_they_may_do_nothing_else(stack, send, queue, statements_of):
    rules = [send(targets.SqsQueue(queue), name) for name in ("One", "Two")]
    assert statements_of(stack, POLICY) == [
        {
            "Sid": "SecurityHubRules",
            "Effect": "Allow",
            "Principal": {"Service": "events.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": stack.resolve(queue.queue_arn),
            "Condition": {
                "ArnEquals": {"aws:SourceArn": [stack.resolve(rule.rule_arn) for rule in rules]},
                "StringEqualsIfExists": {"aws:SourceAccount": "111122223333"},
            },
        }
    ]


def test_more_rules_than_the_twenty_statements_of_a_queue_policy_need_one_statement(
    stack, send, queue, statements_of
):
    for number in range(21):
        send(targets.SqsQueue(queue), f"Rule{number}")
    (statement,) = statements_of(stack, POLICY)
    assert len(statement["Condition"]["ArnEquals"]["aws:SourceArn"]) == 21


def test_a_queue_can_be_target_and_dead_letter_queue_at_once(stack, send, queue, statements_of):
    send(targets.SqsQueue(queue), delivery=Delivery(dead_letter_queue=queue))
    assert len(statements_of(stack, POLICY)) == 1
    assert len(statements_of(stack, POLICY, "EventBridgeDeadLetters")) == 1


def test_the_customer_managed_key_of_the_queue_lets_the_rules_of_the_account_encrypt(stack, send):
    key = kms.Key(stack, "Key", enable_key_rotation=True)
    queue = sqs.Queue(stack, "Inbox", enforce_ssl=True, encryption_master_key=key)
    for name in ("One", "Two"):
        send(targets.SqsQueue(queue), name)
    (key_resource,) = Template.from_stack(stack).find_resources("AWS::KMS::Key").values()
    _, *added = key_resource["Properties"]["KeyPolicy"]["Statement"]
    assert added == [
        {
            "Effect": "Allow",
            "Principal": {"Service": "events.amazonaws.com"},
            "Action": ["kms:Decrypt", "kms:GenerateDataKey"],
            "Resource": "*",
            "Condition": {
                "ArnLikeIfExists": {
                    "aws:SourceArn": stack.resolve(
                        f"arn:{stack.partition}:events:us-east-1:111122223333:rule/*"
                    )
                },
                "StringEquals": {"aws:SourceAccount": "111122223333"},
            },
        }
    ]


def test_a_queue_with_the_key_that_aws_manages_is_an_error_because_no_event_would_arrive(stack, send):
    queue = sqs.Queue(stack, "Inbox", enforce_ssl=True, encryption=sqs.QueueEncryption.KMS_MANAGED)
    send(targets.SqsQueue(queue))
    with pytest.raises(RuntimeError, match="Stack/Inbox is encrypted with an AWS managed key") as caught:
        stack.node.root.synth()
    assert "customer managed key" in str(caught.value)


def test_the_messages_of_a_fifo_queue_have_a_group(stack, send, target_of):
    queue = sqs.Queue(stack, "Inbox", fifo=True, content_based_deduplication=True, enforce_ssl=True)
    send(targets.SqsQueue(queue, message_group_id="findings"))
    assert target_of(stack)["SqsParameters"] == {"MessageGroupId": "findings"}


@pytest.mark.parametrize("group", [None, ""])
def test_a_fifo_queue_without_a_group_is_an_error(stack, group):
    queue = sqs.Queue(stack, "Inbox", fifo=True, content_based_deduplication=True, enforce_ssl=True)
    with pytest.raises(ValueError, match=r"Stack/Inbox is a FIFO queue and message_group_id is"):
        targets.SqsQueue(queue, message_group_id=group)


def test_an_imported_fifo_queue_without_a_group_is_an_error(stack):
    queue = sqs.Queue.from_queue_arn(stack, "Theirs", "arn:aws:sqs:us-east-1:111122223333:theirs.fifo")
    with pytest.raises(ValueError, match="Stack/Theirs is a FIFO queue"):
        targets.SqsQueue(queue)


def test_a_fifo_queue_without_content_based_deduplication_is_an_error(stack):
    queue = sqs.Queue(stack, "Inbox", fifo=True, enforce_ssl=True)
    with pytest.raises(ValueError, match="content_based_deduplication=True"):
        targets.SqsQueue(queue, message_group_id="findings")


def test_a_standard_queue_may_have_groups_as_well(stack, send, queue, target_of):
    send(targets.SqsQueue(queue, message_group_id="tenant"))
    assert target_of(stack)["SqsParameters"] == {"MessageGroupId": "tenant"}


def test_a_group_of_100_characters_is_accepted_and_a_longer_one_is_an_error(queue):
    targets.SqsQueue(queue, message_group_id="g" * 100)
    with pytest.raises(ValueError, match="message_group_id has 101 characters"):
        targets.SqsQueue(queue, message_group_id="g" * 101)


def test_a_queue_of_somebody_else_gives_a_warning_with_the_statement_that_it_needs(stack, send):
    theirs = sqs.Queue.from_queue_arn(stack, "Theirs", "arn:aws:sqs:us-east-1:111122223333:theirs")
    rule = send(targets.SqsQueue(theirs))
    logical_id = stack.get_logical_id(rule.node.default_child)
    Annotations.from_stack(stack).has_warning(
        "/Stack/Findings/Rule",
        Match.string_like_regexp(
            r'Stack/Theirs is not part of this app.*"Action": "sqs:SendMessage".*'
            rf'"aws:SourceArn": \["\${{{logical_id}\.Arn}}"\].*"aws:SourceAccount": "111122223333".*'
            r'"Resource": "arn:aws:sqs:us-east-1:111122223333:theirs"'
        ),
    )


@pytest.mark.parametrize(
    ("arn", "message"),
    [
        ("arn:aws:sqs:eu-west-1:111122223333:theirs", "in Region eu-west-1, but the rule"),
        ("arn:aws:sqs:us-east-1:444455556666:theirs", "in account 444455556666, but the rule"),
    ],
)
def test_a_queue_in_another_account_or_region_is_an_error_that_names_the_event_bus(stack, send, arn, message):
    theirs = sqs.Queue.from_queue_arn(stack, "Theirs", arn)
    with pytest.raises(RuntimeError, match=message) as caught:
        send(targets.SqsQueue(theirs))
    assert "targets.EventBus" in str(caught.value)


def test_a_queue_is_accepted_where_the_region_is_only_known_on_deployment(stack, send):
    anywhere = Stack(stack.node.root, "Anywhere")
    theirs = sqs.Queue.from_queue_arn(anywhere, "Theirs", "arn:aws:sqs:eu-west-1:111122223333:theirs")
    send(targets.SqsQueue(theirs), scope=anywhere)
    Template.from_stack(anywhere).resource_count_is("AWS::Events::Rule", 1)


def test_a_queue_of_another_stack_lets_in_the_rules_of_the_account_because_the_stacks_would_go_in_circles(
    stack, send, statements_of
):
    other = Stack(stack.node.root, "Other", env=Environment(account="111122223333", region="us-east-1"))
    send(targets.SqsQueue(sqs.Queue(other, "Inbox", enforce_ssl=True)))
    (statement,) = statements_of(other, POLICY)
    (source,) = statement["Condition"]["ArnEquals"]["aws:SourceArn"]
    assert str(source).count(":events:us-east-1:111122223333:rule/*") == 1
