"""Whether EventBridge can call the endpoints of third parties, with the present secrets."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from securityhub_actions.cli.doctor import State
from tests.cli.doctor.conftest import deployed, refusal

REFERENCE = "Bearer {{resolve:secretsmanager:app/slack:SecretString:bot_token::}}"
TEMPLATE = {"C": {"Type": "AWS::Events::Connection", "Properties": {"AuthParameters": {"Value": REFERENCE}}}}
DEPLOYED = datetime(2026, 3, 1, tzinfo=UTC)
BEFORE, AFTER = datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC)


@pytest.fixture
def connections(doctor):
    """A function that examines an account with a connection of which it chooses the state."""

    def examined(*, state="AUTHORIZED", secret=BEFORE, **answers):
        value = {"SecretString": '{"bot_token": "hush"}', "CreatedDate": secret}
        connection = {"Name": "Slack", "ConnectionState": state, "LastModifiedTime": DEPLOYED}
        return doctor(
            "connections",
            TEMPLATE,
            **{
                "secretsmanager__GetSecretValue": secret if isinstance(secret, Exception) else value,
                "events__DescribeConnection": {**connection, "StateReason": "It answered 401."},
                **deployed(("AWS::Events::Connection", "C", "Slack")),
                **answers,
            },
        )

    return examined


def test_a_connection_that_is_newer_than_its_secret_is_all_right(connections):
    (found,) = connections()
    assert (found.state, found.text) == (State.OK, "The connection Slack is AUTHORIZED.")


@pytest.mark.parametrize("state", ["DEAUTHORIZED", "FAILED_CONNECTIVITY"])
def test_one_that_eventbridge_no_longer_uses_is_a_fault_with_its_reason(connections, state):
    (found,) = connections(state=state)
    assert found.state == State.FAULT
    assert found.text.endswith(f"of the stack App, which is {state}: It answered 401.")
    assert "Deploy App with `-c securityhub-actions:secretsAsOf=DATE`" in found.cure


def test_one_that_is_older_than_its_secret_sends_the_former_value(connections):
    (found,) = connections(secret=AFTER)
    assert (found.state, "a former value of the secret app/slack" in found.text) == (State.WARNING, True)
    assert "Deploy App with `-c securityhub-actions:secretsAsOf=DATE`" in found.cure


@pytest.mark.parametrize("code", ["ResourceNotFoundException", "AccessDeniedException"])
def test_a_secret_that_can_not_be_read_is_left_to_the_check_of_secrets(connections, code):
    (found,) = connections(secret=refusal(code))
    assert found.state == State.OK


def test_one_that_was_deleted_is_a_fault(connections):
    (found,) = connections(events__DescribeConnection=refusal("ResourceNotFoundException"))
    assert (found.state, "was deleted" in found.text) == (State.FAULT, True)


def test_one_that_may_not_be_seen_is_a_warning_that_names_the_action(connections):
    message = "User: arn is not authorized to perform: events:DescribeConnection on resource: Slack"
    (found,) = connections(events__DescribeConnection=refusal("AccessDeniedException", message))
    assert (found.state, "events:DescribeConnection" in found.cure) == (State.WARNING, True)


def test_an_app_without_connections_has_nothing_to_check(doctor):
    (found,) = doctor("connections")
    assert found.state == State.SKIPPED
