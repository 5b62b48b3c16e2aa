from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError

from functions.tickets.contract import Ticket
from functions.tickets.decisions import Decision
from functions.tickets.entry import ChangedMeanwhileError
from functions.tickets.group_records import (
    Changes,
    Decided,
    GroupState,
    GroupTicket,
    Member,
    Membership,
    Pending,
)
from functions.tickets.group_scan import Scan, group_draft
from functions.tickets.group_table import GroupTable
from functions.tickets.grouping import Line
from invocation.clients import create_client

NOW = datetime(2026, 1, 31, 9, 2, 41, 229_000, tzinfo=UTC)
GROUP, OTHER = "a" * 64, "b" * 64
OPENING = GroupTicket(
    generation=1, state=GroupState.OPENING, since=NOW, subject="S3.8", facts={"Control": "S3.8"}
)
OPEN = replace(
    OPENING,
    state=GroupState.OPEN,
    ticket=Ticket(id="SEC-2", link="https://example.com/SEC-2"),
    earlier=Ticket(id="SEC-1", link="https://example.com/SEC-1"),
    shown="digest",
    severity="HIGH",
    edits=3,
    rule="0123456789abcdef",
    edited=NOW,
    listed=7,
    opener="f#1",
    offered=5,
    decided=Decided(
        ticket="SEC-2", decision=Decision(kind="SUPPRESSED", name="Won't Do", by="Ann"), listed=6
    ),
    previous=Decided(
        ticket="SEC-1", decision=Decision(kind="RESOLVED", name="Done", by="", status="RESOLVED"), listed=4
    ),
    tells=True,
)
MEMBER = Member(
    generation=2,
    membership=Membership.IN,
    line=Line(text="HIGH bucket", severity="HIGH", order="bucket"),
    since=NOW,
    digest="f",
)
LEFT = replace(MEMBER, membership=Membership.OUT)
WAITING = replace(MEMBER, membership=Membership.WAITING)


@pytest.fixture
def groups(make_ticket_table):
    table = make_ticket_table()
    return GroupTable(table._items.client, table._items.name)


@pytest.mark.parametrize("ticket", [OPENING, OPEN])
def test_a_ticket_comes_back_unchanged_with_its_revision(groups, ticket):
    assert groups.load(GROUP, "Jira") is None
    saved = groups.save(GROUP, "Jira", ticket, replacing=None)
    assert groups.load(GROUP, "Jira") == saved == replace(ticket, revision=1)
    assert groups.save(GROUP, "Jira", ticket, replacing=saved).revision == 2
    assert groups.load(GROUP, "Slack") is groups.load(OTHER, "Jira") is None


@pytest.mark.parametrize("nonce", ["", "0f" * 16])
def test_a_ticket_comes_with_the_key_of_its_draft(groups, nonce):
    groups.save(GROUP, "Jira", replace(OPEN, generation=3, nonce=nonce), replacing=None)
    loaded = groups.load(GROUP, "Jira")
    assert loaded.ticket.key == group_draft(GROUP, loaded, Scan(loaded), None).key
    assert loaded.earlier.key == ""


def test_the_number_of_a_ticket_is_kept(groups):
    ticket = replace(OPEN.ticket, number="10002")
    groups.save(GROUP, "Jira", replace(OPEN, ticket=ticket), replacing=None)
    loaded = groups.load(GROUP, "Jira")
    assert (loaded.ticket.number, loaded.earlier.number) == ("10002", "")


@pytest.mark.parametrize("outdated", [False, True])
def test_a_ticket_that_was_changed_meanwhile_is_not_overwritten(groups, outdated):
    first = groups.save(GROUP, "Jira", OPENING, replacing=None)
    second = groups.save(GROUP, "Jira", OPEN, replacing=first)
    with pytest.raises(ChangedMeanwhileError):
        groups.save(GROUP, "Jira", OPENING, replacing=first if outdated else None)
    assert groups.load(GROUP, "Jira") == second


@pytest.mark.parametrize("member", [MEMBER, LEFT, WAITING, replace(MEMBER, unsaid=True)])
def test_a_finding_comes_back_unchanged(groups, member):
    assert groups.member(GROUP, "Jira", "f") is None
    assert groups.put_member(GROUP, "Jira", "f", member)
    assert groups.member(GROUP, "Jira", "f") == member
    assert [*groups.members(GROUP, "Jira")] == [member]


def test_only_the_findings_of_the_group_and_tracker_are_listed(groups):
    groups.save(GROUP, "Jira", OPEN, replacing=None)
    groups.mark(GROUP, "Jira", joins=True)
    for key, tracker, digest in ((GROUP, "Jira", "f"), (GROUP, "Slack", "g"), (OTHER, "Jira", "h")):
        groups.put_member(key, tracker, digest, replace(MEMBER, line=replace(MEMBER.line, text=digest)))
    assert [member.line.text for member in groups.members(GROUP, "Jira")] == ["f"]


@pytest.mark.parametrize(
    ("before", "after", "takes"),
    [
        (MEMBER, replace(MEMBER, generation=3), True),
        (MEMBER, replace(MEMBER, generation=1), False),
        (MEMBER, replace(LEFT, generation=1), False),
        (MEMBER, LEFT, True),
        (LEFT, LEFT, True),
        (LEFT, MEMBER, False),
        (LEFT, WAITING, False),
        (LEFT, replace(MEMBER, generation=3), True),
        (MEMBER, WAITING, True),
        (WAITING, MEMBER, True),
        (WAITING, LEFT, True),
    ],
)
def test_a_step_that_comes_too_late_changes_nothing(groups, before, after, takes):
    groups.put_member(GROUP, "Jira", "f", before)
    assert groups.put_member(GROUP, "Jira", "f", after) is takes
    assert groups.member(GROUP, "Jira", "f") == (after if takes else before)


def test_only_what_left_expires(groups):
    for digest, member in (("in", MEMBER), ("out", LEFT)):
        groups.put_member(GROUP, "Jira", digest, member)
    items = groups._items.client.scan(TableName=groups._items.name)["Items"]
    expiring = {item["tracker"]["S"]: item.get("expires") for item in items}
    expected = {"N": str(int((NOW + timedelta(days=30)).timestamp()))}
    assert expiring == {"Jira#finding#in": None, "Jira#finding#out": expected}


def test_a_ticket_is_pending_until_its_last_change_is_settled(groups):
    assert groups.changes(GROUP, "Jira") == Changes(number=0, joined=0, is_pending=False)
    assert groups.mark(GROUP, "Jira", joins=True) == (True, 1)
    assert groups.mark(GROUP, "Jira", joins=False) == (False, 2)
    assert groups.changes(GROUP, "Jira") == Changes(number=2, joined=1, is_pending=True)
    groups.mark(OTHER, "Slack", joins=False)
    assert [*groups.pending()] == [
        Pending(key=GROUP, tracker="Jira"),
        Pending(key=OTHER, tracker="Slack"),
    ]
    assert not groups.settle(GROUP, "Jira", 1)
    assert groups.settle(GROUP, "Jira", 2)
    assert groups.changes(GROUP, "Jira") == Changes(number=2, joined=1, is_pending=False)
    assert [*groups.pending()] == [Pending(key=OTHER, tracker="Slack")]
    assert groups.mark(GROUP, "Jira", joins=False) == (True, 3)


def test_a_table_has_findings_and_groups_that_do_not_see_each_other(make_ticket_table):
    table = make_ticket_table()
    groups = GroupTable(table._items.client, table._items.name)
    groups.mark(GROUP, "Jira", joins=True)
    groups.put_member(GROUP, "Jira", "f", MEMBER)
    assert [*table.watched()] == []


def test_many_findings_are_read_page_by_page(groups, monkeypatch):
    for number in range(7):
        groups.put_member(GROUP, "Jira", str(number), MEMBER)
    client = create_client("dynamodb")
    monkeypatch.setattr(groups._items, "client", client)
    client.meta.events.register(
        "provide-client-params.dynamodb.Query", lambda params, **_: {**params, "Limit": 3}
    )
    assert len([*groups.members(GROUP, "Jira")]) == 7


@pytest.mark.usefixtures("function_aws")
def test_any_other_failure_is_not_taken_for_a_change():
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        GroupTable(create_client("dynamodb"), "nonsense").put_member(GROUP, "Jira", "f", MEMBER)
