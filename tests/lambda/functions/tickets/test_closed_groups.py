"""Tickets of groups that people close, or decide about: what they list, and what follows them."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, event, given
from hypothesis import strategies as st

from functions.tickets.entry import State
from functions.tickets.following import TOLD, UNCHANGED, UNKNOWN, follow
from functions.tickets.group_records import GroupState
from functions.tickets.group_refreshes import handle_refresh
from functions.tickets.hints import Hint
from invocation.stop_switch import Stops
from securityhub.findings.stopping import ChangesStoppedError
from tests.grouped_findings import (
    KINDS,
    OPERATIONS_ON_GROUPS,
    GroupHistory,
    assert_as_it_should_be,
    begin_with,
    import_,
    listed,
)
from tests.hypothesis_profiles import examples
from tests.ticket_histories import DECIDE, FAILED, PASSED, UNCHECKED

ALLOWED = {"RESOLVED": ("Done", UNCHECKED), "NOTIFIED": ("Done", {}), "SUPPRESSED": ("Won't Do", {})}


@pytest.fixture
def shared(world):
    """A world in which A and B share a ticket."""
    begin_with(world, "AB")
    return world


@pytest.fixture
def jira(shared):
    return shared.trackers[0]


@pytest.fixture
def followed(shared):
    """The same, in which decisions in the trackers count."""
    shared.follow_trackers()
    return shared


def close(world, id_="JIRA-1", name="Duplicate"):
    """Let a person close a ticket, of which no hint comes, and time pass."""
    world.trackers[0].change(id_, name, by="Ann", is_open=False)
    world.start += world.start - world.start.replace(hour=0, minute=0) + (world.now() - world.start)
    world.now()


def statuses(world, finding_ids="AB"):
    return {world.findings[finding_id]["Workflow"]["Status"] for finding_id in finding_ids}


def links(world, finding_id):
    return world.findings[finding_id]["UserDefinedFields"]["Tickets"]


def join(world, *finding_ids):
    for finding_id in finding_ids:
        import_(world, finding_id)
    world.settle()


@pytest.mark.parametrize("deleted", [False, True])
@pytest.mark.parametrize("hint", [False, True])
def test_a_ticket_that_is_closed_before_its_first_edit_leads_to_no_other(world, deleted, hint):
    world.group("control")
    world.follow_trackers()
    import_(world, "A")
    world.deliver_all()
    jira = world.trackers[0]
    assert listed(jira.issues["JIRA-1"]) == {"A"}
    jira.change("JIRA-1", "Duplicate", by="Ann", is_open=False)
    if deleted:
        jira.delete("JIRA-1")
    if hint:
        world.send("Jira", ["JIRA-1"])
    else:
        world.import_finding("A", Severity={"Label": "HIGH"})
    world.settle()
    world.look_again()
    world.settle()
    assert [*jira.issues] == ([] if deleted else ["JIRA-1"])
    assert "Jira JIRA-1 " in links(world, "A")
    join(world, "B")
    assert listed(jira.issues["JIRA-2"]) == {"A", "B"}


def test_what_joins_before_the_first_edit_of_a_ticket_that_a_person_closes_gets_the_next_one(world):
    world.group("control")
    for finding_id in "AB":
        import_(world, finding_id)
    world.deliver_all()
    jira = world.trackers[0]
    assert listed(jira.issues["JIRA-1"]) == {"A"}
    jira.change("JIRA-1", "Duplicate", by="Ann", is_open=False)
    world.settle()
    assert listed(jira.issues["JIRA-2"]) == {"A", "B"}
    assert_as_it_should_be(world)


@pytest.mark.parametrize("deleted", [False, True])
def test_the_next_finding_opens_a_ticket_that_follows_the_one_that_a_person_closed(shared, jira, deleted):
    before = jira.issues["JIRA-1"].title, jira.issues["JIRA-1"].text
    close(shared)
    if deleted:
        jira.delete("JIRA-1")
    join(shared, "C")
    assert listed(jira.issues["JIRA-2"]) == {"A", "B", "C"}
    assert "Earlier ticket: https://jira.example.com/JIRA-1" in jira.issues["JIRA-2"].text
    if not deleted:
        assert (jira.issues["JIRA-1"].title, jira.issues["JIRA-1"].text) == before
        assert not jira.issues["JIRA-1"].is_open
    assert len(shared.trackers[1].issues) == 1
    for finding_id in "ABC":
        assert "Jira JIRA-2 " in links(shared, finding_id)
        assert "JIRA-1" not in links(shared, finding_id)
    assert "Listed in ticket: Jira JIRA-2 " in shared.notes["A"][-1][1]
    assert_as_it_should_be(shared)
    for finding_id in "ABC":
        shared.import_finding(finding_id, **PASSED)
    shared.settle()
    assert not jira.issues["JIRA-2"].is_open


def test_without_another_finding_a_closed_ticket_stays_as_it_is(shared, jira):
    close(shared)
    text = jira.issues["JIRA-1"].text
    for finding_id in "AB":
        shared.import_finding(finding_id, **PASSED)
        shared.settle()
    assert (jira.issues["JIRA-1"].text, jira.calls.count("resolve"), len(jira.issues)) == (text, 0, 1)
    assert not jira.issues["JIRA-1"].is_open
    shared.import_finding("A", **FAILED)
    shared.settle()
    assert listed(jira.issues["JIRA-2"]) == {"A"}


def test_a_ticket_that_is_reopened_before_the_next_finding_comes_lists_it(shared, jira):
    close(shared)
    shared.import_finding("A", **PASSED)
    shared.settle()
    assert [one.state for one in shared.groups.tickets.values()] == [GroupState.ENDED, GroupState.OPEN]
    jira.change("JIRA-1", "To Do", by="Ann", is_open=True)
    join(shared, "C")
    assert len(jira.issues) == 1
    assert listed(jira.issues["JIRA-1"]) == {"B", "C"}


def test_the_ticket_that_follows_is_not_held_back_when_the_finding_was_listed_already(shared, jira):
    import_(shared, "C")
    shared.deliver_all()
    close(shared)
    shared.allow(0)
    shared.settle()
    assert listed(jira.issues["JIRA-2"]) == {"A", "B", "C"}


def test_a_tracker_without_an_answer_is_asked_again_before_anything_is_edited(shared, jira):
    close(shared)
    import_(shared, "C")
    jira.is_down = True
    shared.deliver_all()
    assert not shared.refresh()
    assert len(jira.issues) == 1
    jira.is_down = False
    shared.settle()
    assert listed(jira.issues["JIRA-2"]) == {"A", "B", "C"}


@pytest.mark.parametrize("expected", [*ALLOWED])
def test_a_decision_about_the_ticket_is_one_about_each_finding_that_it_lists(followed, jira, expected):
    name, changes = ALLOWED[expected]
    for finding_id in "AB":
        followed.import_finding(finding_id, **changes)
    followed.settle()
    followed.decide(jira, "JIRA-1", name, by="Ann Lee")
    followed.settle()
    assert statuses(followed) == {expected}
    verb = "Closed" if expected == "NOTIFIED" else expected.capitalize()
    for finding_id in "AB":
        note = followed.notes[finding_id][-1][1]
        assert f"{verb} by Ann Lee in Jira ({name}): JIRA-1 https://jira.example.com/JIRA-1." in note
        assert ("still failing" in note) is (expected == "NOTIFIED")
    assert jira.calls.count("resolve") == 0
    assert followed.trackers[1].issues["SLACK-1"].is_open is (expected == "NOTIFIED")
    assert_as_it_should_be(followed)
    notes = [len(followed.notes[finding_id]) for finding_id in "AB"]
    followed.send("Jira", ["JIRA-1"])
    followed.settle()
    assert [len(followed.notes[finding_id]) for finding_id in "AB"] == notes


def test_of_a_group_only_what_fails_is_noted(followed, jira):
    followed.import_finding("A", **UNCHECKED)
    followed.settle()
    followed.decide(jira, "JIRA-1", "Done")
    followed.settle()
    assert (statuses(followed, "A"), statuses(followed, "B")) == ({"RESOLVED"}, {"NOTIFIED"})
    join(followed, "C")
    assert listed(jira.issues["JIRA-2"]) == {"B", "C"}
    assert "JIRA-2" in links(followed, "B")


@pytest.mark.parametrize("first", ["Done", "Duplicate"])
@pytest.mark.parametrize(("name", "expected"), [("Done", "NOTIFIED"), ("Won't Do", "SUPPRESSED")])
def test_what_is_decided_about_the_next_ticket_counts_for_those_that_are_not_told_of_it_yet(
    followed, jira, first, name, expected
):
    followed.decide(jira, "JIRA-1", first)
    followed.deliver_all()
    import_(followed, "C")
    followed.deliver_all()
    assert listed(jira.issues["JIRA-2"]) == {"A", "B", "C"}
    assert "JIRA-1" in links(followed, "A")
    followed.decide(jira, "JIRA-2", name)
    followed.settle()
    assert statuses(followed, "ABC") == {expected}
    for finding_id in "ABC":
        assert "Jira JIRA-2 " in links(followed, finding_id)
        assert f"by Ann in Jira ({name}): JIRA-2 " in followed.notes[finding_id][-1][1]
    assert len(jira.issues) == 2
    assert_as_it_should_be(followed)


def test_a_finding_names_the_last_ticket_that_listed_it_although_that_is_closed_by_then(shared, jira):
    def edit():
        while edits := [number for number, one in enumerate(shared.refreshes.messages) if len(one) == 3]:
            shared.refresh(edits[0])

    close(shared)
    import_(shared, "C")
    shared.deliver_all()
    edit()
    close(shared, "JIRA-2")
    shared.import_finding("B", **PASSED)
    shared.deliver_all()
    edit()
    assert GroupState.ENDED in {one.state for one in shared.groups.tickets.values()}
    assert "Jira JIRA-1 " in links(shared, "A")
    shared.settle()
    assert "Jira JIRA-2 " in links(shared, "A")
    assert len(jira.issues) == 2
    assert_as_it_should_be(shared)


def test_what_was_decided_about_a_ticket_is_told_before_that_there_is_another(followed, jira):
    followed.decide(jira, "JIRA-1", "Duplicate")
    followed.settle()
    # No hint comes.
    jira.change("JIRA-1", "Done", by="Ann", is_open=False)
    join(followed, "C")
    assert listed(jira.issues["JIRA-2"]) == {"A", "B", "C"}
    for finding_id in "AB":
        assert "Closed by Ann in Jira (Done): JIRA-1 " in followed.notes[finding_id][-2][1]
        assert "Listed in ticket: Jira JIRA-2 " in followed.notes[finding_id][-1][1]
    assert_as_it_should_be(followed)


def test_reopening_lists_nothing_so_what_has_joined_since_the_last_edit_gets_the_next_ticket(followed, jira):
    import_(followed, "C")
    followed.deliver_all()
    for name, is_open in (("Done", False), ("To Do", True)):
        followed.decide(jira, "JIRA-1", name, is_open=is_open)
        followed.deliver_all()
    close(followed)
    followed.settle()
    assert listed(jira.issues["JIRA-1"]) == {"A", "B"}
    assert listed(jira.issues["JIRA-2"]) == {"A", "B", "C"}
    assert_as_it_should_be(followed)


@pytest.mark.parametrize("hint_first", [False, True])
def test_what_joined_since_the_ticket_was_last_edited_is_not_what_was_decided_about(
    followed, jira, hint_first
):
    import_(followed, "C")
    followed.deliver_all()
    assert "JIRA-1" in links(followed, "C")
    close(followed, name="Won't Do")
    if hint_first:
        followed.send("Jira", ["JIRA-1"])
    followed.settle()
    followed.send("Jira", ["JIRA-1"])
    followed.settle()
    assert (statuses(followed), statuses(followed, "C")) == ({"SUPPRESSED"}, {"NOTIFIED"})
    assert listed(jira.issues["JIRA-2"]) == {"C"}
    assert "JIRA-2" in links(followed, "C")
    assert_as_it_should_be(followed)


def test_reopening_takes_back_what_the_decision_gave_and_lists_the_findings_again(followed, jira):
    followed.import_finding("B", **PASSED)
    followed.settle()
    followed.decide(jira, "JIRA-1", "Won't Do")
    followed.settle()
    assert statuses(followed, "A") == {"SUPPRESSED"}
    before = followed.findings["B"]["Workflow"]
    followed.decide(jira, "JIRA-1", "To Do", is_open=True)
    followed.settle()
    assert statuses(followed, "A") == {"NOTIFIED"}
    assert followed.findings["B"]["Workflow"] == before
    assert listed(jira.issues["JIRA-1"]) == {"A"}
    followed.import_finding("A", **PASSED)
    followed.settle()
    assert not jira.issues["JIRA-1"].is_open


def test_a_ticket_that_is_reopened_is_brought_up_to_date_when_a_hint_comes(followed, jira):
    close(followed)
    followed.import_finding("B", **PASSED)
    followed.settle()
    assert listed(jira.issues["JIRA-1"]) == {"A", "B"}
    followed.decide(jira, "JIRA-1", "To Do", is_open=True)
    followed.settle()
    assert listed(jira.issues["JIRA-1"]) == {"A"}


def test_a_poll_finds_a_decision_about_a_group(followed, jira):
    followed.decide(jira, "JIRA-1", "Won't Do", webhook=False)
    followed.poll()
    followed.settle()
    assert statuses(followed) == {"SUPPRESSED"}


@pytest.mark.parametrize(
    ("name", "ticket", "outcome"),
    [("Won't Do", "JIRA-1", TOLD), ("Duplicate", "JIRA-1", UNCHANGED), ("Won't Do", "JIRA-7", UNKNOWN)],
)
def test_the_log_says_what_came_of_a_hint_about_a_group(followed, jira, name, ticket, outcome):
    jira.change("JIRA-1", name, by="Ann", is_open=False)
    hint = Hint(tracker="Jira", ticket_id=ticket)
    invocation = followed.invocation("hint")
    assert follow(hint, services=followed.services(), invocation=invocation).outcome == outcome


def test_what_is_stopped_for_an_account_is_not_decided(followed, jira):
    followed.decide(jira, "JIRA-1", "Won't Do")
    followed.deliver_all()
    key, tracker, _, digest = next(one for one in followed.refreshes.messages if len(one) == 4)
    body = {"group": key, "tracker": tracker, "finding": digest}
    stops = Stops(accounts=frozenset({"111122223333"}), reason="Stopped")
    with pytest.raises(ChangesStoppedError):
        handle_refresh(body, services=followed.services(), invocation=followed.invocation("r"), stops=stops)
    assert statuses(followed) == {"NOTIFIED"}


@pytest.mark.parametrize("body", [{"finding": "unknown"}, {"finding": "f" * 64, "group": "g"}])
def test_a_message_about_a_finding_that_is_unknown_changes_nothing(followed, body):
    key, _ = next(iter(followed.groups.tickets))
    handle_refresh(
        {"group": key, "tracker": "Jira", **body},
        services=followed.services(),
        invocation=followed.invocation("r"),
    )
    assert statuses(followed) == {"NOTIFIED"}


@pytest.mark.parametrize("decides", [False, True])
def test_wherever_an_invocation_dies_each_finding_follows_the_ticket_in_the_end(world, decides):
    """Each message dies at each of its calls; one kind of message after the other."""
    for which in range(5):
        for death_after in range(150):
            begin_with(world, "AB")
            if decides:
                world.follow_trackers()
            import_(world, "C")
            world.deliver_all()
            close(world, name="Won't Do" if decides else "Duplicate")
            if decides:
                world.send("Jira", ["JIRA-1"])
            died = dies(world, which, death_after)
            world.settle()
            for _ in range(2):
                world.look_again()
                world.settle()
            jira = world.trackers[0]
            assert listed(jira.issues["JIRA-2"]) == ({"C"} if decides else {"A", "B", "C"})
            assert statuses(world) == {"SUPPRESSED" if decides else "NOTIFIED"}
            assert statuses(world, "C") == {"NOTIFIED"}
            assert len(jira.issues) == 2
            assert_as_it_should_be(world)
            if not died:
                break
        else:
            pytest.fail("it never came to its end")


@pytest.mark.parametrize("name", ["Duplicate", "Won't Do"])
def test_wherever_an_invocation_dies_a_ticket_that_is_closed_at_once_has_listed_its_finding(world, name):
    for death_after in range(150):
        world.forget()
        world.group("control")
        world.follow_trackers()
        import_(world, "A")
        died = dies(world, 0, death_after)
        jira = world.trackers[0]
        if "JIRA-1" in jira.issues:
            world.decide(jira, "JIRA-1", name)
            world.store.seconds += 60
            world.settle()
            world.look_again()
            world.settle()
            assert [*jira.issues] == ["JIRA-1"]
            assert statuses(world, "A") == {"SUPPRESSED" if name == "Won't Do" else "NOTIFIED"}
            assert "Jira JIRA-1 " in links(world, "A")
        if not died:
            return
    pytest.fail("it never came to its end")


def test_wherever_an_invocation_dies_the_next_ticket_that_is_closed_at_once_is_the_last(world):
    for death_after in range(150):
        begin_with(world, "A")
        world.follow_trackers()
        jira = world.trackers[0]
        close(world)
        import_(world, "B")
        world.deliver_all()
        died = dies(world, 0, death_after)
        if "JIRA-2" in jira.issues:
            close(world, "JIRA-2")
            world.store.seconds += 60
            world.settle()
            for _ in range(2):
                world.look_again()
                world.settle()
            assert [*jira.issues] == ["JIRA-1", "JIRA-2"]
            assert all("Jira JIRA-2 " in links(world, finding_id) for finding_id in "AB")
        if not died:
            return
    pytest.fail("it never came to its end")


def dies(world, which, after):
    """Handle messages, oldest first, until the one that dies, and say whether it did."""
    for number in range(which + 1):
        death = after if number == which else None
        if world.queue:
            if world.deliver(world.queue[0], death_after=death) is None:
                return True
        elif world.refreshes.messages and not world.refresh(death_after=death) and death is not None:
            return True
    return False


@pytest.mark.parametrize("name", ["Won't Do", "Done"])
def test_wherever_a_finding_joins_while_it_is_decided_it_is_open_in_a_ticket(world, name):
    for intrusion_after in range(150):
        begin_with(world, "A")
        world.follow_trackers()
        world.decide(world.trackers[0], "JIRA-1", name)
        intruded = []

        def intrude():
            import_(world, "B")
            intruded.append(world.deliver(world.queue[-1]))  # noqa: B023 - called in this iteration

        world.deliver(world.queue[0], intrusion_after=intrusion_after, intrude=intrude)
        world.settle()
        world.look_again()
        world.settle()
        if not intruded:
            return
        jira = world.trackers[0]
        assert statuses(world, "B") == {"NOTIFIED"}
        assert statuses(world, "A") == {"SUPPRESSED" if name == "Won't Do" else "NOTIFIED"}
        assert listed(jira.issues["JIRA-2"]) == ({"B"} if name == "Won't Do" else {"A", "B"})
        assert_as_it_should_be(world)
    pytest.fail("it never came to its end")


OPERATIONS = st.one_of(
    *OPERATIONS_ON_GROUPS,
    st.tuples(st.just("poll")),
    *[st.tuples(st.just("rest"))] * 2,
    *[DECIDE] * 4,
)


class Watcher:
    """Checks every write of a history to Security Hub."""

    def __init__(self, world):
        self.world = world
        self.write = type(world).batch_update_findings.__get__(world)
        world.batch_update_findings = self.checked

    def checked(self, findings, *, workflow_status, **values):
        for finding in findings:
            fails = finding.compliance_status == "FAILED" and finding.record_state != "ARCHIVED"
            assert workflow_status in (None, "NOTIFIED", "SUPPRESSED", "RESOLVED")
            assert workflow_status != "RESOLVED" or not fails
            if workflow_status in ("RESOLVED", "SUPPRESSED"):
                assert finding.id in self.once_listed(workflow_status)
        return self.write(findings, workflow_status=workflow_status, **values)

    def once_listed(self, status):
        """The findings that a ticket has listed about which that was decided."""
        name = {"RESOLVED": "Done", "SUPPRESSED": "Won't Do"}[status]
        return {
            finding_id
            for tracker in self.world.trackers
            for issue in tracker.issues.values()
            if name in issue.ever
            for finding_id in issue.once_listed
        }


@given(st.sampled_from(KINDS), st.lists(OPERATIONS, min_size=10, max_size=40), st.booleans())
@examples(1.5, suppress=[HealthCheck.function_scoped_fixture])
def test_whatever_people_do_to_the_tickets_of_groups_each_finding_that_needs_work_is_in_an_open_one(
    world, by, operations, follows
):
    """The world itself checks at every call that the app never has two open tickets of a group."""
    world.forget()
    world.group(by)
    if follows:
        world.follow_trackers()
    Watcher(world)
    history = GroupHistory(world)
    for finding_id in "ABC":
        import_(world, finding_id)
    world.settle()
    for operation in operations:
        history.apply(*operation)
    for tracker in world.trackers:
        tracker.is_down = tracker.answers_late = False
    world.limits.left.clear()
    for _ in range(3):
        world.look_again()
        world.settle()
        polled = world.poll()
        world.settle()
    assert polled.failures == {}, "a ticket is still unread"
    event(f"deaths: {min(history.deaths, 3)}")
    event(f"decisions: {min(sum(bool(one.decision) for one in world.groups.tickets.values()), 2)}")
    ended = sum(one.state is GroupState.ENDED for one in world.groups.tickets.values())
    event(f"ended: {min(ended, 2)}")
    assert_as_it_should_be(world)
    for entry in world.tickets.entries.values():
        assert entry.told
        assert entry.state in (State.OPEN, State.RESOLVED)
