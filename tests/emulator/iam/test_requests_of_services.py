from __future__ import annotations

import json

import pytest

from tests.emulator.delivery.chain import ACCOUNT, REGION, allow, policy


def test_a_queue_without_a_policy_refuses_and_the_event_is_lost(chain):
    _, arn = chain.queue()
    chain.target(arn)
    delivery = chain.outcome(chain.send())
    assert (delivery.outcome, delivery.error_code, delivery.attempts) == ("lost", "NO_PERMISSIONS", 1)


def test_a_policy_for_another_rule_does_not_let_this_one_in(chain):
    _, arn = chain.queue(policy_for=f"{chain.rule_arn}-other")
    dead_url, dead_arn = chain.queue("dead", policy_for=chain.rule_arn)
    chain.target(arn, DeadLetterConfig={"Arn": dead_arn})
    event_id = chain.send({"n": 1})
    message = chain.received(dead_url)[0]
    assert json.loads(message["Body"])["id"] == event_id
    attributes = {name: value["StringValue"] for name, value in message["MessageAttributes"].items()}
    assert attributes.pop("ERROR_MESSAGE").startswith(f"The resource policy of {arn}")
    assert attributes == {
        "RULE_ARN": chain.rule_arn,
        "TARGET_ARN": arn,
        "ERROR_CODE": "NO_PERMISSIONS",
        "RETRY_ATTEMPTS": "0",
    }
    assert chain.outcome(event_id).outcome == "dead-lettered"


def test_a_deny_wins_over_an_allow(chain):
    url, arn = chain.queue(policy_for=chain.rule_arn)
    statements = (
        allow("sqs:SendMessage", arn, chain.rule_arn),
        {"Effect": "Deny", "Principal": "*", "Action": "sqs:*", "Resource": arn},
    )
    chain.aws.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy(*statements)})
    chain.target(arn)
    assert chain.outcome(chain.send()).error_code == "NO_PERMISSIONS"


def test_a_deny_of_insecure_transport_does_not_concern_eventbridge(chain):
    url, arn = chain.queue()
    insecure = {"Bool": {"aws:SecureTransport": "false"}}
    statements = (
        allow("sqs:SendMessage", arn, chain.rule_arn),
        {"Effect": "Deny", "Principal": "*", "Action": "sqs:*", "Resource": arn, "Condition": insecure},
    )
    chain.aws.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy(*statements)})
    chain.target(arn)
    assert chain.outcome(chain.send()).outcome == "delivered"


def test_a_lambda_without_a_permission_for_the_rule_is_not_invoked(chain):
    chain.target(chain.function("def handle(event, context):\n    pass\n", allow_rule=False))
    assert chain.outcome(chain.send()).error_code == "NO_PERMISSIONS"


def test_a_lambda_permission_for_another_rule_does_not_count(chain):
    other = f"{chain.rule_arn}-other"
    chain.target(chain.function("def handle(event, context):\n    pass\n", source_arn=other))
    assert chain.outcome(chain.send()).error_code == "NO_PERMISSIONS"


@pytest.mark.parametrize(
    ("grant", "trust_condition", "error"),
    [
        ("kinesis:GetRecords", None, "NO_PERMISSIONS"),
        (
            "kinesis:PutRecord",
            {"ArnEquals": {"aws:SourceArn": "arn:aws:events:eu-west-1:111122223333:rule/other"}},
            "FAILED_TO_ASSUME_ROLE",
        ),
    ],
)
def test_a_role_that_does_not_fit_is_refused(chain, grant, trust_condition, error):
    arn = f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/{chain.name}"
    chain.target(arn, RoleArn=chain.role(grant, arn, trust_condition=trust_condition))
    assert chain.outcome(chain.send()).error_code == error


def test_a_target_that_needs_a_role_is_refused_without_one(chain):
    chain.target(f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/{chain.name}")
    assert chain.outcome(chain.send()).error_code == "NO_PERMISSIONS"
