"""Decisions that people make in a tracker: what they do to the finding, and what the finding does then."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, event, given
from hypothesis import strategies as st

from functions.tickets.contract import TrackerError
from functions.tickets.entry import State
from functions.tickets.following import NOT_FOLLOWED, UNCHANGED, UNKNOWN, follow
from functions.tickets.hints import Hint
from securityhub.events import parse_finding
from securityhub.findings.turns import Turns
from tests.hypothesis_profiles import examples
from tests.ticket_histories import FAILED, OPERATIONS_AND_DECISIONS, PASSED, UNCHECKED, History

LINK = "JIRA-1 https://jira.example.com/JIRA-1"
NOT_EVALUATED = {"Compliance": {"Status": "NOT_AVAILABLE"}}


@pytest.fixture
def followed(world):
    """The world with a finding A that has a ticket in each tracker, which are followed."""
    world.follow_trackers()
    world.import_finding("A")
    world.deliver_all()
    return world


@pytest.fixture
def jira(followed):
    return followed.trackers[0]


@pytest.fixture
def slack(followed):
    return followed.trackers[1]


def status(world):
    return world.findings["A"]["Workflow"]["Status"]


def note(world):
    return world.findings["A"]["Note"]["Text"]


def entry(world, tracker):
    ((_, found),) = ((key, one) for key, one in world.tickets.entries.items() if key[1] == tracker.name)
    return found


def test_what_somebody_accepts_in_the_tracker_is_suppressed_and_the_note_says_who_and_where(followed, jira):
    followed.decide(jira, "JIRA-1", "Won't Do", by="Ann Lee")
    followed.deliver_all()
    assert status(followed) == "SUPPRESSED"
    assert note(followed).startswith(f"Suppressed by Ann Lee in Jira (Won't Do): {LINK}.")


def test_the_tickets_in_other_trackers_are_resolved_with_it_and_the_note_still_says_who(
    followed, jira, slack
):
    followed.decide(jira, "JIRA-1", "Accepted risk", by="Ann")
    followed.deliver_all()
    assert followed.open_issues("A") == []
    assert slack.reasons == ["In Security Hub, the finding has the workflow status SUPPRESSED."]
    assert note(followed).startswith(
        f"Suppressed by Ann in Jira (Accepted risk): {LINK}. Ticket resolved: Slack"
    )


def test_the_tracker_whose_ticket_was_closed_is_only_looked_at(followed, jira):
    followed.decide(jira, "JIRA-1", "Won't Do")
    followed.deliver_all()
    assert jira.calls == ["open", "look"]
    assert jira.issues["JIRA-1"].names == ("Won't Do",)


def test_done_is_only_noted_while_the_check_fails(followed, jira):
    followed.decide(jira, "JIRA-1", "Done")
    followed.deliver_all()
    assert status(followed) == "NOTIFIED"
    assert note(followed).startswith(
        f"Closed by Ann in Jira (Done): {LINK}. The finding is still failing, so its status stays."
    )
    written = len(followed.notes["A"])
    followed.send("Jira", ["JIRA-1"])
    followed.deliver_all()
    assert len(followed.notes["A"]) == written


def test_after_it_was_noted_a_check_that_passes_ends_it_and_one_that_fails_again_gets_a_ticket(
    followed, jira
):
    followed.decide(jira, "JIRA-1", "Done")
    followed.deliver_all()
    followed.import_finding("A", **PASSED)
    followed.deliver_all()
    assert note(followed).startswith("Ticket resolved: Jira JIRA-1 ")
    followed.import_finding("A", **FAILED)
    followed.deliver_all()
    assert followed.open_issues("A") == ["JIRA-2", "SLACK-2"]


@pytest.mark.parametrize("changes", [UNCHECKED, NOT_EVALUATED, PASSED])
def test_done_resolves_a_finding_that_no_check_says_is_still_there(followed, jira, changes):
    followed.import_finding("A", **changes)
    followed.queue.clear()
    followed.decide(jira, "JIRA-1", "done")
    followed.deliver_all()
    assert status(followed) == "RESOLVED"
    assert note(followed).startswith(f"Resolved by Ann in Jira (done): {LINK}.")
    assert followed.open_issues("A") == []


def test_an_active_vulnerability_counts_as_failing_until_the_scanner_closes_it(followed, jira):
    vulnerabilities = [{"Id": "CVE-2026-1", "VulnerablePackages": [{"Name": "x", "Version": "1"}]}]
    followed.import_finding("A", Compliance={}, Vulnerabilities=vulnerabilities)
    followed.deliver_all()
    followed.decide(jira, "JIRA-1", "Done")
    followed.deliver_all()
    assert "still failing" in note(followed)
    assert status(followed) == "NOTIFIED"


def test_whether_it_fails_is_read_when_the_ticket_is_looked_at(followed, jira):
    followed.import_finding("A", **UNCHECKED)
    followed.deliver_all()
    followed.decide(jira, "JIRA-1", "Done")
    followed.import_finding("A", **FAILED)
    followed.deliver(followed.queue[0])
    assert status(followed) == "NOTIFIED"


@pytest.mark.parametrize("name", ["Duplicate", "Closed", ""])
def test_a_state_without_a_meaning_changes_nothing(followed, jira, name):
    notes = list(followed.notes["A"])
    followed.decide(jira, "JIRA-1", name)
    followed.deliver_all()
    assert followed.notes["A"] == notes
    assert entry(followed, jira).state is State.OPEN


@pytest.mark.parametrize("set_by_analyst", ["RESOLVED", "SUPPRESSED"])
def test_done_leaves_a_status_that_an_analyst_has_set(followed, jira, set_by_analyst):
    followed.set_status("A", set_by_analyst)
    followed.queue.clear()
    followed.decide(jira, "JIRA-1", "Done")
    followed.deliver_all()
    assert status(followed) == set_by_analyst
    assert note(followed).startswith(f"Closed by Ann in Jira (Done): {LINK}. ")


def test_a_ticket_that_the_app_resolved_decides_nothing(followed, jira):
    followed.import_finding("A", **PASSED)
    followed.deliver_all()
    written = len(followed.notes["A"])
    followed.send("Jira", ["JIRA-1"])
    followed.deliver_all()
    assert jira.issues["JIRA-1"].names == ("Done",)
    assert len(followed.notes["A"]) == written


def test_reopening_takes_back_what_closing_gave(followed, jira):
    followed.decide(jira, "JIRA-1", "Won't Do")
    followed.deliver_all()
    followed.decide(jira, "JIRA-1", "To Do", by="Bob", is_open=True)
    followed.deliver_all()
    assert status(followed) == "NOTIFIED"
    assert note(followed).startswith(f"Reopened by Bob in Jira (To Do): {LINK}.")
    assert entry(followed, jira).state is State.OPEN
    assert len(jira.issues) == 1
    followed.import_finding("A", **PASSED)
    followed.deliver_all()
    assert not jira.issues["JIRA-1"].is_open


def test_reopening_takes_back_what_security_hub_does_not_show_yet(followed, jira, monkeypatch):
    followed.turns = Turns(
        followed.store,
        clock=lambda: followed.latest.timestamp(),  # noqa: PLW0108 - of the latest time then
        renewing=lambda _: nullcontext(),
    )
    shown = parse_finding(followed.findings["A"])
    followed.decide(jira, "JIRA-1", "Won't Do")
    followed.deliver_all()
    monkeypatch.setattr(followed, "get_finding", lambda _: shown)
    followed.decide(jira, "JIRA-1", "To Do", is_open=True)
    followed.deliver_all()
    assert status(followed) == "NOTIFIED"


def test_a_failure_that_security_hub_does_not_show_yet_is_waited_for(followed, jira, monkeypatch):
    followed.import_finding("A", **UNCHECKED)
    followed.deliver_all()
    shown, get_finding = parse_finding(followed.findings["A"]), followed.get_finding
    followed.import_finding("A", **FAILED)
    followed.deliver_all()
    monkeypatch.setattr(followed, "get_finding", lambda _: shown)
    followed.decide(jira, "JIRA-1", "Done")
    summary = followed.deliver(followed.queue[0])
    assert "does not show the latest update of the finding yet" in str(summary.failures)
    assert summary.is_busy
    monkeypatch.setattr(followed, "get_finding", get_finding)
    followed.deliver_all()
    assert status(followed) == "NOTIFIED"
    assert "still failing" in note(followed)


def test_reopening_leaves_a_status_that_somebody_set_after_the_decision(followed, jira):
    followed.decide(jira, "JIRA-1", "Won't Do")
    followed.deliver_all()
    followed.set_status("A", "RESOLVED")
    followed.deliver_all()
    followed.decide(jira, "JIRA-1", "To Do", is_open=True)
    followed.deliver_all()
    assert status(followed) == "RESOLVED"
    assert jira.issues["JIRA-1"].is_open


def test_a_ticket_that_is_reopened_for_a_finding_that_passed_is_the_one_for_its_next_failure(followed, jira):
    followed.import_finding("A", **PASSED)
    followed.deliver_all()
    followed.decide(jira, "JIRA-1", "To Do", is_open=True)
    followed.deliver_all()
    assert jira.issues["JIRA-1"].is_open
    followed.import_finding("A", **FAILED)
    followed.deliver_all()
    assert list(jira.issues) == ["JIRA-1"]
    followed.import_finding("A", **PASSED)
    followed.deliver_all()
    assert not jira.issues["JIRA-1"].is_open


def test_another_state_after_the_first_counts_as_well(followed, jira):
    for name, expected in (("Done", "NOTIFIED"), ("Won't Do", "SUPPRESSED"), ("Done", "SUPPRESSED")):
        followed.decide(jira, "JIRA-1", name)
        followed.deliver_all()
        assert status(followed) == expected


def test_a_ticket_that_is_closed_by_itself_after_it_was_resolved_is_not_decided_about_again(followed, jira):
    followed.import_finding("A", **UNCHECKED)
    followed.deliver_all()
    followed.decide(jira, "JIRA-1", "Done")
    followed.deliver_all()
    followed.set_status("A", "NOTIFIED")
    followed.queue.clear()
    notes = list(followed.notes["A"])
    followed.decide(jira, "JIRA-1", "Done", by="System")
    followed.deliver_all()
    assert (status(followed), followed.notes["A"]) == ("NOTIFIED", notes)


def test_a_finding_that_is_taken_back_to_new_gets_a_new_ticket(followed, jira):
    followed.decide(jira, "JIRA-1", "Won't Do")
    followed.deliver_all()
    followed.set_status("A", "NEW")
    followed.deliver_all()
    assert followed.open_issues("A") == ["JIRA-2", "SLACK-2"]


def test_an_event_from_before_the_decision_opens_no_ticket_after_it(followed, jira):
    followed.set_status("A", "NEW")
    (before, *_) = [one for one in followed.queue if one["rule"] == "NewFindings"]
    followed.queue.clear()
    followed.decide(jira, "JIRA-1", "Won't Do")
    followed.deliver_all()
    followed.handle(before)
    assert followed.open_issues("A") == []
    assert len(jira.issues) == 1


def test_a_decision_whose_webhook_is_lost_is_found_by_the_next_poll(followed, jira):
    followed.decide(jira, "JIRA-1", "Won't Do", webhook=False)
    assert status(followed) == "NOTIFIED"
    assert followed.poll().queued == {"Jira": 1, "Slack": 1}
    followed.deliver_all()
    assert status(followed) == "SUPPRESSED"


def test_a_poll_goes_on_where_the_last_one_stopped(followed, jira):
    followed.poll()
    followed.deliver_all()
    since = followed.index.polled["Jira"]
    jira.is_down = True
    polled = followed.poll()
    assert polled.failures == {"Jira": "TrackerError: Jira answered 429."}
    assert timedelta() < polled.behind < timedelta(minutes=1)
    assert followed.index.polled["Jira"] == since
    assert followed.index.polled["Slack"] > since
    jira.is_down = False
    followed.decide(jira, "JIRA-1", "Won't Do", webhook=False)
    followed.start += followed.start - followed.start.replace(month=1) + (followed.latest - since) * 1000
    assert followed.poll().queued["Jira"] == 1
    followed.deliver_all()
    assert status(followed) == "SUPPRESSED"


def test_a_tracker_that_is_down_from_the_beginning_loses_nothing_however_long(followed, jira):
    jira.is_down = True
    assert followed.poll().failures.keys() == {"Jira"}
    followed.decide(jira, "JIRA-1", "Won't Do", webhook=False)
    followed.start += timedelta(hours=30)
    assert timedelta(hours=30) < followed.poll().behind < timedelta(hours=32)
    jira.is_down = False
    assert followed.poll().failures == {}
    followed.deliver_all()
    assert status(followed) == "SUPPRESSED"


@pytest.mark.parametrize(
    ("tracker", "ticket", "outcome"),
    [
        ("Jira", "JIRA-7", UNKNOWN),
        ("Slack", "JIRA-1", UNKNOWN),
        ("Jira", "JIRA-1", UNCHANGED),
        ("Jira", "jira-1", UNKNOWN),
        ("Trello", "JIRA-1", NOT_FOLLOWED),
    ],
)
def test_a_ticket_of_somebody_else_changes_nothing(followed, jira, tracker, ticket, outcome):
    jira.issues["JIRA-7"] = replace(jira.issues["JIRA-1"], finding_id="of somebody else")
    before = dict(followed.tickets.entries), dict(followed.notes)
    result = follow(
        Hint(tracker=tracker, ticket_id=ticket),
        services=followed.services(),
        invocation=followed.invocation("hint"),
    )
    assert (result.outcome, result.summary.reports) == (outcome, ())
    assert (dict(followed.tickets.entries), dict(followed.notes)) == before


def test_a_record_that_names_another_ticket_refuses_the_hint(followed, jira, monkeypatch):
    jira.issues["JIRA-7"] = replace(jira.issues["JIRA-1"], finding_id="of somebody else")
    finding = next(iter(followed.tickets.findings.values()))
    monkeypatch.setattr(followed.index, "owners_of", lambda *_: ([finding], []))
    jira.change("JIRA-7", "Won't Do", by="Eve", is_open=False)
    followed.send("Jira", ["JIRA-7"])
    followed.deliver_all()
    assert (status(followed), jira.calls) == ("NOTIFIED", ["open"])


def test_a_ticket_that_was_moved_is_known_by_its_former_id(followed, jira):
    jira.moved["OPS-9"] = ("X-1", "JIRA-1")
    jira.change("JIRA-1", "Won't Do", by="Ann", is_open=False)
    followed.send("Jira", ["OPS-9"])
    followed.deliver_all()
    assert status(followed) == "SUPPRESSED"


def test_a_ticket_that_was_deleted_decides_nothing(followed, jira):
    del jira.issues["JIRA-1"]
    followed.send("Jira", ["JIRA-1"])
    followed.deliver_all()
    assert status(followed) == "NOTIFIED"


def test_a_finding_that_is_gone_is_left_alone(followed, jira):
    followed.decide(jira, "JIRA-1", "Won't Do")
    followed.get_finding = lambda _: None
    followed.deliver_all()
    assert entry(followed, jira).state is State.OPEN


def test_a_hint_comes_again_however_long_its_tracker_does_not_answer(followed, jira):
    followed.poll()
    followed.deliver_all()
    jira.is_down = True
    # The poll of before has found the first, so no later one would.
    for number in (1, 2):
        followed.decide(jira, "JIRA-1", "Won't Do", by=f"Ann {number}")
        followed.deliver_all()
    assert [one.hint.ticket_id for one in followed.unread.kept.values()] == ["JIRA-1"]
    for day in range(1, 5):
        followed.start += timedelta(days=1)
        assert "Jira" in followed.poll().failures
        assert not [one for one in followed.queue if one["hint"]["tracker"] == "Jira"]
        assert day == followed.poll().behind.days
    jira.is_down = False
    jira.changed = lambda *_: iter(())
    polled = followed.poll()
    assert (polled.behind.days, polled.queued["Jira"]) == (4, 0)
    assert "could not be read since 2026-01-01" in polled.failures["Jira"]
    assert [one["hint"]["tracker"] for one in followed.queue].count("Jira") == 1
    followed.deliver_all()
    assert status(followed) == "SUPPRESSED"
    assert (followed.unread.kept, followed.poll().failures) == ({}, {})


def test_a_ticket_that_cannot_be_read_keeps_the_time_since_when_and_the_poll_tells_of_it(followed, jira):
    jira.look = unreadable
    followed.send("Jira", ["JIRA-1"])
    followed.deliver_all()
    (first,) = followed.unread.kept.values()
    for hours in range(1, 4):
        followed.start += timedelta(hours=1)
        assert followed.poll().behind >= timedelta(hours=hours)
        followed.deliver_all()
        (one,) = followed.unread.kept.values()
        assert (one.hint, one.noted == first.noted) == (first.hint, False)
    del jira.look
    followed.poll()
    followed.deliver_all()
    assert followed.unread.kept == {}


def unreadable(_ticket):
    error = TrackerError("Jira did not read the ticket: HTTP 403")
    error.is_temporary = True
    raise error


def test_wherever_a_poll_dies_no_hint_is_lost(followed):
    for death_after in range(60):
        followed.queue.clear()
        followed.unread.note(Hint(tracker="Jira", ticket_id="JIRA-1", since=followed.now()))
        died = followed.dies(followed.poll, after=death_after)
        assert followed.unread.kept or followed.queue
        if not died:
            assert not followed.unread.kept
            return
    pytest.fail("it never came to its end")


def test_a_hint_that_is_noted_again_before_the_poll_has_forgotten_it_stays(followed):
    followed.unread.note(Hint(tracker="Jira", ticket_id="JIRA-1", since=followed.now()))
    (before,) = followed.unread.of("Jira")
    followed.unread.note(before.hint)
    followed.unread.drop(before)
    assert followed.unread.of("Jira")


def test_a_hint_that_the_tracker_will_always_refuse_becomes_a_dead_letter(followed, jira):
    def refuse(_ticket):
        raise TrackerError("Jira did not read the ticket: HTTP 400")

    jira.look = refuse
    followed.send("Jira", ["JIRA-1"])
    summary = followed.deliver(followed.queue[0], is_last=True)
    assert "HTTP 400" in str(summary.failures)
    assert (len(followed.queue), followed.unread.kept) == (1, {})


def test_a_tracker_that_does_not_answer_takes_a_minute_of_an_invocation_and_no_more(followed, jira):
    seconds = [0.0]

    def look(ticket):
        seconds[0] += 40
        unreadable(ticket)

    jira.look = look
    invocation = followed.invocation("hints", clock=lambda: seconds[0])
    for _ in range(10):
        hint = Hint(tracker="Jira", ticket_id="JIRA-1")
        assert follow(hint, services=followed.services(), invocation=invocation).unread
    assert seconds == [80]


def test_without_meanings_the_trackers_are_not_followed(followed, jira):
    followed.meanings = {}
    followed.decide(jira, "JIRA-1", "Won't Do")
    followed.deliver_all()
    assert (status(followed), followed.poll().queued, jira.calls) == ("NOTIFIED", {}, ["open"])


@pytest.mark.parametrize("text", ["Ann\nLee\u202e \t<b>", "A" * 500, "Ann\ud800"])
def test_a_name_of_the_tracker_is_a_short_line_of_the_note(followed, jira, text):
    followed.decide(jira, "JIRA-1", "Won't Do", by=text)
    followed.deliver_all()
    author = note(followed).removeprefix("Suppressed by ").split(" in Jira ")[0]
    assert author.isprintable()
    assert len(author) <= 60


@pytest.mark.parametrize(
    "message", [None, {}, [], {"tracker": "Jira"}, {"tracker": "Jira", "ticket": "x" * 101}]
)
def test_a_message_of_another_form_is_refused(message):
    with pytest.raises(ValueError, match="must be a JSON object with the strings tracker and ticket"):
        Hint.from_message(message)


@pytest.mark.parametrize("share", [False, True])
@pytest.mark.parametrize(
    ("name", "changes", "expected"),
    [("Won't Do", FAILED, "SUPPRESSED"), ("Done", UNCHECKED, "RESOLVED"), ("Done", FAILED, "NOTIFIED")],
)
def test_wherever_it_dies_the_next_attempt_ends_what_it_began(world, name, changes, expected, share):
    world.turns = world.store.turns() if share else None
    for death_after in range(120):
        world.forget()
        world.follow_trackers()
        world.import_finding("A", **changes)
        world.press("A")
        world.deliver_all()
        jira = world.trackers[0]
        world.decide(jira, "JIRA-1", name)
        died = world.deliver(world.queue[0], death_after=death_after) is None
        world.deliver_all()
        assert status(world) == expected
        verb = {"SUPPRESSED": "Suppressed", "RESOLVED": "Resolved", "NOTIFIED": "Closed"}[expected]
        assert note(world).startswith(f"{verb} by Ann in Jira ({name}): {LINK}.")
        assert len(jira.issues) == 1
        assert world.tickets.watched() == []
        if not died:
            assert death_after > 10
            return
    pytest.fail("it never came to its end")


def test_wherever_an_opening_dies_what_is_decided_before_the_ticket_is_found_again_counts(world):
    for death_after in range(100):
        world.forget()
        world.follow_trackers()
        world.import_finding("A")
        has_died = world.deliver(world.queue[0], death_after=death_after) is None
        (jira, _), waiting = world.trackers, [*world.queue]
        if jira.issues:
            world.decide(jira, "JIRA-1", "Won't Do")
            # The webhook comes at once, and polls do; the event comes again half an hour later.
            world.deliver(world.queue[-1])
            for _ in range(2):
                world.poll()
                for hint in [one for one in world.queue if one not in waiting]:
                    world.deliver(hint)
                world.start += timedelta(minutes=15)
            world.deliver_all()
            world.look_again()
            world.deliver_all()
            assert status(world) == "SUPPRESSED"
            assert world.open_issues("A") == []
        if not has_died:
            return
    pytest.fail("it never came to its end")


def test_wherever_a_reopening_dies_the_next_attempt_ends_it(world):
    for death_after in range(120):
        world.forget()
        world.follow_trackers()
        world.import_finding("A")
        world.deliver_all()
        jira = world.trackers[0]
        world.decide(jira, "JIRA-1", "Won't Do")
        world.deliver_all()
        world.decide(jira, "JIRA-1", "To Do", is_open=True)
        died = world.deliver(world.queue[0], death_after=death_after) is None
        world.deliver_all()
        assert (status(world), entry(world, jira).state) == ("NOTIFIED", State.OPEN)
        if not died:
            assert death_after > 10
            return
    pytest.fail("it never came to its end")


def test_an_interrupted_decision_is_ended_by_the_hourly_run_though_its_message_is_lost(world):
    for death_after in range(120):
        world.forget()
        world.follow_trackers()
        world.import_finding("A")
        world.deliver_all()
        world.decide(world.trackers[0], "JIRA-1", "Won't Do")
        (hint,) = world.queue
        died = world.deliver(hint, death_after=death_after) is None
        world.queue = [one for one in world.queue if one is not hint]
        is_recorded = entry(world, world.trackers[0]).state is not State.OPEN
        world.look_again()
        world.deliver_all()
        assert status(world) == ("SUPPRESSED" if is_recorded else "NOTIFIED")
        if not died:
            return
    pytest.fail("it never came to its end")


@pytest.mark.parametrize("name", ["Won't Do", "Done"])
def test_wherever_the_finding_changes_in_between_there_is_one_ticket_and_no_failure_is_resolved(world, name):
    for intrusion_after in range(120):
        world.forget()
        world.follow_trackers()
        world.import_finding("A", **UNCHECKED)
        world.press("A")
        world.deliver_all()
        world.decide(world.trackers[0], "JIRA-1", name)
        intruded = []

        def intrude():
            intruded.append(world.import_finding("A", **FAILED))  # noqa: B023 - called in this iteration
            world.deliver(world.queue[-1])

        world.deliver(world.queue[0], intrusion_after=intrusion_after, intrude=intrude)
        world.deliver_all()
        if not intruded:
            return
        if name == "Won't Do":
            assert status(world) == "SUPPRESSED"
            assert world.open_issues("A") == []
    pytest.fail("it never came to its end")


class Watcher:
    """Checks every write of a history to Security Hub."""

    def __init__(self, world):
        self.world = world
        self.write = type(world).batch_update_findings.__get__(world)
        world.batch_update_findings = self.checked

    def checked(self, findings, *, workflow_status, **values):
        for finding in findings:
            stored = self.world.findings[finding.id]
            names = {
                name
                for tracker in self.world.trackers
                for issue in tracker.issues.values()
                if issue.finding_id == finding.id
                for name in issue.ever
            }
            assert workflow_status in (None, "NOTIFIED", "SUPPRESSED", "RESOLVED")
            # What is archived no longer fails. It's NEW again if it's active again.
            assert workflow_status != "RESOLVED" or (
                "Done" in names
                and (finding.compliance_status != "FAILED" or finding.record_state == "ARCHIVED")
            )
            assert workflow_status != "SUPPRESSED" or "Won't Do" in names
            if workflow_status == "NOTIFIED" and stored["Workflow"]["Status"] in ("SUPPRESSED", "RESOLVED"):
                assert "To Do" in names
        return self.write(findings, workflow_status=workflow_status, **values)


@given(st.lists(OPERATIONS_AND_DECISIONS, min_size=15, max_size=40), st.sampled_from([0, 2, 2, 2]))
@examples(1.5, suppress=[HealthCheck.function_scoped_fixture])
def test_whatever_people_decide_and_whatever_dies_it_comes_to_an_end_and_nothing_failing_is_resolved(
    world, operations, begins_with
):
    """The world itself checks at every call that the app never has two open tickets of a finding."""
    world.forget()
    world.start = datetime.now(UTC) - timedelta(minutes=10)
    world.follow_trackers()
    world.poll()
    Watcher(world)
    history = History(world)
    for finding_id in "AB"[:begins_with]:
        world.import_finding(finding_id)
    world.deliver_all()
    for operation in operations:
        history.apply(*operation)
    for tracker in world.trackers:
        tracker.is_down = tracker.answers_late = False
    world.limits.left.clear()
    for _ in range(2):
        world.look_again()
        world.poll()
        world.deliver_all()
    entries = world.tickets.entries.values()
    event(f"decisions: {min(sum(bool(one.decision) for one in entries), 2)}")
    event(f"deaths: {min(history.deaths, 3)}")
    assert {one.state for one in entries} <= {State.OPEN, State.RESOLVED}
    assert all(one.told for one in entries)
    for (digest, name), one in world.tickets.entries.items():
        (tracker,) = (tracker for tracker in world.trackers if tracker.name == name)
        finding = world.findings[world.tickets.findings[digest].id]
        issue = one.ticket and tracker.issues[one.ticket.id]
        if world.passes_filter(finding):
            assert one.state is State.OPEN
        # What a webhook didn't tell, the poll did.
        if issue and issue.is_open:
            assert one.state is State.OPEN
        elif issue and one.state is State.OPEN:
            assert issue.names == ("Duplicate",) or (issue.names == ("Done",) and one.decision.name == "Done")
    # What is left stays the same ever after.
    before = traces(world)
    world.look_again()
    world.poll()
    world.deliver_all()
    assert traces(world) == before


def traces(world):
    """What there is of writes to findings, and of tickets."""
    notes = {finding_id: len(notes) for finding_id, notes in world.notes.items()}
    return notes, [[one.names for one in tracker.issues.values()] for tracker in world.trackers]
