"""Whether what the app sends arrives, and what it assumes can be assumed."""

from __future__ import annotations

import json

import pytest

from securityhub_actions.cli.doctor import State
from tests.cli.doctor.conftest import ACCOUNT, deployed, refusal

TOPIC = f"arn:aws:sns:us-east-1:{ACCOUNT}:Digest"
CONFIRMED = {"Protocol": "sqs", "Endpoint": "queue", "SubscriptionArn": f"{TOPIC}:1"}
PENDING = {"Protocol": "email", "Endpoint": "a@example.com", "SubscriptionArn": "PendingConfirmation"}
FUNCTION_ROLE = f"arn:aws:iam::{ACCOUNT}:role/securityhub/Function"
MEMBER_ROLE = f"arn:aws:iam::{ACCOUNT}:role/securityhub/Member"


@pytest.mark.parametrize(
    ("subscriptions", "state", "text"),
    [
        ([CONFIRMED], State.OK, "1 subscription, confirmed"),
        ([CONFIRMED, CONFIRMED], State.OK, "2 subscriptions, all confirmed"),
        ([CONFIRMED, PENDING], State.WARNING, "email a@example.com"),
        ([], State.WARNING, "Nobody"),
    ],
)
def test_a_topic_needs_subscriptions_that_are_confirmed(doctor, subscriptions, state, text):
    (found,) = doctor(
        "topics",
        stacks=["App"],
        sns__ListSubscriptionsByTopic={"Subscriptions": subscriptions},
        **deployed(("AWS::SNS::Topic", "Digest", TOPIC)),
    )
    assert (found.state, text in found.text) == (state, True)


@pytest.mark.parametrize(("waiting", "state"), [(0, State.OK), (2, State.WARNING)])
def test_dead_letters_that_wait_are_a_warning_with_the_command_that_lists_them(doctor, waiting, state):
    arn = f"arn:aws:sqs:us-east-1:{ACCOUNT}:Dead"
    (found,) = doctor(
        "dead-letters",
        stacks=["App"],
        events__ListTargetsByRule={"Targets": [{"Id": "1", "Arn": arn, "DeadLetterConfig": {"Arn": arn}}]},
        sqs__GetQueueUrl={"QueueUrl": "https://sqs/Dead"},
        sqs__GetQueueAttributes={"Attributes": {"ApproximateNumberOfMessages": str(waiting)}},
        **deployed(("AWS::Events::Rule", "R", "R")),
    )
    assert found.state == state
    assert ("dead-letters list App" in found.cure) == bool(waiting)


def member_role(external_id="external", *, arn=MEMBER_ROLE, trusted=FUNCTION_ROLE):
    condition = {"StringEquals": {"sts:ExternalId": external_id}, "ArnEquals": {"aws:PrincipalArn": trusted}}
    document = {"Statement": [{"Action": "sts:AssumeRole", "Condition": condition}]}
    return {"Role": {"Arn": arn, "AssumeRolePolicyDocument": json.dumps(document)}}


def of_remediation(*resources):
    environment = {"MEMBER_ROLE": "securityhub/Member", "EXTERNAL_ID": "external", "ALLOWED_ACCOUNTS": "ANY"}
    return {
        "stacks": ["App"],
        "lambda__GetFunctionConfiguration": {
            "Environment": {"Variables": environment},
            "Role": FUNCTION_ROLE,
        },
        **deployed(("AWS::Lambda::Function", "F", "f"), *resources),
    }


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (member_role(), State.OK),
        (member_role("another"), State.FAULT),
        (member_role(trusted="arn:aws:iam::1:role/Else"), State.FAULT),
        (member_role(arn=MEMBER_ROLE.replace("securityhub/", "")), State.FAULT),
        (refusal("NoSuchEntity"), State.WARNING),
    ],
)
def test_the_member_role_of_the_own_account_must_trust_the_function(doctor, answer, state):
    found, other_accounts = doctor("member-roles", iam__GetRole=answer, **of_remediation())
    assert found.state == state
    assert other_accounts.state == State.SKIPPED


@pytest.mark.parametrize(("status", "state"), [("CURRENT", State.OK), ("OUTDATED", State.FAULT)])
def test_accounts_that_the_stack_set_missed_are_named(doctor, status, state):
    instances = [
        {"Account": "444455556666", "Status": status, "StatusReason": "A policy denies it."},
        {"Account": "777788889999", "Status": "CURRENT"},
    ]

    def answer(given):
        # As for the stack set of a delegated administrator.
        return {"Summaries": instances} if "CallAs" in given else refusal("StackSetNotFoundException")

    _, found = doctor(
        "member-roles",
        iam__GetRole=member_role(),
        cloudformation__ListStackInstances=answer,
        **of_remediation(("AWS::CloudFormation::StackSet", "S", "App-member-role:1")),
    )
    assert found.state == state
    assert ("444455556666" in found.text) == (state == State.FAULT)
