"""What is outdated is canceled, and an approval in the same second is neither lost nor misused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from functions.remediate.approval_contract import Answer
from functions.remediate.approval_outdated import withdraw_outdated
from functions.remediate.outcomes import Status
from tests.approvals import approve, status_of

NOTE = "Not approved, nothing changed: Automation execution execution-0 was canceled, because "


@pytest.fixture
def run(run_with_approval):
    return run_with_approval


@pytest.fixture
def look(world, settings, approvals, desk):
    """A function that takes the hourly look, and returns why each request was canceled."""

    def look_at_all(*, scope=None, **changes):
        return [
            withdraw_outdated(
                request,
                replace(approvals, scope=scope or approvals.scope),
                services=replace(world.services, approvals=approvals),
                settings=replace(settings, **changes),
                request_id="hourly",
            )
            for request in desk.waiting()
        ]

    return look_at_all


@pytest.fixture
def asked(run, new_event):
    """A finding whose remediation waits, and the event of its press."""
    event = new_event(1)
    assert status_of(run(event)) is Status.WAITING
    return event


@pytest.mark.parametrize(
    ("field", "state"),
    [("workflow_status", "SUPPRESSED"), ("workflow_status", "RESOLVED"), ("record_state", "ARCHIVED")],
)
def test_the_request_for_a_finding_that_was_settled_is_canceled(look, asked, desk, field, state):
    (finding,) = asked.findings
    desk.findings[finding.id] = replace(finding, **{field: state})
    assert look() == [f"the finding is {state} by now"]
    assert desk.canceled == ["execution-0"]


def test_the_finding_says_why_its_request_was_canceled_and_so_does_the_outcome(run, look, asked, world, desk):
    (finding,) = asked.findings
    desk.findings[finding.id] = replace(finding, workflow_status="SUPPRESSED")
    look()
    assert status_of(run("execution-0")) is Status.NOT_APPROVED
    status, note = world.last_note(finding)
    assert status is None
    assert note.startswith(f"{NOTE}the finding is SUPPRESSED by now: Close it")
    assert (world.applied, desk.requests) == ([], {})
    assert world.told[-1] == ("remediate", "refused", "example")


def test_the_request_for_a_finding_that_is_gone_is_canceled(run, look, asked, desk):
    desk.findings[asked.findings[0].id] = None
    assert look() == ["the finding no longer exists"]
    assert "no longer exists" in run("execution-0")
    assert (desk.canceled, desk.requests) == (["execution-0"], {})


def test_a_request_for_another_plan_is_canceled(run, look, asked, world, desk):
    world.remains = "Something else"
    assert look() == ["what would be changed is not the same any longer: press the action again"]
    assert status_of(run("execution-0")) is Status.NOT_APPROVED
    assert status_of(run(replace(asked, event_id="again"))) is Status.WAITING
    assert len(desk.told) == 2


@pytest.mark.usefixtures("asked")
def test_a_request_for_what_somebody_else_has_done_is_canceled(look, world):
    world.open.clear()
    assert look() == ["nothing is left to change"]


@pytest.mark.usefixtures("asked")
def test_a_request_for_what_the_settings_allow_no_longer_is_canceled(look, settings, everything, desk):
    desk.refuses_to_cancel = True
    denied = replace(settings.accounts, deny=frozenset({"ANY"}))
    for changes, why in (
        ({"accounts": denied}, "the account is not allowed"),
        (
            {"scope": replace(everything, accounts=frozenset({"999999999999"}))},
            "needs no approval any longer",
        ),
    ):
        with pytest.raises(RuntimeError, match="Rate exceeded"):
            look(**changes)
        (request,) = desk.waiting()
        assert why in request.outdated


def test_a_rule_that_only_plans_by_now_waits_for_no_approval_and_asks_again_once_it_changes(
    run, look, new_event, desk
):
    event = new_event(1, automatic=True)
    run(event, automatic_changes=True)
    assert look(automatic_changes=True) == [None]
    assert look() == ["imported findings are only planned for by now"]
    run("execution-0")
    # The hourly run carries it out no second time.
    assert "was settled" in run("execution-0")
    # Nobody has refused it.
    assert status_of(run(event, automatic_changes=True)) is Status.WAITING
    assert len(desk.told) == 2


@pytest.mark.parametrize("answer", [Answer.APPROVED, Answer.REFUSED])
def test_a_decision_for_a_rule_that_only_plans_by_now_is_carried_out_once(
    run, new_event, world, desk, answer
):
    run(new_event(1, automatic=True), automatic_changes=True)
    decision = desk.answer(answer, "decided")
    run(decision)
    assert world.applied == []
    assert "was settled" in run(decision)
    assert desk.waiting() == []


@pytest.mark.usefixtures("asked")
def test_what_is_as_it_was_goes_on_waiting(look, desk):
    assert look() == [None]
    assert desk.canceled == []


def test_nobody_knows_whether_a_plan_is_outdated_in_an_account_that_cannot_be_seen(look, asked, world, desk):
    world.refusing = {asked.findings[0].aws_account_id}
    assert look() == [None]
    assert desk.canceled == []


def test_a_finding_that_was_settled_when_it_was_pressed_can_be_approved(run, look, new_event, world, desk):
    event = new_event(1)
    settled = replace(event.findings[0], workflow_status="SUPPRESSED")
    run(replace(event, findings=(settled,)))
    assert look() == [None]
    assert status_of(run(approve(desk))) is Status.APPLIED
    assert world.applied == ["resource/0"]


def test_what_is_approved_in_the_same_second_is_done_if_it_is_wanted_again(run, look, asked, world, desk):
    (finding,) = asked.findings
    desk.findings[finding.id] = replace(finding, workflow_status="SUPPRESSED")
    desk.before_canceling = lambda: approve(desk)
    look()
    assert desk.canceled == []
    desk.findings[finding.id] = finding
    assert status_of(run("execution-0")) is Status.APPLIED
    assert world.applied == ["resource/0"]


def test_what_is_approved_in_the_same_second_is_not_done_on_a_finding_that_was_settled(
    run, look, asked, world, desk
):
    (finding,) = asked.findings
    desk.findings[finding.id] = replace(finding, workflow_status="SUPPRESSED")
    desk.before_canceling = lambda: approve(desk)
    look()
    assert status_of(run("execution-0")) is Status.REFUSED
    assert world.applied == []


@pytest.mark.usefixtures("asked")
def test_what_is_approved_in_the_same_second_is_not_done_with_another_plan(run, look, world, desk):
    world.remains = "Something else"
    desk.before_canceling = lambda: approve(desk)
    look()
    assert status_of(run("execution-0")) is Status.WAITING
    assert world.applied == []


def test_a_cancellation_that_fails_is_tried_again_and_harms_nothing(run, look, asked, desk):
    (finding,) = asked.findings
    desk.findings[finding.id] = replace(finding, workflow_status="SUPPRESSED")
    desk.refuses_to_cancel = True
    with pytest.raises(RuntimeError, match="Rate exceeded"):
        look()
    # It's wanted again, so the next look lets it wait.
    desk.findings[finding.id] = finding
    assert look() == [None]
    assert desk.waiting()[0].outdated == ""
    desk.findings[finding.id] = replace(finding, workflow_status="SUPPRESSED")
    desk.refuses_to_cancel = False
    look()
    assert desk.canceled == ["execution-0"]
    assert status_of(run("execution-0")) is Status.NOT_APPROVED


def test_a_press_while_a_request_is_being_canceled_asks_anew(run, look, asked, desk):
    (finding,) = asked.findings
    desk.findings[finding.id] = replace(finding, workflow_status="SUPPRESSED")
    desk.refuses_to_cancel = True
    with pytest.raises(RuntimeError):
        look()
    desk.refuses_to_cancel = False
    assert status_of(run(replace(asked, event_id="again"))) is Status.WAITING
    assert (len(desk.told), desk.canceled) == (2, ["execution-0"])
    assert "replaced" in run("execution-0")


@pytest.fixture(params=[False, True], ids=["canceled", "failing"])
def failing(request, desk):
    """The desk, which cancels nothing at first, or does."""
    desk.refuses_to_cancel = request.param
    return desk


def test_a_press_for_another_plan_cancels_the_request_that_it_replaces(run, look, asked, world, failing):
    desk = failing
    world.remains = "Something else"
    assert status_of(run(replace(asked, event_id="again"))) is Status.WAITING
    assert "so Automation execution execution-0 is canceled" in world.last_note(asked.findings[0])[1]
    if desk.refuses_to_cancel:
        assert desk.waiting()[0].replaces == "execution-0"
        desk.refuses_to_cancel = False
        assert look() == [None]
    assert desk.canceled == ["execution-0"]
    assert desk.waiting()[0].replaces == ""
    assert status_of(run(approve(desk))) is Status.PARTIAL


def test_a_press_that_finds_nothing_left_to_do_cancels_the_request(run, look, asked, world, failing):
    desk = failing
    world.open.clear()
    assert status_of(run(replace(asked, event_id="again"))) is Status.NOT_NEEDED
    if desk.refuses_to_cancel:
        desk.refuses_to_cancel = False
        assert look() == ["nothing is left to change"]
        run("execution-0")
    assert (desk.canceled, desk.requests) == (["execution-0"], {})


def test_a_finding_that_was_settled_gets_none_of_its_other_remediations(run, look, asked, world, desk):
    (finding,) = asked.findings
    desk.findings[finding.id] = replace(finding, workflow_status="SUPPRESSED")
    look()
    world.others = {"other": replace(world.services.remediations["example"], name="other")}
    run("execution-0")
    assert world.applied == []


@pytest.mark.usefixtures("asked")
def test_an_approval_that_is_used_during_the_hourly_look_stays_used(run, look, world, desk, monkeypatch):
    """Somebody approves, and the change is interrupted, after the look has read the request."""
    get_finding = desk.get_finding

    def interrupt():
        world.open.clear()
        raise RuntimeError("Read timeout")

    def use_the_approval(finding):
        monkeypatch.setattr(desk, "get_finding", get_finding)
        world.meanwhile = interrupt
        assert status_of(run(approve(desk))) is Status.FAILED
        world.meanwhile = lambda: None
        return get_finding(finding)

    monkeypatch.setattr(desk, "get_finding", use_the_approval)
    assert look() == ["nothing is left to change"]
    world.open.add("resource/0")
    assert status_of(run("execution-0")) is Status.WAITING
    assert world.applied == []
    assert len(desk.told) == 2
