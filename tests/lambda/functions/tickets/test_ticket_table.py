from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError

from functions.tickets.contract import Ticket
from functions.tickets.entry import ChangedMeanwhileError, Entry, State, Watched, draft_of
from functions.tickets.ticket_table import TicketTable
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
def table(make_ticket_table):
    return make_ticket_table()


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


@pytest.mark.parametrize("nonce", ["", "0f" * 16])
def test_a_ticket_comes_with_the_key_of_its_draft(table, finding, nonce):
    table.save(finding, "Jira", replace(OPEN, generation=3, nonce=nonce), replacing=None)
    loaded = table.load(finding, "Jira")
    assert loaded.ticket.key == draft_of(loaded, finding).key
    assert loaded.earlier.key == ""


def test_the_time_of_the_first_attempt_is_kept(table, finding):
    later = replace(OPENING, since=NOW + timedelta(hours=1), tried=NOW)
    table.save(finding, "Jira", later, replacing=None)
    loaded = table.load(finding, "Jira")
    assert (loaded.since, loaded.first_tried) == (later.since, NOW)


def test_the_number_of_a_ticket_is_kept(table, finding):
    ticket = replace(OPEN.ticket, number="10002")
    table.save(finding, "Jira", replace(OPEN, ticket=ticket), replacing=None)
    loaded = table.load(finding, "Jira")
    assert (loaded.ticket.number, loaded.earlier.number) == ("10002", "")


def test_an_item_of_an_earlier_version_is_read(table, finding):
    saved = table.save(finding, "Jira", OPEN, replacing=None)
    table._items.client.update_item(
        TableName=table._items.name,
        Key={"finding": {"S": finding.digest}, "tracker": {"S": "Jira"}},
        UpdateExpression="REMOVE unlinked, account",
    )
    assert table.load(finding, "Jira") == replace(saved, account="")


def test_an_open_ticket_is_watched_until_it_is_reported(make_ticket_table_name, finding):
    table = TicketTable(create_client("dynamodb"), make_ticket_table_name(), reports=True)
    saved = table.save(finding, "Jira", OPEN, replacing=None)
    assert saved.reported == ""
    assert [one.state for one in table.watched()] == [State.OPEN]
    reported = replace(saved, reported=saved.milestone, reports=1)
    assert table.save(finding, "Jira", reported, replacing=saved) == table.load(finding, "Jira")
    assert list(table.watched()) == []


def test_what_becomes_of_tickets_while_nothing_is_reported_is_no_news_later(table, finding):
    saved = table.save(finding, "Jira", OPEN, replacing=None)
    assert saved.milestone == saved.reported == "1 open"
    table._items.client.update_item(
        TableName=table._items.name,
        Key={"finding": {"S": finding.digest}, "tracker": {"S": "Jira"}},
        UpdateExpression="REMOVE reported, reports",
    )
    assert table.load(finding, "Jira") == saved


@pytest.mark.parametrize("entry", [OPENING, replace(OPEN, reported="1 open", reports=2, change=7)])
def test_what_is_saved_comes_back_unchanged_with_its_revision(table, finding, entry):
    saved = table.save(finding, "Jira", entry, replacing=None)
    assert saved == replace(entry, revision=1)
    assert table.load(finding, "Jira") == saved
    again = table.save(finding, "Jira", entry, replacing=saved)
    assert table.load(finding, "Jira") == again == replace(entry, revision=2)


def test_the_key_of_a_record_leads_to_its_finding(table, finding):
    saved = table.save(finding, "Jira", OPEN, replacing=None)
    found, entry = table.load_named(finding.digest, "Jira")
    assert (found.id, found.product_arn, found.digest) == (finding.id, finding.product_arn, finding.digest)
    assert entry == saved
    assert table.load_named(finding.digest, "Slack") is None


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
