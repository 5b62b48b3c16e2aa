from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from boto3.dynamodb.types import TypeSerializer
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from functions.tickets import ticket_table
from functions.tickets.contract import Ticket
from functions.tickets.entry import ChangedMeanwhileError, Entry, State, Watched
from functions.tickets.ticket_table import WATCHED_INDEX, TicketTable
from invocation.clients import create_client
from securityhub.events import parse_event, parse_finding, parse_finding_v2
from tests.both_formats import asff_finding, ocsf_finding

NOW = datetime(2026, 1, 31, 9, 2, 41, 229_000, tzinfo=UTC)
OPENING = Entry(
    generation=1, state=State.OPENING, since=NOW, seen=(NOW, NOW), verdict="", account="111122223333"
)
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
def table(function_aws):
    name = f"tickets-{uuid4().hex[:12]}"
    function_aws.client("dynamodb").create_table(
        TableName=name,
        KeySchema=[
            {"AttributeName": "finding", "KeyType": "HASH"},
            {"AttributeName": "tracker", "KeyType": "RANGE"},
        ],
        AttributeDefinitions=[
            {"AttributeName": "finding", "AttributeType": "S"},
            {"AttributeName": "tracker", "AttributeType": "S"},
            {"AttributeName": "watched", "AttributeType": "S"},
            {"AttributeName": "since", "AttributeType": "S"},
        ],
        GlobalSecondaryIndexes=[
            {
                "IndexName": WATCHED_INDEX,
                "KeySchema": [
                    {"AttributeName": "watched", "KeyType": "HASH"},
                    {"AttributeName": "since", "KeyType": "RANGE"},
                ],
                "Projection": {
                    "ProjectionType": "INCLUDE",
                    "NonKeyAttributes": ["account", "findingId", "productArn", "state"],
                },
            }
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    return TicketTable(create_client("dynamodb"), name)


def test_what_has_to_be_looked_at_is_listed_until_that_is_over_the_oldest_first(table, finding):
    later, other = NOW + timedelta(minutes=1), replace(finding, id="other", aws_account_id="444455556666")
    held = table.save(finding, "Jira", replace(OPENING, state=State.HELD, since=later), replacing=None)
    unlinked = replace(OPEN, unlinked=True, account=other.aws_account_id)
    table.save(other, "Slack", unlinked, replacing=None)
    table.save(other, "Jira", OPEN, replacing=None)
    first, second = table.watched()
    assert first == Watched(
        finding_id="other",
        product_arn=finding.product_arn,
        account="444455556666",
        tracker="Slack",
        state=State.OPEN,
        since=NOW,
    )
    assert (second.finding_id, second.tracker, second.state, second.since) == (
        finding.id,
        "Jira",
        State.HELD,
        later,
    )
    table.save(finding, "Jira", OPEN, replacing=held)
    assert [one.finding_id for one in table.watched()] == ["other"]


def test_an_item_of_an_earlier_version_is_read(table, finding):
    saved = table.save(finding, "Jira", OPEN, replacing=None)
    table._client.update_item(
        TableName=table._name,
        Key={"finding": {"S": finding.digest}, "tracker": {"S": "Jira"}},
        UpdateExpression="REMOVE unlinked, account",
    )
    assert table.load(finding, "Jira") == replace(saved, account="")


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


@pytest.mark.usefixtures("function_aws")
def test_any_other_failure_is_not_taken_for_a_change(finding):
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        TicketTable(create_client("dynamodb"), "nonsense").save(finding, "Jira", OPEN, replacing=None)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**37), 10**37) | st.text(),
    lambda inner: st.dictionaries(st.text(min_size=1), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.text(min_size=1), VALUES, max_size=4))
def test_values_are_written_as_boto3_writes_them_and_read_again(values):
    serializer = TypeSerializer()
    attributes = ticket_table._to_attributes(values)
    assert attributes == {name: serializer.serialize(value) for name, value in values.items()}
    assert ticket_table._from_attributes(attributes) == values


@pytest.mark.parametrize("value", [1.5, ["a"], b"a"])
def test_a_value_that_no_item_has_is_refused(value):
    with pytest.raises(TypeError, match=r"An item contains strings, whole numbers, .* not "):
        ticket_table._to_attributes({"a": value})
    with pytest.raises(TypeError, match="not SS"):
        ticket_table._from_attributes({"a": {"SS": ["x"]}})


@pytest.mark.parametrize(
    ("finding", "product"),
    [(parse_finding(asff_finding(1)), "product"), (parse_finding_v2(ocsf_finding(1)), "productv2")],
)
def test_what_has_to_be_looked_at_is_named_as_its_own_hub_does(table, finding, product):
    table.save(finding, "Jira", OPENING, replacing=None)
    (watched,) = table.watched()
    assert watched.product_arn == f"arn:aws:securityhub:eu-west-1::{product}/aws/securityhub"


def test_findings_of_both_hubs_about_one_issue_have_one_record(table):
    asff, ocsf = parse_finding(asff_finding(1)), parse_finding_v2(ocsf_finding(1))
    saved = table.save(ocsf, "Jira", OPENING, replacing=None)
    assert table.load(asff, "Jira") == saved
    with pytest.raises(ChangedMeanwhileError):
        table.save(asff, "Jira", OPENING, replacing=None)
