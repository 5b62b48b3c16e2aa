"""Webhooks without AWS: which are genuine, new, and about a ticket."""

from __future__ import annotations

import json
import re
from http import HTTPStatus
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from functions.tracker_webhook.logic import MAX_BODY_BYTES, Answer, Services, receive
from functions.tracker_webhook.signatures import CHECKS, Request
from tests.forged_findings import JSON
from tests.hypothesis_profiles import examples
from tests.tracker_webhooks import jira_body, pager_duty_body, service_now_body, signed

TICKETS_PAGE = Path(__file__).parents[4] / "docs" / "tickets.md"
NOW = 1_780_000_000.0
SECRET, OTHER = "a secret of many characters", "another secret of many characters"
SYS_ID = "0123456789abcdef0123456789abcdef"
BODIES = {
    "jira": (jira_body("SEC-12", now=NOW), ("Jira", "SEC-12")),
    "pagerduty": (pager_duty_body("Q1ABC", now=NOW), ("PagerDuty", "Q1ABC")),
    "servicenow": (service_now_body(SYS_ID), ("ServiceNow", SYS_ID)),
}
TRACKERS = st.sampled_from(sorted(BODIES))
REFUSED = Answer(status=HTTPStatus.UNAUTHORIZED, said="wrong signature")


class DiedError(BaseException):
    """The end of a process, which nothing handles."""


class World:
    """The secret, the memory and the queue.

    Attributes:
        members: what the secret holds.
        queue: what was queued.
        kept: what is remembered, with the time until which it is.
        now: the time.
    """

    def __init__(self):
        self.members = {"secret": SECRET}
        self.queue, self.kept = [], {}
        self.now = NOW
        self.is_down = False
        self.until_death = None

    def checkpoint(self):
        """Die here if it's time: before or after anything that leaves the process."""
        if self.until_death is not None:
            self.until_death -= 1
            if self.until_death < 0:
                self.until_death = None
                raise DiedError

    def secret(self, _):
        self.checkpoint()
        return self.members

    def recall(self, key, *, now):
        self.checkpoint()
        return {} if self.kept.get(key, 0) >= now else None

    def keep(self, key, result, *, expires):
        assert result == {}
        self.checkpoint()
        self.kept[key] = expires
        self.checkpoint()

    def send(self, tracker, ticket_id):
        if self.is_down:
            raise ConnectionError
        self.checkpoint()
        self.queue.append((tracker, ticket_id))
        self.checkpoint()

    def receive(self, tracker, body, headers=None):
        headers = signed(tracker, body, SECRET, now=self.now) if headers is None else headers
        services = Services(
            secret_names=dict.fromkeys(BODIES, "example"),
            get_secret=self.secret,
            memory=self,
            send=self.send,
            now=lambda: self.now,
        )
        return receive(tracker, Request(headers=headers, body=body), services)


@pytest.fixture
def world():
    return World()


@pytest.mark.parametrize("tracker", BODIES)
def test_a_genuine_webhook_queues_its_ticket_and_nothing_else(world, tracker):
    body, queued = BODIES[tracker]
    assert world.receive(tracker, body) == Answer(status=HTTPStatus.OK, said="queued")
    assert world.queue == [queued]


@pytest.mark.parametrize("tracker", BODIES)
def test_a_replay_queues_nothing_however_often_it_comes(world, tracker):
    body, queued = BODIES[tracker]
    headers = signed(tracker, body, SECRET, now=NOW)
    for seconds in (0, 1, 290, 3_600, 80_000, 90_000, 1_000_000):
        world.now = NOW + seconds
        world.receive(tracker, body, headers)
    assert world.queue == [queued]


def test_the_second_change_of_an_incident_within_one_second_is_queued(world):
    (script,) = re.findall(r"var body = JSON.stringify\((.*)\);", TICKETS_PAGE.read_text())
    assert script == '{ sys_id: current.getUniqueValue(), updates: current.getValue("sys_mod_count") }'
    for updates in (1, 2, 2):
        body = service_now_body(SYS_ID, updates=updates)
        world.receive("servicenow", body, signed("servicenow", body, SECRET, now=NOW))
    assert world.queue == [("ServiceNow", SYS_ID)] * 2


@pytest.mark.parametrize("header", ["x-atlassian-webhook-identifier", "x-securityhub-timestamp"])
def test_a_replay_with_another_header_that_is_not_signed_is_still_one(world, header):
    body, queued = BODIES["jira"]
    for number in ("1", "2"):
        assert world.receive("jira", body, {**signed("jira", body, SECRET, now=NOW), header: number})
    assert world.queue == [queued]


@pytest.mark.parametrize("tracker", BODIES)
@pytest.mark.parametrize(
    "members", [{"secret": OTHER, "previous": SECRET}, {"secret": SECRET, "previous": OTHER}]
)
def test_while_a_secret_is_replaced_either_signs(world, tracker, members):
    world.members = members
    assert world.receive(tracker, BODIES[tracker][0]).said == "queued"


@pytest.mark.parametrize("tracker", BODIES)
def test_a_webhook_signed_with_a_secret_that_is_no_longer_one_is_refused(world, tracker):
    world.members = {"secret": OTHER}
    assert world.receive(tracker, BODIES[tracker][0]) == REFUSED
    assert world.queue == []


@pytest.mark.parametrize("tracker", BODIES)
@pytest.mark.parametrize("seconds", [-301, 301])
def test_a_time_that_is_not_now_is_refused_where_the_request_has_a_signed_one(world, tracker, seconds):
    body, _ = BODIES[tracker]
    headers = signed(tracker, body, SECRET, now=NOW + seconds)
    answer = world.receive(tracker, body, headers)
    assert (answer == REFUSED) == (tracker == "servicenow")


@pytest.mark.parametrize("body_of", [jira_body, pager_duty_body])
@pytest.mark.parametrize("seconds", [-90_000, 400])
def test_a_body_that_was_not_made_within_a_day_queues_nothing(world, body_of, seconds):
    tracker, ticket = ("jira", "SEC-1") if body_of is jira_body else ("pagerduty", "Q1")
    answer = world.receive(tracker, body_of(ticket, now=NOW + seconds))
    assert answer == Answer(status=HTTPStatus.OK, said="too old")
    assert world.queue == []


@given(tracker=TRACKERS, body=st.binary(max_size=300), position=st.integers(0, 299), bit=st.integers(0, 7))
@examples(2)
def test_any_body_passes_with_its_signature_and_no_changed_one_does(tracker, body, position, bit):
    headers = signed(tracker, body, SECRET, now=NOW)
    assert CHECKS[tracker](Request(headers=headers, body=body), [SECRET], NOW) is not None
    changed = bytearray(body or b"\0")
    changed[position % len(changed)] ^= 1 << bit
    for other in (bytes(changed), body + b" ", body[:-1] if body else b"{}"):
        assert CHECKS[tracker](Request(headers=headers, body=other), [SECRET], NOW) is None


@given(tracker=TRACKERS, name=st.integers(0, 1), position=st.integers(0, 200), character=st.characters())
@examples(2)
def test_no_changed_signature_passes(tracker, name, position, character):
    body, _ = BODIES[tracker]
    headers = signed(tracker, body, SECRET, now=NOW)
    header = list(headers)[name % len(headers)]
    value = headers[header]
    place = position % len(value)
    changed = value[:place] + character + value[place + 1 :]
    assume(changed.strip() != value)
    # The first signature of PagerDuty is another secret's.
    assume(tracker != "pagerduty" or place > value.index(","))
    assert CHECKS[tracker](Request(headers={**headers, header: changed}, body=body), [SECRET], NOW) is None


@given(
    tracker=TRACKERS,
    headers=st.dictionaries(
        st.sampled_from(
            [
                "x-hub-signature",
                "x-pagerduty-signature",
                "x-securityhub-signature",
                "x-securityhub-timestamp",
            ]
        ),
        st.one_of(st.text(), st.just(str(int(NOW))), st.just("v1="), st.just("sha256=")),
    ),
)
@examples(1)
def test_whatever_a_stranger_sends_is_refused_without_a_trace(tracker, headers):
    world = World()
    assert world.receive(tracker, BODIES[tracker][0], headers) == REFUSED
    assert (world.queue, world.kept) == ([], {})


@given(tracker=TRACKERS, body=JSON)
@examples(2)
def test_whatever_is_signed_is_answered(tracker, body):
    world = World()
    world.receive(tracker, json.dumps(body).encode())
    for ticket in world.queue:
        assert len(ticket[1]) <= 300


def test_a_body_that_is_too_large_is_refused_before_its_signature_is_checked(world):
    assert world.receive("jira", b"x" * (MAX_BODY_BYTES + 1)).status == 413
    assert world.receive("jira", b"x" * MAX_BODY_BYTES).status == HTTPStatus.BAD_REQUEST


@pytest.mark.parametrize("tracker", ["", "trello", "../jira"])
def test_a_path_without_a_tracker_is_not_found(world, tracker):
    assert world.receive(tracker, b"{}", {}).status == HTTPStatus.NOT_FOUND


@pytest.mark.parametrize(
    ("tracker", "body"),
    [
        ("jira", jira_body("SEC-1", now=NOW, changed=("description", "labels"))),
        ("jira", jira_body("SEC-1", now=NOW, event="jira:issue_created")),
        ("pagerduty", pager_duty_body("Q1", now=NOW, event="incident.annotated")),
    ],
)
def test_what_closes_or_reopens_no_ticket_queues_nothing(world, tracker, body):
    assert world.receive(tracker, body) == Answer(status=HTTPStatus.OK, said="nothing to do")
    assert world.queue == []


@pytest.mark.parametrize(
    ("tracker", "body"),
    [
        ("jira", b"no JSON"),
        ("jira", b"[]"),
        ("jira", b'{"webhookEvent": "jira:issue_updated", "issue": {"key": "SEC-1"}}'),
        ("jira", jira_body('SEC-1" OR 1=1', now=NOW)),
        ("pagerduty", pager_duty_body("../services", now=NOW)),
        ("servicenow", service_now_body("../../sys_user")),
    ],
)
def test_a_signed_body_of_another_form_is_refused(world, tracker, body):
    assert world.receive(tracker, body).status == HTTPStatus.BAD_REQUEST
    assert world.queue == []


def test_a_ticket_that_was_not_queued_is_queued_when_the_webhook_comes_again(world):
    body, queued = BODIES["jira"]
    world.is_down = True
    with pytest.raises(ConnectionError):
        world.receive("jira", body)
    world.is_down = False
    assert world.receive("jira", body).said == "queued"
    assert world.queue == [queued]


@given(
    st.lists(
        # Which webhook is delivered, after how many calls the process ends, and how much later the next is.
        st.tuples(st.integers(0, 5), st.none() | st.integers(0, 6), st.integers(0, 40)),
        max_size=30,
    )
)
@examples(2)
def test_wherever_it_dies_a_webhook_that_was_answered_is_queued_and_one_that_was_not_is_when_it_comes_again(
    deliveries,
):
    """The deliveries come in any order, and again and again, as trackers repeat what failed."""
    world = World()
    made = [(name, body, ticket) for name, (body, ticket) in sorted(BODIES.items())]
    made += [
        ("jira", jira_body("SEC-12", now=NOW + 1), ("Jira", "SEC-12")),
        ("jira", jira_body("SEC-13", now=NOW), ("Jira", "SEC-13")),
        ("pagerduty", pager_duty_body("Q1ABC", now=NOW, event="incident.reopened"), ("PagerDuty", "Q1ABC")),
    ]
    sent = [(name, body, signed(name, body, SECRET, now=NOW), ticket) for name, body, ticket in made]
    answered, deaths = set(), [0] * len(sent)
    for which, death, later in deliveries:
        name, body, headers, _ = sent[which]
        world.until_death = death
        try:
            answer = world.receive(name, body, headers)
        except DiedError:
            deaths[which] += 1
        else:
            assert answer.said in ("queued", "known already")
            answered.add(which)
        world.until_death = None
        world.now = min(world.now + later, NOW + 290)
    for which, (*_, ticket) in enumerate(sent):
        same = [number for number, (*_, other) in enumerate(sent) if other == ticket]
        if which in answered:
            assert ticket in world.queue
        assert world.queue.count(ticket) <= len({*same} & answered) + sum(deaths[number] for number in same)
    # The trackers repeat the rest. After that, nothing that comes again is queued.
    for name, body, headers, _ in sent:
        world.receive(name, body, headers)
    assert {*world.queue} == {ticket for *_, ticket in sent}
    queued = list(world.queue)
    for name, body, headers, _ in reversed(sent):
        assert world.receive(name, body, headers).said == "known already"
    assert world.queue == queued


@pytest.mark.parametrize(
    "members", [{}, {"secret": ""}, {"secret": "short"}, {"secret": SECRET, "previous": "x"}]
)
def test_a_secret_that_is_missing_or_short_fails_without_being_shown(world, members):
    world.members = members
    with pytest.raises(ValueError, match="must be a JSON object with the string secret") as raised:
        world.receive("jira", BODIES["jira"][0])
    assert "short" not in str(raised.value)
