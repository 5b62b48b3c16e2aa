from __future__ import annotations

import pytest
from aws_cdk import App, CfnParameter, Duration, Environment, Stack, aws_events_targets
from aws_cdk import aws_events as events
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sqs as sqs
from aws_cdk.assertions import Annotations, Match, Template

from securityhub_actions import CustomAction, CustomActionRule, DeadLetterQueue, Delivery
from securityhub_actions.delivery import Target

ACCOUNT = "111122223333"
RULE = "AWS::Events::Rule"


@pytest.fixture
def stack():
    return Stack(App(), "Stack", env=Environment(account=ACCOUNT, region="us-east-1"))


class QueueTarget(Target):
    """A target of one's own, as a user would write it."""

    def __init__(self, queue, **settings):
        super().__init__(**settings)
        self.queue = queue

    def connect(self, rule, dead_letter_queue):  # noqa: ARG002 - the base class's signature
        return events.RuleTargetConfig(arn=self.queue.queue_arn)


@pytest.fixture
def target(stack):
    return QueueTarget(sqs.Queue(stack, "Inbox", enforce_ssl=True))


def press(stack, target, construct_id="Press", **settings):
    action = CustomAction.from_action_id(stack, f"{construct_id}Action", construct_id)
    return CustomActionRule(stack, construct_id, action=action, targets=[target], **settings)


def target_of(stack):
    (rule,) = Template.from_stack(stack).find_resources(RULE).values()
    return rule["Properties"]["Targets"][0]


def dead_letter_statement(stack):
    policies = Template.from_stack(stack).find_resources("AWS::SQS::QueuePolicy").values()
    (statement,) = [
        statement
        for policy in policies
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
        if statement.get("Sid") == "EventBridgeDeadLetters"
    ]
    return statement


def test_a_target_is_retried_185_times_within_24_hours_by_default(stack, target):
    press(stack, target)
    assert target_of(stack)["RetryPolicy"] == {
        "MaximumRetryAttempts": 185,
        "MaximumEventAgeInSeconds": 86_400,
    }


def test_a_target_has_the_stacks_dead_letter_queue_by_default(stack, target):
    press(stack, target)
    (queue_id,) = (
        name
        for name in Template.from_stack(stack).find_resources("AWS::SQS::Queue")
        if name.startswith("SecurityHubDeadLetterQueue")
    )
    assert target_of(stack)["DeadLetterConfig"] == {"Arn": {"Fn::GetAtt": [queue_id, "Arn"]}}


def test_all_rules_of_a_stack_share_one_dead_letter_queue(stack, target):
    press(stack, target, "One")
    press(stack, target, "Two")
    Template.from_stack(stack).resource_count_is("AWS::SQS::Queue", 2)


def test_the_dead_letter_queue_is_encrypted_and_kept_for_14_days(stack, target):
    press(stack, target)
    Template.from_stack(stack).has_resource_properties(
        "AWS::SQS::Queue", {"SqsManagedSseEnabled": True, "MessageRetentionPeriod": 14 * 24 * 3600}
    )


def test_the_dead_letter_queue_refuses_unencrypted_transport(stack):
    DeadLetterQueue(stack, "Queue")
    Template.from_stack(stack).has_resource_properties(
        "AWS::SQS::QueuePolicy",
        {
            "PolicyDocument": {
                "Statement": [
                    {"Effect": "Deny", "Condition": {"Bool": {"aws:SecureTransport": "false"}}},
                ]
            }
        },
    )


def test_the_first_message_in_the_dead_letter_queue_raises_an_alarm(stack):
    queue = DeadLetterQueue(stack, "Queue")
    Template.from_stack(stack).has_resource_properties(
        "AWS::CloudWatch::Alarm",
        {
            "MetricName": "ApproximateNumberOfMessagesVisible",
            "Dimensions": [{"Name": "QueueName", "Value": stack.resolve(queue.queue_name)}],
            "Threshold": 1,
            "ComparisonOperator": "GreaterThanOrEqualToThreshold",
        },
    )


def test_only_the_rules_may_send_to_the_dead_letter_queue(stack, target):
    rules = [press(stack, target, name).rule for name in ("One", "Two")]
    statement = dead_letter_statement(stack)
    assert statement["Action"] == "sqs:SendMessage"
    assert statement["Principal"] == {"Service": "events.amazonaws.com"}
    assert statement["Condition"] == {
        "ArnEquals": {"aws:SourceArn": [stack.resolve(rule.rule_arn) for rule in rules]},
        "StringEqualsIfExists": {"aws:SourceAccount": ACCOUNT},
    }


def test_more_rules_than_the_twenty_statements_of_a_queue_policy_need_one_statement(stack, target):
    for number in range(21):
        press(stack, target, f"Rule{number}")
    assert len(dead_letter_statement(stack)["Condition"]["ArnEquals"]["aws:SourceArn"]) == 21


def test_a_given_dead_letter_queue_replaces_the_default_one(stack, target):
    mine = sqs.Queue(stack, "Mine", enforce_ssl=True)
    press(stack, target, delivery=Delivery(dead_letter_queue=mine))
    assert target_of(stack)["DeadLetterConfig"] == {"Arn": stack.resolve(mine.queue_arn)}
    assert dead_letter_statement(stack)["Resource"] == stack.resolve(mine.queue_arn)
    Template.from_stack(stack).resource_count_is("AWS::SQS::Queue", 2)


def test_the_key_of_an_encrypted_dead_letter_queue_admits_the_rules_of_the_account(stack, target):
    mine = sqs.Queue(
        stack, "Mine", enforce_ssl=True, encryption_master_key=kms.Key(stack, "Key", enable_key_rotation=True)
    )
    press(stack, target, delivery=Delivery(dead_letter_queue=mine))
    Template.from_stack(stack).has_resource_properties(
        "AWS::KMS::Key",
        {
            "KeyPolicy": {
                "Statement": Match.array_with(
                    [
                        Match.object_like(
                            {
                                "Action": ["kms:Decrypt", "kms:GenerateDataKey"],
                                "Principal": {"Service": "events.amazonaws.com"},
                                "Condition": Match.object_like(
                                    {"StringEquals": {"aws:SourceAccount": ACCOUNT}}
                                ),
                            }
                        )
                    ]
                )
            }
        },
    )


def test_a_dead_letter_queue_of_somebody_else_gives_a_warning_that_its_policy_is_needed(stack, target):
    mine = sqs.Queue.from_queue_arn(stack, "Theirs", f"arn:aws:sqs:us-east-1:{ACCOUNT}:theirs")
    press(stack, target, delivery=Delivery(dead_letter_queue=mine))
    Annotations.from_stack(stack).has_warning(
        "*", Match.string_like_regexp("must allow sqs:SendMessage to events.amazonaws.com")
    )


def test_a_targets_own_delivery_comes_before_the_rules(stack):
    inbox = sqs.Queue(stack, "Inbox", enforce_ssl=True)
    press(stack, QueueTarget(inbox, delivery=Delivery(retry_attempts=1)), delivery=Delivery(retry_attempts=2))
    assert target_of(stack)["RetryPolicy"]["MaximumRetryAttempts"] == 1


def test_a_target_of_aws_gets_retry_policy_and_dead_letter_queue_as_well(stack):
    press(stack, aws_events_targets.SqsQueue(sqs.Queue(stack, "Inbox", enforce_ssl=True)))
    assert target_of(stack).keys() >= {"RetryPolicy", "DeadLetterConfig"}


def test_the_dead_letter_queue_of_a_target_of_aws_is_kept(stack):
    mine = sqs.Queue(stack, "Mine", enforce_ssl=True)
    press(
        stack,
        aws_events_targets.SqsQueue(
            sqs.Queue(stack, "Inbox", enforce_ssl=True), dead_letter_queue=mine, retry_attempts=3
        ),
    )
    assert target_of(stack)["DeadLetterConfig"] == {"Arn": stack.resolve(mine.queue_arn)}
    assert target_of(stack)["RetryPolicy"]["MaximumRetryAttempts"] == 3
    Template.from_stack(stack).resource_count_is("AWS::SQS::Queue", 2)


def test_everything_a_target_of_aws_configures_is_passed_on(stack):
    press(
        stack,
        aws_events_targets.SqsQueue(
            sqs.Queue(stack, "Inbox", fifo=True, enforce_ssl=True), message_group_id="findings"
        ),
    )
    assert target_of(stack)["SqsParameters"] == {"MessageGroupId": "findings"}


def test_a_log_group_of_aws_is_a_target_too(stack):
    press(stack, aws_events_targets.CloudWatchLogGroup(logs.LogGroup(stack, "Logs")))
    assert "DeadLetterConfig" in target_of(stack)


def test_a_target_works_on_a_plain_rule_of_aws(stack, target):
    rule = events.Rule(stack, "Plain", event_pattern=events.EventPattern(source=["aws.securityhub"]))
    rule.add_target(target)
    assert target_of(stack).keys() >= {"RetryPolicy", "DeadLetterConfig"}


def test_a_target_class_without_connect_says_so(stack):
    with pytest.raises(Exception, match="Target does not implement connect"):
        press(stack, Target())


@pytest.mark.parametrize("attempts", [-1, 186])
def test_a_number_of_retries_that_eventbridge_refuses_is_an_error(attempts):
    with pytest.raises(ValueError, match=f"retry_attempts is {attempts}. EventBridge allows 0 to 185"):
        Delivery(retry_attempts=attempts)


@pytest.mark.parametrize("age", [Duration.seconds(59), Duration.hours(25)])
def test_an_event_age_that_eventbridge_refuses_is_an_error(age):
    with pytest.raises(ValueError, match="EventBridge allows 60 to 86400"):
        Delivery(max_event_age=age)


@pytest.mark.parametrize("age", [Duration.seconds(60), Duration.hours(24)])
def test_the_shortest_and_the_longest_event_age_are_accepted(stack, target, age):
    press(stack, target, delivery=Delivery(max_event_age=age))
    assert target_of(stack)["RetryPolicy"]["MaximumEventAgeInSeconds"] == age.to_seconds()


def test_settings_known_only_at_deployment_reach_the_template(stack, target):
    number = CfnParameter(stack, "Number", type="Number").value_as_number
    press(stack, target, delivery=Delivery(retry_attempts=number, max_event_age=Duration.seconds(number)))
    assert target_of(stack)["RetryPolicy"] == {
        "MaximumRetryAttempts": {"Ref": "Number"},
        "MaximumEventAgeInSeconds": {"Ref": "Number"},
    }
