"""Groups with as many findings as an organization has of a control that everybody fails."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from functions.tickets.contract import Ticket
from functions.tickets.group_records import GroupState, GroupTicket, Member, Membership
from functions.tickets.group_table import _from_group_ticket, _from_member
from functions.tickets.group_ticket import Scan
from functions.tickets.grouping import GroupBy, Line, group_of, line_about
from functions.tickets.text import MAX_BODY_CHARACTERS
from securityhub.events import parse_finding
from tests.both_formats import asff_finding
from tests.ticket_histories import PASSED
from tests.vendor_servers.server import utf16_length

NOW = datetime(2026, 1, 31, 9, tzinfo=UTC)
TICKET = GroupTicket(generation=1, state=GroupState.OPEN, since=NOW, subject="S3.8")
MANY = 10_000


def members(number):
    for index in range(number):
        severity = ("LOW", "HIGH", "MEDIUM")[index % 3]
        line = Line(text=f"{severity} bucket-{index:06}", severity=severity, order=f"bucket-{index:06}")
        membership = Membership.OUT if index % 5 == 4 else Membership.IN
        yield Member(generation=1, membership=membership, line=line, since=NOW)


def scanned(number):
    scan = Scan(TICKET)
    for member in members(number):
        scan.add(member)
    return scan


def test_the_first_findings_of_many_are_those_of_the_highest_severity_in_order():
    scan = scanned(MANY)
    everyone = [one.line.text for one in members(MANY) if one.membership is Membership.IN]
    assert scan.open == len(everyone) == 8_000
    assert scan.severity == "HIGH"
    of_high = sorted(text for text in everyone if text.startswith("HIGH"))
    assert [one.line.text for one in scan.first] == of_high[:50]
    assert len(scan.settled) == 5


def test_the_memory_of_a_scan_does_not_grow_with_the_group():
    peaks = []
    for number in (2_000, 20_000):
        tracemalloc.start()
        scanned(number)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] * 1.2


def size(item):
    """How many bytes an item has at most, by its texts and names."""
    return sum(
        len(name.encode()) + (size(value) + 3 if isinstance(value, dict) else len(str(value).encode()) + 1)
        for name, value in item.items()
    )


@pytest.mark.parametrize("by", [by for by in GroupBy if by is not GroupBy.FINDING])
def test_the_items_of_a_group_are_small_however_much_a_finding_says(by):
    huge = {
        "Title": "𝄞" * 9_000,
        "Description": "𝄞" * 9_000,
        "GeneratorId": "𝄞" * 9_000,
        "Types": ["𝄞" * 9_000],
    }
    resource = {"Type": "𝄞" * 9_000, "Id": "𝄞" * 9_000}
    for product in ("aws/securityhub", "aws/macie", "example/scanner"):
        arn = f"arn:aws:securityhub:eu-west-1::product/{product}"
        finding = parse_finding({**asff_finding(1), **huge, "Resources": [resource], "ProductArn": arn})
        group, link = group_of(finding, by), Ticket(id="x" * 50, link="x" * 2_000)
        ticket = replace(TICKET, subject=group.subject, facts=group.facts, ticket=link, earlier=link)
        assert size(_from_group_ticket("Jira", ticket)) < 20_000
        member = Member(generation=1, membership=Membership.IN, line=line_about(finding, by), since=NOW)
        assert size(_from_member(member)) < 2_000


def with_many_records(world):
    """Prepare the world for thousands of findings, and return its first tracker."""
    world.group("control")
    entries = world.tickets.entries
    # That of the world looks through all records each time.
    world.tickets.load_all = lambda finding: {
        one.name: entries[finding.digest, one.name]
        for one in world.trackers
        if (finding.digest, one.name) in entries
    }
    return world.trackers[0]


@pytest.mark.long
def test_a_decision_about_ten_thousand_findings_is_one_look_and_a_message_for_each(world):
    jira = with_many_records(world)
    for number in range(MANY):
        world.import_finding(f"finding-{number:05}")
        assert world.handle(world.queue.pop()).failures == []
        world.queue.clear()
        world.history.clear()
    while world.refreshes.messages:
        world.refresh()
    world.follow_trackers()
    world.decide(jira, "JIRA-1", "Won't Do", by="Ann")
    looks, reads = jira.calls.count("look"), world.groups.reads
    assert world.handle(world.queue.pop()).failures == []
    assert len(world.refreshes.messages) == MANY
    assert jira.calls.count("look") == looks + 1
    # Once to see what the ticket lists, and once for the messages.
    assert world.groups.reads - reads <= 2 * MANY
    while world.refreshes.messages:
        world.refresh()
        world.queue.clear()
        world.history.clear()
    assert {one["Workflow"]["Status"] for one in world.findings.values()} == {"SUPPRESSED"}
    assert jira.calls.count("look") <= looks + 3
    assert len(jira.issues) == 1


@pytest.mark.long
def test_ten_thousand_findings_cost_one_ticket_few_edits_and_fit_into_every_limit(world):
    jira = with_many_records(world)

    def handle_each(minutes, change):
        began = world.start
        for number in range(MANY):
            change(number)
            event = world.queue.pop()
            world.queue.clear()
            world.history.clear()
            assert world.handle(event).failures == []
            world.start = began
            while world.refreshes.messages and number % (MANY // minutes) == 0:
                world.refresh()
                began = world.start
            world.start = began
        while world.refreshes.messages:
            world.refresh()

    resource = {"Type": "AwsS3Bucket"}

    def import_(number):
        arn = f"arn:aws:s3:::{'b' * 40}-{number:05}"
        world.import_finding(f"finding-{number:05}", Resources=[{**resource, "Id": arn}])

    handle_each(10, import_)
    (issue,) = jira.issues.values()
    assert jira.calls.count("open") == 1
    assert jira.calls.count("update") <= 12
    assert jira.calls.count("find") == 0
    assert issue.title.endswith("(10,000 findings)")
    assert utf16_length(issue.text) <= MAX_BODY_CHARACTERS
    shown = [line for line in issue.text.splitlines() if line.startswith("CRITICAL ")]
    assert shown == sorted(shown)
    assert issue.text.splitlines()[-1] == f"And {MANY - len(shown):,} more."
    assert all(len(finding["UserDefinedFields"]["Tickets"]) <= 1024 for finding in world.findings.values())

    reads = world.groups.reads
    handle_each(10, lambda number: world.import_finding(f"finding-{number:05}", **PASSED))
    assert not issue.is_open
    assert jira.calls.count("resolve") == 1
    assert jira.calls.count("update") <= 26
    # The whole group is read for an edit, and not for a finding.
    assert world.groups.reads - reads <= 2 * 16 * MANY
    assert issue.text.splitlines()[-1] == "Open: none"
    assert world.groups.pending() == []
