from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from remediate.logic import explain_no_findings, remediate_findings
from remediate.outcomes import FindingsNotRemediatedError, Status
from remediate.settings import Settings
from securityhub_events import MalformedItem, Resource, parse_event

REFUSING = "777788889999"


@pytest.fixture
def run(world, settings, invocation):
    def run_it(event, **changes):
        return remediate_findings(
            event,
            settings=replace(settings, **changes),
            services=world.services,
            invocation=invocation,
        )

    return run_it


def statuses(summary):
    return [report.outcome.status for report in summary.reports]


def test_every_finding_is_remediated_resolved_and_told_about(run, world, new_event):
    event = new_event(3)
    summary = run(event)
    assert statuses(summary) == [Status.APPLIED] * 3
    assert summary.failures == []
    assert world.applied == ["resource/0", "resource/1", "resource/2"]
    for finding in event.findings:
        status, note = world.last_note(finding)
        assert status == "RESOLVED"
        assert note.startswith("Remediated: Closed it. ")
        assert "action/custom/Remediate pressed in 111122223333, request request-1." in note
        assert note.endswith('Before: {"open":true}')


def test_twenty_findings_in_three_accounts_of_which_one_refuses_are_done_once_or_reported(
    run, world, new_event
):
    event = new_event(20)
    world.refusing = {REFUSING}
    first = run(event)
    done = [finding.resources[0].id for finding in event.findings if finding.aws_account_id != REFUSING]
    refused = [finding for finding in event.findings if finding.aws_account_id == REFUSING]
    assert world.applied == done
    assert len(first.failures) == len(refused) == 7
    for finding in refused:
        status, note = world.last_note(finding)
        assert status is None
        assert note.startswith(f"Remediation failed: MemberRoleError: The role of {REFUSING}")

    notes = {finding_id: list(texts) for finding_id, texts in world.notes.items()}
    second = run(event)
    assert world.applied == done
    assert len(second.failures) == 7
    assert world.notes == notes

    world.refusing = set()
    assert run(event).failures == []
    assert sorted(world.applied) == sorted(finding.resources[0].id for finding in event.findings)


@given(
    trouble=st.fixed_dictionaries(
        {
            "refusing": st.sets(st.sampled_from(["444455556666", REFUSING, "111122223333"])),
            "failing": st.sets(st.sampled_from([f"resource/{number}" for number in range(12)])),
            "unwritable": st.sets(st.sampled_from([f"finding/{number}" for number in range(12)])),
        }
    )
)
@hypothesis_settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_whatever_fails_every_finding_is_done_once_or_named_and_none_is_done_again(
    run, world, new_event, trouble
):
    world.forget()
    event = new_event(12)
    vars(world).update(trouble)
    for _ in range(2):
        named = "\n".join(run(event).failures) + "\n"
        for finding in event.findings:
            resource = finding.resources[0].id
            stuck = finding.aws_account_id in world.refusing or resource in world.failing
            assert world.applied.count(resource) == (not stuck)
            assert (f"{finding.id}: " in named) == (stuck or finding.id in world.unwritable)
    world.refusing, world.failing, world.unwritable = set(), set(), set()
    assert run(event).failures == []
    assert sorted(world.applied) == sorted(finding.resources[0].id for finding in event.findings)
    assert all(world.last_note(finding)[0] == "RESOLVED" for finding in event.findings)


def test_a_finding_that_comes_twice_in_one_event_is_done_once(run, world, new_event):
    event = new_event(1)
    run(replace(event, findings=event.findings * 2))
    assert world.applied == ["resource/0"]


def test_a_second_press_changes_nothing_and_says_so(run, world, new_event):
    event = new_event(1)
    run(event)
    world.open.add("resource/0")
    (report,) = run(replace(event, event_id="another")).reports
    assert report.outcome.repeated
    assert world.applied == ["resource/0"]
    status, note = world.last_note(event.findings[0])
    assert status == "RESOLVED"
    assert note.startswith("Already done, nothing changed now. Remediated: Closed it. ")


def test_a_finding_that_was_updated_since_is_looked_at_again(run, world, new_event):
    event = new_event(1)
    run(event)
    world.open.add("resource/0")
    (finding,) = event.findings
    run(replace(event, findings=(replace(finding, updated_at=event.time),)))
    assert world.applied == ["resource/0", "resource/0"]


def test_a_resource_that_is_as_it_should_be_is_left_alone_and_looked_at_each_time(run, world, new_event):
    event = new_event(1)
    world.open.clear()
    assert statuses(run(event)) == [Status.NOT_NEEDED]
    assert world.last_note(event.findings[0])[0] == "RESOLVED"
    world.open.add("resource/0")
    assert statuses(run(replace(event, event_id="another"))) == [Status.APPLIED]


def test_an_imported_finding_is_only_planned_for(run, world, new_event):
    event = new_event(1, automatic=True)
    assert statuses(run(event)) == [Status.PLANNED]
    assert world.applied == []
    status, note = world.last_note(event.findings[0])
    assert status is None
    assert note.startswith("Dry run, nothing changed: Close it. ")


def test_an_imported_finding_is_remediated_where_that_is_enabled(run, world, new_event):
    assert statuses(run(new_event(1, automatic=True), automatic_changes=True)) == [Status.APPLIED]
    assert world.applied == ["resource/0"]


@pytest.mark.parametrize("trouble", ["none", "refusing"])
def test_what_a_rule_writes_to_a_finding_does_not_make_it_write_again(run, world, new_event, trouble):
    event = new_event(1, automatic=True)
    if trouble == "refusing":
        world.refusing = {"444455556666"}
    for number in range(3):
        run(replace(event, event_id=f"event-{number}"))
    assert len(world.notes["finding/0"]) == 1


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"allowed_accounts": frozenset()}, "Account 444455556666 is not on the allow list"),
        ({"allowed_accounts": frozenset({"111122223333"})}, "is not on the allow list"),
        ({"denied_accounts": frozenset({"444455556666"})}, "Account 444455556666 is on the deny list"),
    ],
)
def test_an_account_is_not_touched_unless_it_is_allowed_and_not_denied(run, world, new_event, changes, why):
    event = new_event(1)
    summary = run(event, **changes)
    assert statuses(summary) == [Status.REFUSED]
    assert summary.failures == []
    assert world.applied == []
    status, note = world.last_note(event.findings[0])
    assert status is None
    assert why in note


def test_findings_that_get_the_same_status_and_note_share_a_request(run, world, new_event):
    event = new_event(120)
    world.open.clear()
    world.open.add("resource/7")
    run(event)
    assert [len(findings) for findings in world.requests] == [100, 19, 1]
    assert world.requests[-1] == ["finding/7"]
    assert {status for ((status, _),) in world.notes.values()} == {"RESOLVED"}


def test_of_findings_that_share_a_request_only_those_not_updated_are_reported(run, world, new_event):
    event = new_event(3)
    world.open.clear()
    world.unwritable = {"finding/1"}
    assert run(event).failures == ["finding/1: the note was not written: FindingNotFound: gone"]
    assert sorted(world.notes) == ["finding/0", "finding/2"]


def test_a_rule_writes_nothing_to_the_findings_of_an_account_that_is_not_allowed(run, world, new_event):
    run(new_event(1, automatic=True), allowed_accounts=frozenset())
    assert world.notes == {}


def test_a_control_that_no_remediation_serves_is_reported_and_not_tried_again(run, world, new_event):
    event = new_event(1)
    other = (Resource(type="AwsOther", id="resource/0", region=None),)
    event = replace(event, findings=(replace(event.findings[0], resources=other),))
    summary = run(event)
    assert statuses(summary) == [Status.IMPOSSIBLE]
    assert summary.failures == []
    assert (
        "No enabled remediation serves EX.1 for resources of type AwsOther"
        in (world.last_note(event.findings[0])[1])
    )


def test_the_record_is_there_before_anything_changes(run, world, new_event):
    world.failing = {"resource/0"}
    run(new_event(1))
    name, change = world.kept["finding/0"]
    assert (name, change.prior_state) == ("example", {"open": True})


def test_undoing_restores_and_reopens_once(run, world, new_event):
    event = new_event(1)
    run(event)
    undo = replace(event, action_arn=event.action_arn.replace("Remediate", "UndoRemediation"))
    assert statuses(run(undo)) == [Status.UNDONE]
    assert world.open == {"resource/0"}
    assert world.last_note(event.findings[0])[0] == "NEW"
    run(replace(undo, event_id="another"))
    assert world.undone == ["resource/0"]


def test_what_was_undone_can_be_remediated_and_undone_again(run, world, new_event):
    event = new_event(1)
    undo = replace(event, action_arn=event.action_arn.replace("Remediate", "UndoRemediation"))
    for number in range(2):
        assert statuses(run(replace(event, event_id=f"remediate-{number}"))) == [Status.APPLIED]
        assert world.open == set()
        assert statuses(run(replace(undo, event_id=f"undo-{number}"))) == [Status.UNDONE]
        assert world.open == {"resource/0"}
    assert world.last_note(event.findings[0])[1].startswith("Remediation undone: ")


def test_a_rule_leaves_alone_what_was_undone_until_the_finding_is_updated(run, world, new_event):
    event = new_event(1, automatic=True)
    (finding,) = event.findings
    pressed = replace(new_event(1), findings=(finding,))
    run(pressed)
    run(replace(pressed, action_arn=pressed.action_arn.replace("Remediate", "UndoRemediation")))
    notes = list(world.notes[finding.id])

    run(event, automatic_changes=True)

    assert world.open == {"resource/0"}
    assert world.notes[finding.id] == notes
    updated = replace(event, findings=(replace(finding, updated_at=event.time),))
    assert statuses(run(updated, automatic_changes=True)) == [Status.APPLIED]


def test_what_was_never_remediated_cannot_be_undone(run, world, new_event):
    event = new_event(1, action="UndoRemediation")
    assert statuses(run(event)) == [Status.IMPOSSIBLE]
    assert "There is no record of a remediation" in world.last_note(event.findings[0])[1]
    assert world.applied == []


def test_a_malformed_finding_is_reported_and_stops_no_other(run, world, new_event):
    malformed = MalformedItem(index=1, id="odd", reason="$.detail.findings[1].ProductArn must be there")
    summary = run(replace(new_event(1), malformed_findings=(malformed,)))
    assert world.applied == ["resource/0"]
    assert summary.failures == ["odd: $.detail.findings[1].ProductArn must be there"]


def test_the_error_names_every_failure(run, world, new_event):
    world.failing = {"resource/1"}
    error = FindingsNotRemediatedError(run(new_event(2)))
    assert str(error) == "1 failure(s). finding/1: RuntimeError: The service is in pieces"


def test_an_event_without_findings_is_explained(load_event):
    assert "has no findings in the AWS Security Finding Format" in explain_no_findings(
        parse_event(load_event("insight_results_few"))
    )


def test_a_note_with_a_large_prior_state_says_where_it_is(run, world, new_event, monkeypatch):
    event = new_event(1)
    plan = world.plan
    monkeypatch.setattr(
        world, "plan", lambda *given: replace(plan(*given), prior_state={"rules": ["x" * 100] * 10})
    )
    run(event)
    assert world.last_note(event.findings[0])[1].endswith("Before: s3://records/finding/0")


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("AUTOMATIC_MODE", "yes", "AUTOMATIC_MODE must be one of dry-run, apply, but is 'yes'"),
        ("ALLOWED_ACCOUNTS", "all", "ALLOWED_ACCOUNTS must be 12-digit account ids"),
        ("DENIED_ACCOUNTS", "ANY", "DENIED_ACCOUNTS must be 12-digit account ids"),
        ("MEMBER_ROLE", " ", "MEMBER_ROLE must be a text that is not blank"),
    ],
)
def test_a_wrong_setting_is_refused_at_cold_start(name, value, message):
    environment = dict.fromkeys(("MEMBER_ROLE", "EXTERNAL_ID", "RECORDS_BUCKET", "IDEMPOTENCY_TABLE"), "x")
    with pytest.raises(ValueError, match=message):
        Settings.from_environment({**environment, name: value})


def test_without_an_allow_list_no_account_is_allowed():
    environment = dict.fromkeys(("MEMBER_ROLE", "EXTERNAL_ID", "RECORDS_BUCKET", "IDEMPOTENCY_TABLE"), "x")
    assert Settings.from_environment(environment).refusal("444455556666")
