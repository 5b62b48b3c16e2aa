"""Whether secrets are what their readers expect."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from securityhub_actions.cli.doctor import State, secrets
from tests.cli.doctor.conftest import refusal


def reading(environment):
    return {"F": {"Type": "AWS::Lambda::Function", "Properties": {"Environment": {"Variables": environment}}}}


@pytest.mark.parametrize(
    ("variable", "secret", "state"),
    [
        ("JIRA_SECRET", {"email": "a@example.com", "api_token": "x"}, State.OK),
        ("JIRA_SECRET", {"token": "x"}, State.OK),
        ("JIRA_SECRET", {"email": "a@example.com"}, State.FAULT),
        ("SERVICENOW_SECRET", {"username": "a", "password": "x"}, State.OK),
        ("SERVICENOW_SECRET", {"username": "a", "password": " "}, State.FAULT),
        ("SERVICENOW_SECRET", {"client_id": "a", "client_secret": "x"}, State.OK),
        ("PAGERDUTY_SECRET", {"api_token": "x"}, State.OK),
        ("SLACK_SECRET", {"bot_token": "x"}, State.OK),
        ("SLACK_SECRET", {"bot_token": 1}, State.FAULT),
        ("SLACK_SECRET", ["bot_token"], State.FAULT),
        ("OTHER_SECRET", "anything", State.OK),
        ("SLACK_URLS", {"bot_token": "x"}, State.FAULT),
        (
            "SLACK_URLS",
            {"bot_token": "x", "client_id": "x", "client_secret": "x", "refresh_token": "x"},
            State.OK,
        ),
    ],
)
def test_a_secret_needs_the_members_that_its_reader_reads(doctor, variable, secret, state):
    value = {"SecretString": json.dumps(secret)}
    given = json.dumps({"app/s": "https://slack.com/api/"}) if variable == "SLACK_URLS" else "app/s"
    (found,) = doctor("secrets", reading({variable: given}), secretsmanager__GetSecretValue=value)
    assert found.state == state


def test_the_members_that_a_template_refers_to_are_checked(doctor):
    reference = "Bearer {{resolve:secretsmanager:app/slack:SecretString:bot_token::}}"
    connection = {"Type": "AWS::Events::Connection", "Properties": {"AuthParameters": {"Value": reference}}}
    (found,) = doctor(
        "secrets", {"C": connection}, secretsmanager__GetSecretValue={"SecretString": '{"token": "x"}'}
    )
    assert (found.state, '"bot_token"' in found.text) == (State.FAULT, True)


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (refusal("ResourceNotFoundException"), State.FAULT),
        (refusal("InvalidRequestException", "marked for deletion"), State.FAULT),
        (refusal("AccessDeniedException"), State.WARNING),
    ],
)
def test_a_secret_that_can_not_be_read_is_named(doctor, error, state):
    (found,) = doctor("secrets", reading({"SLACK_SECRET": "app/s"}), secretsmanager__GetSecretValue=error)
    assert (found.state, "app/s" in found.text) == (state, True)


def test_one_secret_of_two_readers_is_one_line(doctor):
    resources = reading({"SLACK_SECRET": "app/s", "PAGERDUTY_SECRET": "app/s"})
    value = {"SecretString": '{"bot_token": "x"}'}
    (found,) = doctor("secrets", resources, secretsmanager__GetSecretValue=value)
    assert found.state == State.FAULT
    assert '"api_token"' in found.text
    assert '"bot_token"' not in found.text


class Vault:
    """Secrets Manager with one secret."""

    exceptions = SimpleNamespace(ResourceNotFoundException=KeyError, ClientError=OSError)

    def __init__(self, text):
        self._text = text

    def client(self, _service):
        return self

    def get_secret_value(self, **_):
        return {"SecretString": self._text}


@given(
    st.text(alphabet="xyz0", min_size=12), st.sampled_from(['{"a": "%s"}', "%s", '["%s"', '{"token": "%s"}'])
)
def test_no_part_of_a_secret_is_ever_printed(value, form):
    shapes = [(frozenset({"token"}),)]
    patient = SimpleNamespace(aws=Vault(form % value))
    found = secrets._of_secret(patient, "app/s", shapes)
    assert value not in found.text + found.cure
