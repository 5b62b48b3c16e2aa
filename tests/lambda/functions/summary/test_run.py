from __future__ import annotations

import json
from datetime import UTC, timedelta

import pytest
from botocore.exceptions import ClientError

from functions.summary.figures import Figures, Remediations
from functions.summary.finding_pages import Pace, PageNotReadError
from functions.summary.run import ATTEMPTS, Run, Services, Summary, SummaryIncompleteError
from functions.summary.sources import OutOfTimeError
from invocation.once import WorkInProgressError
from tests.summaries import NOW, MemoryPages, MemoryStorage, finding

DAILY = Run(schedule="daily", scheduled=NOW)


class World:
    """A summary and all that it reads and sends, in memory.

    Attributes:
        sent: The reports by channel.
        down: The channels that take nothing.
        seconds: The time that the attempt has left.
    """

    def __init__(self, memory_store):
        self.pages = MemoryPages(CRITICAL=[finding(1, severity="CRITICAL")], LOW=[finding(2, severity="LOW")])
        self.storage = MemoryStorage()
        self.store = memory_store
        self.sent, self.down, self.seconds = {}, set(), 900
        self.dead_letters = lambda: {"Routing": 0}
        self.remediations = None

    def channel(self, name):
        def send(report, _run):
            if name in self.down:
                raise ConnectionError(name)
            self.sent.setdefault(name, []).append(report)

        return send

    def make(self, run=DAILY, *, once=None):
        services = Services(
            pages=self.pages,
            storage=self.storage,
            once=once or self.store.once(),
            dead_letters=self.dead_letters,
            remediations=self.remediations,
            channels={name: self.channel(name) for name in ("page", "topic", "Slack")},
            pace=Pace(1000, sleep=lambda _: None),
        )
        summary = Summary(
            services=services,
            overdue_days=(7, 30, 90, 180, 0),
            timezone="UTC",
            origin="Account 111122223333, eu-west-1",
        )
        return summary.make(run, seconds_left=lambda: self.seconds)

    def count_of(self, name):
        return len(self.sent.get(name, ()))


@pytest.fixture
def world(memory_store):
    return World(memory_store)


def test_every_channel_gets_the_summary(world):
    assert world.make() == {"open": 2, "channels": ["Slack", "page", "topic"]}
    assert {name: len(reports) for name, reports in world.sent.items()} == {"page": 1, "topic": 1, "Slack": 1}
    assert world.sent["topic"][0].headline == "1 critical, 0 high, 2 open in total"


def test_an_event_that_is_delivered_again_sends_nothing_again(world):
    world.make()
    assert world.make() == {"skipped": "It was sent before."}
    assert world.count_of("Slack") == 1


def test_an_event_that_is_delivered_twice_at_once_is_left_to_the_other_invocation(world):
    other = world.store.once()

    def during():
        assert "Another invocation" in world.make()["skipped"]
        return {"open": 0}

    other.run(DAILY.key, during)
    assert world.sent == {}


@pytest.mark.parametrize("down", [{"page"}, {"topic"}, {"Slack"}, {"page", "Slack"}])
def test_a_channel_that_is_down_does_not_keep_the_others_from_getting_it_and_gets_it_later(world, down):
    world.down = down
    for _ in range(2):
        with pytest.raises(SummaryIncompleteError, match=next(iter(down))):
            world.make()
    world.down = set()
    world.make()
    assert {name: world.count_of(name) for name in ("page", "topic", "Slack")} == {
        "page": 1,
        "topic": 1,
        "Slack": 1,
    }


def test_a_later_attempt_sends_the_same_figures_without_counting_again(world):
    world.down = {"Slack"}
    with pytest.raises(SummaryIncompleteError):
        world.make()
    requests = len(world.pages.requests)
    world.pages.parts["CRITICAL"].append(finding(9, severity="CRITICAL"))
    world.down = set()
    world.make()
    assert len(world.pages.requests) == requests
    assert world.sent["Slack"] == world.sent["topic"]


def test_an_attempt_without_time_sends_nothing_and_the_next_one_goes_on(world):
    world.seconds = 100
    with pytest.raises(SummaryIncompleteError, match="Attempt 1 ended before everything was counted"):
        world.make()
    assert world.sent == {}
    world.seconds = 900
    world.make()
    assert world.sent["topic"][0].incomplete == ""


def test_the_last_attempt_sends_what_there_is_says_what_is_missing_and_fails(world):
    world.pages.errors = {"LOW": [PageNotReadError("AccessDenied") for _ in range(ATTEMPTS)]}
    for attempt in range(1, ATTEMPTS + 1):
        assert world.sent == {}
        with pytest.raises(SummaryIncompleteError, match=r"low findings \(AccessDenied\)"):
            world.make()
        assert (world.count_of("topic") == 1) == (attempt == ATTEMPTS)
    (report,) = world.sent["topic"]
    assert report.incomplete == "This summary is incomplete. Not counted: low findings (AccessDenied)."
    assert report.headline.startswith("1 critical")
    assert world.storage.open == {}


def test_an_attempt_that_ends_without_warning_counts(world):
    class KilledError(BaseException):
        pass

    def die(*_):
        raise KilledError

    original = world.pages.page
    world.pages.page = die
    for _ in range(ATTEMPTS - 1):
        with pytest.raises(KilledError):
            world.make()
        world.store.seconds += 60
    world.pages.page = original
    world.pages.errors = {"LOW": [PageNotReadError("AccessDenied")]}
    with pytest.raises(SummaryIncompleteError):
        world.make()
    assert world.count_of("topic") == 1


def test_what_was_sent_incomplete_is_sent_again_when_it_is_complete(world):
    world.pages.errors = {"LOW": [PageNotReadError("AccessDenied") for _ in range(ATTEMPTS)]}
    for _ in range(ATTEMPTS):
        with pytest.raises(SummaryIncompleteError):
            world.make()
    # Somebody sends the dead letter again.
    world.make()
    assert [bool(one.incomplete) for one in world.sent["topic"]] == [True, False]
    assert world.make() == {"skipped": "It was sent before."}


def test_the_next_day_is_compared_with_the_day_before(world):
    world.make()
    world.pages.parts["CRITICAL"] = [finding(3, severity="CRITICAL", age_days=200)]
    world.make(Run(schedule="daily", scheduled=NOW + timedelta(days=1)))
    report = world.sent["topic"][1]
    assert report.changes == "Since Mon 9 Mar 2026 07:00: 1 new, 1 fixed. 0 overdue."
    assert [sum(counts) for _, counts in report.trend] == [2, 2]


def test_a_weekly_summary_is_not_compared_with_a_daily_one(world):
    world.make()
    world.make(Run(schedule="weekly", scheduled=NOW + timedelta(hours=1)))
    assert "First summary" in world.sent["topic"][1].changes


def test_what_was_incomplete_is_not_compared_with(world):
    world.make()
    world.pages.errors = {"LOW": [PageNotReadError("AccessDenied") for _ in range(ATTEMPTS)]}
    for _ in range(ATTEMPTS):
        with pytest.raises(SummaryIncompleteError):
            world.make(Run(schedule="daily", scheduled=NOW + timedelta(days=1)))
    world.make(Run(schedule="daily", scheduled=NOW + timedelta(days=2)))
    report = world.sent["topic"][-1]
    assert report.changes == "Since Mon 9 Mar 2026 07:00: 0 new, 0 fixed. 0 overdue."


def test_dead_letters_that_cannot_be_counted_make_the_summary_incomplete(world):
    def refuse():
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "GetQueueAttributes")

    world.dead_letters = refuse
    for _ in range(ATTEMPTS):
        with pytest.raises(SummaryIncompleteError, match="dead letters"):
            world.make()
    (report,) = world.sent["topic"]
    assert "Not counted: dead letters" in report.incomplete
    # All findings were counted, so that tomorrow can be compared with them.
    assert len(world.storage.open) == 1


def test_remediations_are_those_since_the_previous_summary(world):
    periods = []

    def read(start, end, has_time):
        assert has_time()
        periods.append((start, end))
        return Remediations(done=2, failed=1)

    world.remediations = read
    world.make()
    world.make(Run(schedule="daily", scheduled=NOW + timedelta(days=1)))
    assert periods == [(NOW - timedelta(days=1), NOW), (NOW, NOW + timedelta(days=1))]
    assert "1 remediation failed" in world.sent["topic"][0].warnings


def test_a_log_that_takes_too_long_to_read_makes_the_summary_incomplete_and_not_late(world):
    def read(_start, _end, has_time):
        world.seconds = 60
        assert not has_time()
        raise OutOfTimeError("there was no time left")

    world.remediations = read
    for _ in range(ATTEMPTS):
        world.seconds = 900
        with pytest.raises(SummaryIncompleteError, match="remediations"):
            world.make()
    (report,) = world.sent["topic"]
    assert "Not counted: remediations (there was no time left)" in report.incomplete


def test_suppressions_that_end_within_two_weeks_are_named(world):
    days = {"past": -1, "today": 0, "soon": 14, "later": 15}
    ends = [[name, (NOW.date() + timedelta(days=day)).isoformat()] for name, day in days.items()]
    event = {"schedule": "daily", "scheduledTime": NOW.isoformat(), "suppressions": ends}
    world.make(Run.of_event(event))
    assert [one.rpartition(" ")[2] for one in world.sent["topic"][0].warnings] == ["today", "soon"]


def test_the_figures_are_kept_as_json(world):
    world.make()
    (kept,) = world.storage.stored.values()
    assert Figures.from_json(json.loads(json.dumps(kept))) == Figures.from_json(kept)
    assert kept["schema"] == 1


def test_the_lease_that_is_lost_ends_the_attempt(world):
    class Lost:
        def run(self, _key, _work):
            raise WorkInProgressError("lost")

    assert world.make(once=Lost()) == {"skipped": "lost"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-09T07:00:00Z", NOW),
        ("2026-03-09T08:00:00+01:00", NOW),
        ("2026-03-09T07:00:00", NOW),
    ],
)
def test_the_time_of_a_schedule_is_read(text, expected):
    run = Run.of_event({"schedule": "weekly", "scheduledTime": text})
    assert (run.schedule, run.scheduled, run.scheduled.tzinfo) == ("weekly", expected, UTC)


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (
            {"schedule": "hourly", "scheduledTime": "2026-03-09T07:00:00Z"},
            "one of daily, weekly, but is 'hourly'",
        ),
        ({"schedule": ["daily"]}, "one of daily, weekly"),
        (
            {"schedule": "daily", "scheduledTime": "2026-03-09T07:00:00Z", "suppressions": [["A", "soon"]]},
            "suppressions must be a list of names, each with a date",
        ),
        (
            {"schedule": "daily", "scheduledTime": "2026-03-09T07:00:00Z", "suppressions": 5},
            "suppressions must be a list",
        ),
        ({"schedule": "daily"}, "a time such as 2026-01-31T07:00:00Z, but is None"),
        ({"schedule": "daily", "scheduledTime": "<aws.scheduler.scheduled-time>"}, "a time such as"),
    ],
)
def test_what_is_not_the_input_of_a_schedule_is_refused(event, said):
    with pytest.raises(ValueError, match=said):
        Run.of_event(event)
