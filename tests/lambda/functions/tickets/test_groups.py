"""Tickets that several findings share, with any number of them, whatever dies or comes in between."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, event, given, target
from hypothesis import strategies as st

from functions.tickets.contract import draft_key
from functions.tickets.entry import State
from functions.tickets.grouping import reference_of
from securityhub.events import parse_finding
from tests.grouped_findings import (
    FINDINGS,
    KINDS,
    OPERATIONS_ON_GROUPS,
    GroupHistory,
    assert_as_it_should_be,
    begin_with,
    import_,
    lines,
    listed,
)
from tests.hypothesis_profiles import examples
from tests.ticket_histories import FAILED, NUMBERS, PASSED, verdict

EXPECTED = {
    "finding": [{"A"}, {"B"}, {"C"}, {"D"}],
    "control": [{"A", "B", "C"}, {"D"}],
    "control and account": [{"A", "B"}, {"C"}, {"D"}],
    "resource": [{"A", "D"}, {"B"}, {"C"}],
}


@pytest.fixture
def grouped(world):
    world.group("control")
    return world


@pytest.fixture
def jira(grouped):
    return grouped.trackers[0]


@pytest.fixture
def shared(grouped):
    """A world in which A and B share a ticket."""
    for finding_id in "AB":
        import_(grouped, finding_id)
    grouped.settle()
    return grouped


@pytest.mark.parametrize("by", [*EXPECTED])
def test_the_findings_of_a_group_share_a_ticket_in_each_tracker(world, by):
    world.group(by)
    for finding_id in FINDINGS:
        import_(world, finding_id)
    world.settle()
    for tracker in world.trackers:
        if by == "finding":
            found = [{one.finding_id} for one in tracker.issues.values()]
        else:
            found = [listed(one) for one in tracker.issues.values()]
        assert sorted(map(sorted, found)) == sorted(map(sorted, EXPECTED[by]))


@pytest.mark.usefixtures("shared")
def test_a_ticket_has_the_title_and_the_text_of_its_group(jira):
    (issue,) = jira.issues.values()
    assert issue.title == "[CRITICAL] S3.8: Finding A (2 findings)"
    text = issue.text.splitlines()
    assert text[:2] == ["Control: S3.8", "Product: arn:aws:securityhub:eu-west-1::product/aws/securityhub"]
    assert 'user-defined field "Tickets" that contains the ID of this ticket' in issue.text
    assert text[-3:] == [
        "Open: 2 findings, by severity, account, and resource:",
        "CRITICAL 111122223333 eu-west-1 arn:aws:s3:::bucket-A",
        "CRITICAL 111122223333 eu-west-1 arn:aws:s3:::bucket-B",
    ]


def test_each_finding_says_which_ticket_lists_it(shared):
    for finding_id in "AB":
        fields = shared.findings[finding_id]["UserDefinedFields"]
        assert fields["Tickets"].startswith("Jira JIRA-1 https://jira.example.com/JIRA-1; Slack SLACK-1 ")
        assert shared.findings[finding_id]["Workflow"]["Status"] == "NOTIFIED"
        assert shared.notes[finding_id][-1][1].startswith("Listed in ticket: Jira JIRA-1 https")


def test_a_finding_that_is_settled_is_struck_and_the_ticket_is_closed_with_the_last(shared, jira):
    shared.import_finding("A", **PASSED)
    shared.settle()
    (issue,) = jira.issues.values()
    assert issue.is_open
    assert issue.title == "[CRITICAL] S3.8: Finding A (1 finding)"
    assert listed(issue) == {"B"}
    assert "Settled lately:\nCRITICAL 111122223333 eu-west-1 arn:aws:s3:::bucket-A\nOpen" not in issue.text
    assert "Settled lately:\nINFORMATIONAL 111122223333 eu-west-1 arn:aws:s3:::bucket-A\nOpen" in issue.text
    assert shared.notes["A"][-1][1].startswith("Struck from ticket: Jira JIRA-1 https")
    shared.set_status("B", "SUPPRESSED")
    shared.settle()
    assert not issue.is_open
    assert listed(issue) == set()
    assert "Open: none" in issue.text
    assert jira.reasons == ["In Security Hub, none of its findings needs work any longer."]


def test_a_ticket_is_closed_by_the_rule_of_the_finding_for_which_it_was_opened(grouped, jira):
    closed = []
    jira.rule_of = lambda finding: f"rule for {finding.aws_account_id}"
    jira.resolve_by_rule = lambda ticket, reason, rule: (
        closed.append(rule),
        jira.resolve(ticket, reason),
    )
    for finding_id in "CA":
        import_(grouped, finding_id)
    grouped.settle()
    for finding_id in "CA":
        grouped.import_finding(finding_id, **PASSED)
    grouped.settle()
    assert closed == ["rule for 444455556666"]
    assert not jira.issues["JIRA-1"].is_open


def test_what_comes_back_after_the_ticket_was_closed_gets_a_new_one_that_knows_of_the_earlier(shared, jira):
    for finding_id in "AB":
        shared.import_finding(finding_id, **PASSED)
    shared.settle()
    shared.import_finding("A", **FAILED)
    shared.settle()
    assert [one.is_open for one in jira.issues.values()] == [False, True]
    assert jira.issues["JIRA-2"].earlier.id == "JIRA-1"
    assert "Earlier ticket: https://jira.example.com/JIRA-1" in jira.issues["JIRA-2"].text
    assert listed(jira.issues["JIRA-2"]) == {"A"}
    assert "JIRA-2" in shared.findings["A"]["UserDefinedFields"]["Tickets"]


def test_what_comes_back_while_the_ticket_is_open_is_listed_in_it_again(shared, jira):
    shared.import_finding("A", **PASSED)
    shared.settle()
    shared.import_finding("A", **FAILED)
    shared.settle()
    (issue,) = jira.issues.values()
    assert listed(issue) == {"A", "B"}


def test_the_severity_of_the_ticket_is_the_highest_of_its_open_findings(grouped, jira):
    grouped.opens_without_a_press = False
    import_(grouped, "A", Severity={"Label": "LOW"})
    import_(grouped, "B", Severity={"Label": "HIGH"})
    grouped.press("A", "B")
    grouped.settle()
    (issue,) = jira.issues.values()
    assert issue.title.startswith("[HIGH] ")
    grouped.import_finding("A", Severity={"Label": "CRITICAL"})
    grouped.settle()
    assert issue.title.startswith("[CRITICAL] ")
    grouped.set_status("A", "RESOLVED")
    grouped.settle()
    assert issue.title.startswith("[HIGH] ")
    assert lines(issue) == ["HIGH 111122223333 eu-west-1 arn:aws:s3:::bucket-B"]


def test_a_press_adds_findings_to_the_ticket_of_their_group(shared, jira):
    import_(shared, "C", Severity={"Label": "LOW"})
    shared.settle()
    assert listed(jira.issues["JIRA-1"]) == {"A", "B"}
    shared.press("A", "C")
    shared.settle()
    assert listed(jira.issues["JIRA-1"]) == {"A", "B", "C"}
    assert len(jira.issues) == 1


def test_findings_that_read_the_same_are_counted_on_one_line(grouped, jira):
    for finding_id in "AB":
        import_(grouped, finding_id)
    # A second standard's finding about the same resource, as without consolidated control findings.
    resources = [{"Type": "AwsS3Bucket", "Id": "arn:aws:s3:::bucket-A"}]
    import_(grouped, "other")
    grouped.import_finding("other", Resources=resources)
    grouped.settle()
    (issue,) = jira.issues.values()
    assert lines(issue)[0] == "CRITICAL 111122223333 eu-west-1 arn:aws:s3:::bucket-A (2 findings)"
    assert "(3 findings)" in issue.title


def test_limits_count_tickets_and_not_findings(grouped, jira):
    grouped.allow(1)
    for finding_id in "ABD":
        import_(grouped, finding_id)
    grouped.settle()
    (issue,) = jira.issues.values()
    assert listed(issue) == {"A", "B"}
    assert "Jira held back" in grouped.findings["D"]["UserDefinedFields"]["Tickets"]
    grouped.allow(1)
    grouped.look_again()
    grouped.settle()
    assert listed(jira.issues["JIRA-2"]) == {"D"}


def test_a_group_that_is_held_back_is_told_once_and_gets_one_ticket(grouped, jira):
    grouped.allow(0)
    for finding_id in "AB":
        import_(grouped, finding_id)
    grouped.settle()
    for _ in range(3):
        grouped.allow(0)
        grouped.look_again()
        grouped.settle()
    assert jira.issues == {}
    assert [len(grouped.notes[finding_id]) for finding_id in "AB"] == [1, 1]
    grouped.set_status("A", "SUPPRESSED")
    grouped.settle()
    grouped.allow(1)
    grouped.look_again()
    grouped.settle()
    (issue,) = jira.issues.values()
    assert listed(issue) == {"B"}


def test_a_ticket_is_edited_once_a_minute_however_many_findings_come(grouped, jira):
    for number in range(60):
        import_(grouped, f"bucket-{number:03}")
        while grouped.queue:
            grouped.deliver(grouped.queue[0])
    assert jira.calls == ["open"]
    grouped.settle()
    assert jira.calls == ["open", "look", "update"]
    (issue,) = jira.issues.values()
    assert "(60 findings)" in issue.title
    assert issue.text.splitlines()[-1] == "And 10 more."
    assert grouped.refreshes.messages == []


def test_without_a_queue_the_hourly_run_edits_and_closes(grouped, jira):
    grouped.refreshes = None
    for finding_id in "AB":
        import_(grouped, finding_id)
    grouped.deliver_all()
    (issue,) = jira.issues.values()
    assert listed(issue) == {"A"}
    grouped.look_again()
    assert listed(issue) == {"A", "B"}
    for finding_id in "AB":
        grouped.set_status(finding_id, "RESOLVED")
    grouped.deliver_all()
    grouped.look_again()
    assert not issue.is_open
    assert grouped.groups.pending() == []


def test_a_message_that_is_lost_is_made_up_for_by_the_hourly_run(shared, jira):
    shared.import_finding("A", **PASSED)
    shared.deliver_all()
    shared.refreshes.messages.clear()
    shared.look_again()
    assert listed(jira.issues["JIRA-1"]) == {"B"}


def test_a_tracker_that_is_down_delays_its_own_edits_only(shared, jira):
    jira.is_down = True
    shared.import_finding("A", **PASSED)
    shared.deliver_all()
    while shared.refreshes.messages:
        if not shared.refresh():
            shared.refreshes.messages.pop()
    slack = shared.trackers[1]
    assert listed(slack.issues["SLACK-1"]) == {"B"}
    (failure,) = shared.look_again().failures
    assert failure.startswith("group ")
    assert failure.endswith(": Jira: TrackerError: Jira answered 429")
    jira.is_down = False
    assert shared.look_again().failures == []
    assert listed(jira.issues["JIRA-1"]) == {"B"}


def test_a_tracker_that_was_disabled_leaves_its_tickets_as_they_are(shared, jira):
    shared.import_finding("A", **PASSED)
    shared.deliver_all()
    shared.trackers = shared.trackers[1:]
    shared.settle()
    shared.look_again()
    assert listed(jira.issues["JIRA-1"]) == {"A", "B"}


@pytest.mark.parametrize("after", [by for by in EXPECTED if by != "control"])
def test_after_a_change_of_the_grouping_tickets_are_settled_as_they_were_opened(shared, jira, after):
    shared.group(after)
    shared.press("A", "B")
    shared.settle()
    assert len(jira.issues) == 1
    shared.import_finding("A", **PASSED)
    shared.settle()
    assert listed(jira.issues["JIRA-1"]) == {"B"}
    shared.import_finding("B", **PASSED)
    shared.settle()
    assert not jira.issues["JIRA-1"].is_open
    shared.import_finding("A", **FAILED)
    shared.settle()
    assert jira.issues["JIRA-2"].earlier.id == "JIRA-1"
    assert jira.issues["JIRA-2"].is_open


def test_a_press_that_comes_twice_at_once_leaves_the_links_of_all_tickets_that_list_it_again(world):
    for intrusion_after in range(200):
        begin_with(world, "AB")
        world.import_finding("A", **PASSED)
        world.settle()
        world.press("A")
        press, intruded = world.queue[-1], []
        world.deliver(
            press,
            intrusion_after=intrusion_after,
            intrude=lambda: intruded.append(world.deliver(press)),  # noqa: B023 - as above
        )
        world.settle()
        assert_as_it_should_be(world)
        if not intruded:
            return
    pytest.fail("it never came to its end")


def test_after_a_change_of_the_grouping_the_earlier_ticket_is_closed_by_the_edit_that_is_due(shared, jira):
    for finding_id in "AB":
        shared.import_finding(finding_id, **PASSED)
    shared.deliver_all()
    shared.group("finding")
    shared.press("A")
    shared.deliver_all()
    assert [one.is_open for one in jira.issues.values()] == [True, True]
    assert jira.issues["JIRA-2"].earlier.id == "JIRA-1"
    shared.settle()
    assert [one.is_open for one in jira.issues.values()] == [False, True]
    assert "JIRA-2" in shared.findings["A"]["UserDefinedFields"]["Tickets"]
    assert_as_it_should_be(shared)


def test_a_finding_that_has_left_the_ticket_of_others_gets_its_own_after_grouping_ends(shared, jira):
    shared.import_finding("A", **PASSED)
    shared.settle()
    shared.group("finding")
    shared.import_finding("A", **FAILED)
    shared.settle()
    assert [one.is_open for one in jira.issues.values()] == [True, True]
    assert listed(jira.issues["JIRA-1"]) == {"B"}
    assert jira.issues["JIRA-2"].finding_id == "A"
    assert_as_it_should_be(shared)


def test_a_finding_with_a_ticket_of_its_own_keeps_it_after_grouping_begins(world):
    jira = world.trackers[0]
    import_(world, "A")
    world.deliver_all()
    world.group("control")
    import_(world, "B")
    world.press("A")
    world.settle()
    assert listed(jira.issues["JIRA-2"]) == {"B"}
    assert jira.issues["JIRA-1"].finding_id == "A"
    world.import_finding("A", **PASSED)
    world.settle()
    assert [one.is_open for one in jira.issues.values()] == [False, True]
    world.import_finding("A", **FAILED)
    world.settle()
    assert listed(jira.issues["JIRA-2"]) == {"A", "B"}


def test_a_finding_of_another_product_with_the_same_control_neither_joins_nor_settles_a_group(shared, jira):
    template = shared.history[0]
    (finding,) = template["detail"]["findings"]
    for product in ("product/444455556666/default", "product/example/scanner"):
        account = "444455556666" if "default" in product else ""
        forged = {
            **finding,
            "Id": f"forged {product}",
            "ProductArn": f"arn:aws:securityhub:eu-west-1:{account}:{product}",
            "AwsAccountId": "444455556666",
        }
        shared.findings[forged["Id"]] = forged
        for number, changes in enumerate((FAILED, PASSED)):
            detail = {"findings": [{**forged, **changes, "UpdatedAt": f"2027-01-01T00:0{number}:00Z"}]}
            event_ = {**template, "id": f"{product}{number}", "rule": "NewFindings", "detail": detail}
            assert shared.handle(event_).failures == []
            while shared.refreshes.messages:
                shared.refresh()
    assert listed(jira.issues["JIRA-1"]) == {"A", "B"}
    assert [one.is_open for one in jira.issues.values()] == [True, False, False]


@pytest.mark.parametrize("settles", [False, True])
def test_wherever_an_invocation_dies_the_ticket_lists_what_it_should_in_the_end(world, settles):
    for death_after in range(200):
        begin_with(world, "A")
        if settles:
            world.import_finding("A", **PASSED)
        else:
            import_(world, "B")
        died = world.deliver(world.queue[0], death_after=death_after) is None
        world.settle()
        world.look_again()
        world.settle()
        assert_as_it_should_be(world)
        if not died:
            assert death_after > 20
            return
    pytest.fail("it never came to its end")


def test_wherever_an_invocation_dies_the_ticket_says_the_new_severity_of_a_finding_in_the_end(world):
    for death_after in range(200):
        begin_with(world, "A")
        world.import_finding("A", Severity={"Label": "HIGH"})
        died = world.deliver(world.queue[0], death_after=death_after) is None
        world.settle()
        world.look_again()
        world.settle()
        assert world.trackers[0].issues["JIRA-1"].title.startswith("[HIGH] ")
        assert_as_it_should_be(world)
        if not died:
            assert death_after > 10
            return
    pytest.fail("it never came to its end")


def test_no_ticket_is_taken_for_a_groups_because_it_has_a_key_that_others_can_compute(grouped, jira):
    import_(grouped, "A")
    key = reference_of(parse_finding(grouped.findings["A"]), grouped.group_by).key
    jira.plant(draft_key(key, 1))
    jira.is_down = True
    grouped.deliver(grouped.queue[0])
    jira.is_down = False
    grouped.settle()
    assert jira.open_issues("A") == ["JIRA-2"]


@pytest.mark.parametrize("settles", ["A", "AB"])
def test_wherever_a_refresh_dies_the_next_one_ends_it(world, settles):
    for death_after in range(200):
        begin_with(world, "AB")
        for finding_id in settles:
            world.import_finding(finding_id, **PASSED)
        world.deliver_all()
        died = not world.refresh(death_after=death_after)
        world.settle()
        assert_as_it_should_be(world)
        if not died:
            assert death_after > 8
            return
    pytest.fail("it never came to its end")


@pytest.mark.parametrize("dies", [False, True])
@pytest.mark.parametrize("joins", ["A", "B"])
def test_a_finding_that_joins_while_the_ticket_is_closed_keeps_it_open_or_gets_the_next(world, joins, dies):
    outcomes = set()
    for intrusion_after in range(200):
        begin_with(world, "A")
        world.import_finding("A", **PASSED)
        world.deliver_all()
        intruded = []

        def intrude():
            if joins == "A":
                world.import_finding("A", **FAILED)
            else:
                import_(world, "B")
            intruded.append(world.deliver(world.queue[-1]))  # noqa: B023 - as above

        ends = intrusion_after + 3 if dies else None
        world.refresh(death_after=ends, intrusion_after=intrusion_after, intrude=intrude)
        world.settle()
        assert_as_it_should_be(world)
        if not intruded:
            break
        for tracker in world.trackers:
            (open_issue,) = (one for one in tracker.issues.values() if one.is_open)
            assert listed(open_issue) == {joins}
            outcomes.add(len(tracker.issues))
            assert (open_issue.earlier is None) == (len(tracker.issues) == 1)
    else:
        pytest.fail("it never came to its end")
    assert outcomes == {1, 2}


@pytest.mark.parametrize("closes", [False, True])
def test_wherever_a_refresh_comes_in_between_a_finding_that_joins_it_is_listed_in_the_end(world, closes):
    for intrusion_after in range(200):
        begin_with(world, "A" if closes else "AC")
        world.import_finding("A", **PASSED)
        world.deliver_all()
        import_(world, "B")
        refreshed = []
        world.deliver(
            world.queue[0],
            intrusion_after=intrusion_after,
            intrude=lambda: refreshed.append(world.refresh()),  # noqa: B023 - called in this iteration
        )
        world.settle()
        assert_as_it_should_be(world)
        if not refreshed:
            return
    pytest.fail("it never came to its end")


@pytest.mark.parametrize("joins", [False, True])
def test_wherever_a_finding_joins_or_leaves_during_an_edit_the_ticket_says_so_in_the_end(world, joins):
    for intrusion_after in range(200):
        begin_with(world, "AB")
        import_(world, "C")
        world.deliver_all()
        intruded = []

        def intrude():
            if joins:
                import_(world, "other")
            else:
                world.import_finding("A", **PASSED)
            intruded.append(world.deliver(world.queue[-1]))  # noqa: B023 - as above

        world.refresh(intrusion_after=intrusion_after, intrude=intrude)
        world.settle()
        assert world.groups.pending() == []
        for tracker in world.trackers:
            (issue,) = tracker.issues.values()
            number = 3 + len(intruded) if joins else 3 - len(intruded)
            assert issue.title.endswith(f"({number} findings)")
            assert len(lines(issue)) == number
        if not intruded:
            return
    pytest.fail("it never came to its end")


@pytest.mark.parametrize("closes", [False, True])
def test_what_an_edit_that_died_has_written_is_no_longer_there_when_all_is_as_before(world, closes):
    changed, back = (PASSED, FAILED) if closes else ({"Severity": {"Label": "HIGH"}}, FAILED)
    for death_after in range(200):
        begin_with(world, "A")
        world.import_finding("A", **changed)
        world.deliver_all()
        died = not world.refresh(death_after=death_after)
        world.import_finding("A", **back)
        world.settle()
        assert_as_it_should_be(world)
        if not died:
            assert death_after > 8
            return
    pytest.fail("it never came to its end")


def test_a_finding_that_was_not_in_the_first_list_of_the_ticket_is_in_the_next(grouped, jira, monkeypatch):
    import_(grouped, "A")
    grouped.settle()
    load = grouped.groups.load

    def load_again(*arguments):
        monkeypatch.setattr(grouped.groups, "load", load)
        return load(*arguments)

    def once(*_):
        # Another invocation has opened the ticket since.
        monkeypatch.setattr(grouped.groups, "load", load_again)

    monkeypatch.setattr(grouped.groups, "load", once)
    import_(grouped, "B")
    grouped.settle()
    assert listed(jira.issues["JIRA-1"]) == {"A", "B"}


OPERATIONS = st.one_of(
    *OPERATIONS_ON_GROUPS,
    st.tuples(st.just("lose"), NUMBERS),
    st.tuples(st.just("regroup"), st.sampled_from([*EXPECTED])),
)


@given(st.sampled_from(KINDS), st.lists(OPERATIONS, min_size=5, max_size=40))
@examples(2, suppress=[HealthCheck.function_scoped_fixture])
def test_whatever_dies_or_repeats_each_finding_that_needs_work_is_in_the_one_open_ticket_of_its_group(
    world, by, operations
):
    """The world itself checks at every call that no group has two open tickets in a tracker."""
    world.forget()
    world.group(by)
    history = GroupHistory(world)
    for operation in operations:
        history.apply(*operation)
    for tracker in world.trackers:
        tracker.is_down = tracker.answers_late = False
    world.limits.left.clear()
    for _ in range(2):  # what was in progress during the first, such as an opening, is left to the second
        world.look_again()
        world.settle()
    world.look_again()
    world.settle()
    event(f"deaths: {min(history.deaths, 3)}")
    event(f"tickets: {min(sum(len(tracker.issues) for tracker in world.trackers), 8)}")
    target(float(sum(len(tracker.issues) + len(tracker.calls) for tracker in world.trackers)))
    assert_as_it_should_be(world)
    for finding_id, finding in world.findings.items():
        entries = [
            entry
            for (digest, _), entry in world.tickets.entries.items()
            if world.tickets.findings[digest].id == finding_id
        ]
        open_ones = sum(entry.state is State.OPEN for entry in entries)
        if world.passes_filter(finding):
            assert open_ones == len(world.trackers)
        elif any(verdict(finding)) and verdict(finding) not in history.pressed_although.get(finding_id, ()):
            assert open_ones == 0
