from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from functions.tickets.contract import Ticket
from functions.tickets.entry import ChangedMeanwhileError, Entry, State
from functions.tickets.ticket_table import TicketTable
from invocation.clients import create_client
from securityhub.events import parse_event

NOW = datetime(2026, 1, 31, 9, 2, 41, 229_000, tzinfo=UTC)
OPENING = Entry(generation=1, state=State.OPENING, since=NOW, seen=(NOW, NOW), verdict="")
OPEN = replace(
    OPENING,
    state=State.OPEN,
    verdict="record state ARCHIVED",
    ticket=Ticket(id="SEC-2", link="https://example.com/SEC-2"),
    earlier=Ticket(id="SEC-1", link="https://example.com/SEC-1"),
    told=True,
)


@pytest.fixture
def finding(load_event):
    (finding,) = parse_event(load_event("custom_action_1_finding")).findings
    return finding


@pytest.fixture
def table(embedded_aws, monkeypatch):
    for name, value in embedded_aws.settings().items():
        monkeypatch.setenv(name, value)
    name = f"tickets-{uuid4().hex[:12]}"
    embedded_aws.client("dynamodb").create_table(
        TableName=name,
        KeySchema=[
            {"AttributeName": "finding", "KeyType": "HASH"},
            {"AttributeName": "tracker", "KeyType": "RANGE"},
        ],
        AttributeDefinitions=[
            {"AttributeName": "finding", "AttributeType": "S"},
            {"AttributeName": "tracker", "AttributeType": "S"},
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    return TicketTable(create_client("dynamodb"), name)


@pytest.mark.parametrize("entry", [OPENING, OPEN])
def test_what_is_saved_comes_back_unchanged_with_its_revision(table, finding, entry):
    saved = table.save(finding, "Jira", entry, replacing=None)
    assert saved == replace(entry, revision=1)
    assert table.load(finding, "Jira") == saved
    again = table.save(finding, "Jira", entry, replacing=saved)
    assert table.load(finding, "Jira") == again == replace(entry, revision=2)


def test_nothing_is_known_of_another_tracker_or_finding(table, finding):
    table.save(finding, "Jira", OPENING, replacing=None)
    assert table.load(finding, "Slack") is None
    assert table.load(replace(finding, product_arn="other"), "Jira") is None
    assert table.load_all(replace(finding, id="other")) == {}


def test_all_tickets_of_a_finding_come_by_tracker(table, finding):
    jira = table.save(finding, "Jira", OPENING, replacing=None)
    slack = table.save(finding, "Slack", OPEN, replacing=None)
    assert table.load_all(finding) == {"Jira": jira, "Slack": slack}


@pytest.mark.parametrize("outdated", [False, True])
def test_what_was_changed_meanwhile_is_not_overwritten(table, finding, outdated):
    first = table.save(finding, "Jira", OPENING, replacing=None)
    second = table.save(finding, "Jira", OPEN, replacing=first)
    with pytest.raises(ChangedMeanwhileError):
        table.save(finding, "Jira", OPENING, replacing=first if outdated else None)
    assert table.load(finding, "Jira") == second


def test_any_other_failure_is_not_taken_for_a_change(finding, embedded_aws, monkeypatch):
    for name, value in embedded_aws.settings().items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        TicketTable(create_client("dynamodb"), "nonsense").save(finding, "Jira", OPEN, replacing=None)
