"""The index of tickets and the queue of changed ones, on the embedded AWS."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from functions.tickets.contract import Ticket
from functions.tickets.decisions import Decision
from functions.tickets.entry import Entry, State
from functions.tickets.group_records import GroupState, GroupTicket
from functions.tickets.group_table import GroupTable
from functions.tickets.grouping import GroupBy, GroupRef
from functions.tickets.hints import Hint
from functions.tickets.hints_queue import HintsQueue
from functions.tickets.sending import NotQueuedError
from functions.tickets.ticket_index import TICKET_INDEX, StoredTicketIndex
from functions.tickets.ticket_table import TicketTable
from functions.tickets.unread_hints import StoredUnreadHints
from invocation.clients import create_client
from securityhub.events import parse_finding, parse_finding_v2
from tests.both_formats import asff_finding, ocsf_finding

NOW = datetime(2026, 1, 31, 9, 2, 41, 229_000, tzinfo=UTC)
OPEN = Entry(
    generation=1,
    state=State.OPEN,
    since=NOW,
    seen=(NOW, NOW),
    verdict="",
    account="111122223333",
    ticket=Ticket(id="SEC-2", link="https://example.com/SEC-2"),
)


@pytest.fixture
def name(function_aws):
    """The name of a new table with the index."""
    name = f"tickets-{uuid4().hex[:12]}"
    function_aws.client("dynamodb").create_table(
        TableName=name,
        KeySchema=[
            {"AttributeName": "finding", "KeyType": "HASH"},
            {"AttributeName": "tracker", "KeyType": "RANGE"},
        ],
        AttributeDefinitions=[
            {"AttributeName": one, "AttributeType": "S"} for one in ("finding", "tracker", "ticketId")
        ],
        GlobalSecondaryIndexes=[
            {
                "IndexName": TICKET_INDEX,
                "KeySchema": [{"AttributeName": "ticketId", "KeyType": "HASH"}],
                "Projection": {
                    "ProjectionType": "INCLUDE",
                    "NonKeyAttributes": ["account", "findingId", "productArn"],
                },
            }
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    return name


@pytest.fixture
def index(name):
    return StoredTicketIndex(create_client("dynamodb"), name)


@pytest.fixture
def table(name):
    return TicketTable(create_client("dynamodb"), name)


@pytest.mark.parametrize("finding", [parse_finding(asff_finding(1)), parse_finding_v2(ocsf_finding(1))])
def test_a_ticket_leads_to_its_finding_as_its_own_hub_knows_it(table, index, finding):
    entry = replace(OPEN, account=finding.aws_account_id)
    saved = table.save(finding, "Jira", entry, replacing=None)
    (found,), groups = index.owners_of("Jira", "SEC-2")
    assert groups == []
    assert (found.id, found.product_arn, found.product_uid, found.aws_account_id) == (
        finding.id,
        finding.product_arn,
        finding.product_uid,
        finding.aws_account_id,
    )
    assert table.load(found, "Jira") == saved
    assert index.owners_of("Slack", "SEC-2") == index.owners_of("Jira", "SEC-1") == ([], [])


def test_a_ticket_leads_to_its_group_and_not_to_the_findings_in_it(table, index, name):
    group = GroupRef(by=GroupBy.CONTROL, key="a" * 64)
    table.save(parse_finding(asff_finding(1)), "Jira", replace(OPEN, group=group), replacing=None)
    groups = GroupTable(create_client("dynamodb"), name)
    ticket = GroupTicket(
        generation=1, state=GroupState.OPEN, since=NOW, subject="S3.8", ticket=OPEN.ticket, facts={}
    )
    saved = groups.save("a" * 64, "Jira", ticket, replacing=None)
    assert index.owners_of("Jira", "SEC-2") == ([], ["a" * 64])
    assert index.owners_of("Slack", "SEC-2") == ([], [])
    following = replace(ticket, generation=2, ticket=Ticket(id="SEC-3", link="https://example.com/SEC-3"))
    groups.save("a" * 64, "Jira", following, replacing=saved)
    assert index.owners_of("Jira", "SEC-2") == ([], [])
    assert index.owners_of("Jira", "SEC-3") == ([], ["a" * 64])


def test_a_finding_that_has_no_ticket_yet_or_another_one_by_now_is_not_found(table, index):
    finding = parse_finding(asff_finding(1))
    opening = replace(OPEN, state=State.OPENING, ticket=None)
    first = table.save(finding, "Jira", opening, replacing=None)
    assert index.owners_of("Jira", "SEC-2") == ([], [])
    second = table.save(finding, "Jira", OPEN, replacing=first)
    later = replace(OPEN, generation=2, ticket=Ticket(id="SEC-3", link="https://example.com/SEC-3"))
    table.save(finding, "Jira", later, replacing=second)
    assert index.owners_of("Jira", "SEC-2") == ([], [])
    assert len(index.owners_of("Jira", "SEC-3")[0]) == 1


def test_tickets_of_an_earlier_version_are_added_to_the_index(table, index, name):
    finding, client = parse_finding(asff_finding(1)), create_client("dynamodb")
    saved = table.save(finding, "Jira", OPEN, replacing=None)
    table.save(finding, "Slack", replace(OPEN, state=State.OPENING, ticket=None), replacing=None)
    client.update_item(
        TableName=name,
        Key={"finding": {"S": finding.digest}, "tracker": {"S": "Jira"}},
        UpdateExpression="REMOVE ticketId",
    )
    assert index.owners_of("Jira", "SEC-2") == ([], [])
    for _ in range(2):
        index.complete()
    assert [one.id for one in index.owners_of("Jira", "SEC-2")[0]] == [finding.id]
    assert table.load(finding, "Jira") == saved


def test_a_ticket_that_was_replaced_meanwhile_is_not_added(table, index):
    finding = parse_finding(asff_finding(1))
    table.save(finding, "Jira", OPEN, replacing=None)
    index._add(finding.digest, "Jira", "SEC-1")
    assert index.owners_of("Jira", "SEC-1") == ([], [])


def test_the_time_of_a_poll_is_kept_for_each_tracker_and_is_no_ticket(table, index):
    assert index.polled_until("Jira") is None
    index.set_polled_until("Jira", NOW)
    assert (index.polled_until("Jira"), index.polled_until("Slack")) == (NOW, None)
    index.complete()
    assert table.load_all(parse_finding(asff_finding(1))) == {}


def test_a_decision_is_kept_with_its_ticket(table):
    decision = Decision(kind="SUPPRESSED", name="Won't Do", by="Ann", status="SUPPRESSED")
    finding = parse_finding(asff_finding(1))
    saved = table.save(finding, "Jira", replace(OPEN, state=State.DECIDED, decision=decision), replacing=None)
    assert table.load(finding, "Jira") == saved
    assert saved.decision == decision


def test_a_hint_is_kept_once_with_the_earliest_time_until_it_is_dropped(name):
    unread = StoredUnreadHints(create_client("dynamodb"), name)
    hints = [
        Hint(tracker=tracker, ticket_id="SEC-1", since=NOW + timedelta(hours=hours))
        for tracker, hours in (("Jira", 2), ("Jira", 1), ("Jira", 3), ("ServiceNow", 0))
    ]
    for hint in hints:
        unread.note(hint)
    (before,) = unread.of("Jira")
    assert before.hint == hints[1]
    unread.note(hints[2])
    unread.drop(before)
    (after,) = unread.of("Jira")
    assert (after.hint, after.noted == before.noted) == (hints[1], False)
    unread.drop(after)
    unread.drop(after)
    assert [*unread.of("Jira")] == []
    assert len([*unread.of("ServiceNow")]) == 1


@pytest.mark.usefixtures("function_aws")
def test_a_hint_that_could_not_be_read_says_so_in_the_queue():
    sqs = create_client("sqs")
    url = sqs.create_queue(QueueName=f"hints-{uuid4().hex[:12]}")["QueueUrl"]
    hint = Hint(tracker="Jira", ticket_id="SEC-1", since=NOW)
    HintsQueue(sqs, url).send_again([hint])
    (message,) = sqs.receive_message(QueueUrl=url)["Messages"]
    assert Hint.from_message(json.loads(message["Body"])) == hint


def test_any_number_of_tickets_is_queued(function_aws):
    url = function_aws.client("sqs").create_queue(QueueName=f"changes-{uuid4().hex[:8]}")["QueueUrl"]
    HintsQueue(create_client("sqs"), url).send("Jira", [f"SEC-{number}" for number in range(23)])
    received = []
    while (
        messages := function_aws.client("sqs")
        .receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=0)
        .get("Messages")
    ):
        received += [json.loads(one["Body"])["ticket"] for one in messages]
    assert sorted(received) == sorted(f"SEC-{number}" for number in range(23))


def test_a_ticket_that_sqs_does_not_take_fails_the_poll():
    class Full:
        def send_message_batch(self, **_):
            return {"Failed": [{"Id": "0", "Message": "Try again"}]}

    with pytest.raises(NotQueuedError, match="SQS did not take 1 messages: Try again"):
        HintsQueue(Full(), "https://example.com").send("Jira", ["SEC-1"])


def test_a_ticket_to_be_looked_at_later_is_received_when_the_index_surely_has_it():
    sent = []

    class Recording:
        def send_message_batch(self, **request):
            sent.append(request)
            return {}

    HintsQueue(Recording(), "https://example.com").send_later("Jira", "SEC-1")
    ((entry,),) = (one["Entries"] for one in sent)
    assert (entry["DelaySeconds"], entry["MessageBody"]) == (60, '{"tracker": "Jira", "ticket": "SEC-1"}')
