from __future__ import annotations

import datetime as dt
from types import SimpleNamespace

import pytest

from functions.tickets.contract import Abilities, TooManyChangesError
from functions.tickets.polling import poll
from functions.tickets.services import Invocation

NOW = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)


class Poller:
    """A tracker, its index, and its queue, all in one, which remember what is asked of them."""

    name = "Jira"
    abilities = Abilities()

    def __init__(self):
        self.until, self.asked, self.queued, self.is_queue_down = NOW - dt.timedelta(minutes=5), [], [], False

    def changed(self, since, until):
        self.asked.append((since, until))
        return ["SEC-1"]

    def polled_until(self, _):
        return self.until

    def set_polled_until(self, _, time):
        self.until = time

    def send(self, _, ticket_ids):
        if self.is_queue_down:
            raise OSError("The queue is down")
        self.queued += ticket_ids

    def poll(self):
        services = SimpleNamespace(trackers=(self,), meanings={"Jira": None}, index=self, hints=self)
        invocation = Invocation(request_id="r", function_arn="f", now=lambda: NOW)
        return poll(services=services, invocation=invocation)


@pytest.fixture
def poller():
    return Poller()


def test_a_poll_begins_ten_minutes_before_the_last_one_ended_because_clocks_and_searches_are_behind(poller):
    assert poller.poll().queued == {"Jira": 1}
    assert poller.asked == [(NOW - dt.timedelta(minutes=15), NOW)]
    assert poller.until == NOW


@pytest.mark.parametrize("minutes", [5, 60])
def test_what_a_search_can_lack_for_hours_is_asked_for_again_every_four_hours(poller, minutes):
    """A day of polls, the last of which ends at noon."""
    poller.abilities = Abilities(lists_within=dt.timedelta(hours=12))
    poller.until = NOW - dt.timedelta(days=1, minutes=minutes)
    services = SimpleNamespace(trackers=(poller,), meanings={"Jira": None}, index=poller, hints=poller)
    now = NOW - dt.timedelta(days=1)
    while now <= NOW:
        poll(services=services, invocation=Invocation(request_id="r", function_arn="f", now=lambda: now))  # noqa: B023
        now += dt.timedelta(minutes=minutes)
    late = [(since, until) for since, until in poller.asked if until - since > dt.timedelta(hours=11)]
    assert len(late) == 7
    assert all(until - since == dt.timedelta(hours=11, minutes=50) for since, until in late)
    # Whatever changed is asked for seven hours later, or more.
    for hours in range(9, 24):
        changed = NOW - dt.timedelta(hours=hours)
        assert any(
            since <= changed and changed + dt.timedelta(hours=6, minutes=50) <= until for since, until in late
        )
    assert poller.until == NOW


def test_what_a_search_can_lack_is_not_asked_for_where_it_lacks_nothing(poller):
    poller.until = NOW - dt.timedelta(hours=5)
    poller.poll()
    assert all(until - since <= dt.timedelta(hours=1) for since, until in poller.asked)


def test_what_could_not_be_queued_is_asked_for_again(poller):
    began, poller.is_queue_down = poller.until, True
    assert poller.poll().failures == {"Jira": "OSError: The queue is down"}
    assert poller.until == began
    poller.is_queue_down = False
    poller.poll()
    assert (poller.queued, poller.until) == (["SEC-1"], NOW)


class Pollers:
    """Two trackers with an index and a queue, of which one answers slowly by their common clock."""

    def __init__(self, pages=1):
        self.seconds, self.pages = 0, pages
        self.until = dict.fromkeys(("Jira", "PagerDuty"), NOW - dt.timedelta(hours=20))
        self.queued = []

    def slow(self, *_):
        for number in range(self.pages):
            self.seconds += 30
            yield f"SEC-{number}"

    def polled_until(self, name):
        return self.until[name]

    def set_polled_until(self, name, time):
        self.until[name] = time

    def send(self, name, ticket_ids):
        self.queued += [name, *ticket_ids]

    def poll(self):
        slow, quick = self.slow, lambda *_: ["P1"]
        services = SimpleNamespace(
            trackers=(
                SimpleNamespace(name="Jira", changed=slow, abilities=Abilities()),
                SimpleNamespace(name="PagerDuty", changed=quick, abilities=Abilities()),
            ),
            meanings=self.until,
            index=self,
            hints=self,
            unread=None,
        )
        clock = lambda: self.seconds  # noqa: E731
        return poll(
            services=services,
            invocation=Invocation(request_id="r", function_arn="f", now=lambda: NOW, clock=clock),
        )


@pytest.mark.parametrize("pages", [1, 1000])
def test_a_tracker_that_is_slow_or_far_behind_leaves_the_others_their_share_of_the_time(pages):
    pollers = Pollers(pages)
    assert pollers.poll().failures == {"Jira": "There was no time to poll it to the end"}
    assert pollers.until["PagerDuty"] == NOW
    assert (pollers.until["Jira"] > NOW - dt.timedelta(hours=20)) is (pages == 1)


class BusyPoller(Poller):
    """A tracker in which something changes all the time, and that lists so many changes at once."""

    def __init__(self, *, each=dt.timedelta(seconds=1), at_once=100):
        super().__init__()
        self.each, self.at_once, self.seconds = each, at_once, 0
        self.until = NOW - dt.timedelta(hours=2)

    def changed(self, since, until):
        self.seconds += 1
        if (until - since) / self.each > self.at_once:
            raise TooManyChangesError(f"There are too many from {since} to {until}")
        self.asked.append((since, until))
        self.seconds += 4
        return [f"SEC-{since:%H%M%S}"]

    def poll(self):
        services = SimpleNamespace(
            trackers=(self,), meanings={"Jira": None}, index=self, hints=self, unread=None
        )
        invocation = Invocation(
            request_id="r", function_arn="f", now=lambda: NOW, clock=lambda: float(self.seconds)
        )
        return poll(services=services, invocation=invocation)


def test_where_too_much_changes_in_a_window_shorter_ones_are_polled_and_remembered():
    poller = BusyPoller()
    began, polls = poller.until, 0
    while poller.until < NOW:
        before, polls = poller.until, polls + 1
        poller.poll()
        assert poller.until > before
    assert polls > 1
    # From each begin of a poll, ten minutes before the end of the last one, nothing is left out.
    ends = {began - dt.timedelta(minutes=10)}
    for since, until in poller.asked:
        assert since in ends or since + dt.timedelta(minutes=10) in ends
        ends.add(until)
    assert max(ends) == NOW


def test_a_moment_in_which_too_much_changes_is_a_failure_that_says_so():
    poller = BusyPoller(each=dt.timedelta(microseconds=1))
    began = poller.until
    assert "TooManyChangesError: There are too many from" in poller.poll().failures["Jira"]
    assert poller.until == began
