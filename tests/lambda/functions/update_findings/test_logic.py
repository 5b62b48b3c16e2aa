from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.update_findings.logic import FindingsNotUpdatedError, Settings, compose_note, update_findings
from securityhub.events import parse_event
from securityhub.findings.updates import BACKOFF_SECONDS, NotUpdated, RequestRefusedError
from tests.both_formats import imported, ocsf_finding
from tests.forged_findings import JSON, forged
from tests.hypothesis_profiles import examples

FUNCTION_ARN = "arn:aws:lambda:eu-west-1:111122223333:function:example"


class ScriptedUpdater:
    """Takes every update, except that it gives each finding id the next outcome of its script."""

    def __init__(self, outcomes=None, refused_batches=()):
        self.outcomes = outcomes or {}
        self.refused_batches = set(refused_batches)
        self.batches = []
        self.written = {}

    def batch_update_findings(
        self, findings, *, workflow_status, note_text, note_updated_by, user_defined_fields
    ):
        assert user_defined_fields is None
        self.batches.append([finding.id for finding in findings])
        if len(self.batches) - 1 in self.refused_batches:
            raise RequestRefusedError("InternalException", "The request was refused")
        not_updated = []
        for finding in findings:
            code = self.outcomes[finding.id].pop(0) if self.outcomes.get(finding.id) else None
            if code is None:
                self.written[finding.id] = (workflow_status, note_text, note_updated_by)
            else:
                not_updated.append(NotUpdated(finding=finding, error_code=code, error_message="Because"))
        return not_updated


@pytest.fixture
def event(load_event):
    return parse_event(load_event("custom_action_20_findings"))


@pytest.fixture
def notified():
    return Settings.from_environment({"WORKFLOW_STATUS": "NOTIFIED"})


def run(event, settings, updater, sleep=lambda _: None):
    return update_findings(
        event,
        settings=settings,
        security_hub=updater,
        request_id="52fdfc07",
        function_arn=FUNCTION_ARN,
        sleep=sleep,
    )


def with_findings(event, count):
    template = event.findings[0]
    findings = tuple(replace(template, id=f"finding/{number}") for number in range(count))
    return replace(event, findings=findings)


def test_every_finding_gets_status_and_note(event, notified):
    updater = ScriptedUpdater()

    summary = run(event, notified, updater)

    assert summary.updated == event.findings
    assert set(updater.written) == {finding.id for finding in event.findings}
    assert {(status, author) for status, _, author in updater.written.values()} == {
        ("NOTIFIED", FUNCTION_ARN)
    }


RISK = {"Text": "Risk accepted until 2027-01-31, ticket RISK-17", "UpdatedBy": "analyst"}


def test_the_note_that_was_there_is_kept_behind_the_new_one(event, notified):
    first, second, *others = with_findings(event, 4).findings
    noted = [replace(one, raw={**one.raw, "Note": RISK}) for one in (first, second)]
    updater = ScriptedUpdater()

    summary = run(replace(event, findings=(*noted, *others)), notified, updater)

    assert len(summary.updated) == 4
    notes = [updater.written[f"finding/{number}"][1] for number in range(4)]
    assert [note.endswith(f"Earlier note: {RISK['Text']}") for note in notes] == [True, True, False, False]
    assert updater.batches == [["finding/0", "finding/1"], ["finding/2", "finding/3"]]
    assert all(len(note) <= 512 for note in notes)


def test_its_own_earlier_note_is_not_repeated(event, notified):
    own = {"Text": "Workflow status set to NOTIFIED before", "UpdatedBy": FUNCTION_ARN}
    (finding,) = with_findings(event, 1).findings
    updater = ScriptedUpdater()
    run(replace(event, findings=(replace(finding, raw={**finding.raw, "Note": own}),)), notified, updater)
    assert "Earlier note" not in updater.written["finding/0"][1]


@pytest.mark.parametrize(("count", "sizes"), [(1, [1]), (100, [100]), (101, [100, 1]), (250, [100, 100, 50])])
def test_a_request_carries_at_most_100_findings(event, notified, count, sizes):
    updater = ScriptedUpdater()

    summary = run(with_findings(event, count), notified, updater)

    assert [len(batch) for batch in updater.batches] == sizes
    assert len(summary.updated) == count


def test_a_finding_that_comes_twice_is_sent_once(event, notified):
    updater = ScriptedUpdater()

    run(replace(event, findings=event.findings[:1] * 2), notified, updater)

    assert updater.batches == [[event.findings[0].id]]


def test_equal_ids_of_two_products_are_two_findings(event, notified):
    twin = replace(event.findings[0], product_arn="arn:aws:securityhub:eu-west-1::product/aws/config")

    summary = run(replace(event, findings=(event.findings[0], twin)), notified, ScriptedUpdater())

    assert len(summary.updated) == 2


@pytest.mark.parametrize("code", ["ConcurrentUpdateError", "InternalFailure"])
def test_a_passing_failure_is_tried_again_for_the_affected_finding_only(event, notified, code):
    unlucky = event.findings[4].id
    updater = ScriptedUpdater({unlucky: [code, code]})
    pauses = []

    summary = run(event, notified, updater, pauses.append)

    assert [len(batch) for batch in updater.batches] == [20, 1, 1]
    assert pauses == [0.5, 1.0]
    assert summary.not_updated == ()
    assert unlucky in updater.written


def test_a_failure_that_does_not_pass_is_given_up_and_reported(event, notified):
    unlucky = event.findings[4]
    updater = ScriptedUpdater({unlucky.id: ["InternalFailure"] * 100})
    pauses = []

    summary = run(event, notified, updater, pauses.append)

    assert pauses == list(BACKOFF_SECONDS)
    assert [item.finding for item in summary.not_updated] == [unlucky]
    assert len(summary.updated) == 19


@pytest.mark.parametrize("code", ["FindingNotFound", "DuplicatedFindingIdentifier"])
def test_a_final_failure_is_not_tried_again(event, notified, code):
    unlucky = event.findings[0].id
    updater = ScriptedUpdater({unlucky: [code]})

    summary = run(event, notified, updater)

    assert len(updater.batches) == 1
    assert [item.error_code for item in summary.not_updated] == [code]


def test_a_refused_request_does_not_stop_the_next_one(event, notified):
    updater = ScriptedUpdater(refused_batches=[0])

    summary = run(with_findings(event, 150), notified, updater)

    assert len(summary.updated) == 50
    assert len(summary.not_updated) == 100
    assert {item.error_code for item in summary.not_updated} == {"InternalException"}


def test_a_second_run_of_the_same_event_writes_the_same(event, notified):
    first, second = ScriptedUpdater(), ScriptedUpdater()

    run(event, notified, first)
    run(event, notified, second)

    assert first.written == second.written


def test_an_imported_finding_with_the_status_is_left_alone_lest_it_triggers_itself(load_event, notified):
    given = load_event("findings_imported")
    given["detail"]["findings"][0]["Workflow"]["Status"] = "NOTIFIED"
    updater = ScriptedUpdater()

    summary = run(parse_event(given), notified, updater)

    assert updater.batches == []
    assert [finding.id for finding in summary.already_updated] == [given["detail"]["findings"][0]["Id"]]


def test_an_imported_finding_with_another_status_is_updated(load_event, notified):
    event = parse_event(load_event("findings_imported"))
    updater = ScriptedUpdater()

    summary = run(event, notified, updater)

    assert summary.updated == event.findings
    assert summary.action is None
    assert "by an automatic rule in account 111122223333" in updater.written[event.findings[0].id][1]


def test_a_custom_action_renews_the_note_of_a_finding_that_has_the_status(load_event, notified):
    given = load_event("custom_action_1_finding")
    given["detail"]["findings"][0]["Workflow"]["Status"] = "NOTIFIED"

    summary = run(parse_event(given), notified, ScriptedUpdater())

    assert len(summary.updated) == 1


def test_the_note_says_what_by_which_action_where_and_when(event, notified):
    assert compose_note(event, notified, "52fdfc07") == (
        'Workflow status set to NOTIFIED by the custom action "Suppress with note" '
        "(arn:aws:securityhub:eu-west-1:111122223333:action/custom/SuppressWithNote) "
        "in account 111122223333 (eu-west-1) at 2026-01-31T09:45:12+00:00. "
        f"Event {event.event_id}, request 52fdfc07."
    )


def test_the_note_follows_its_template(event):
    settings = Settings.from_environment(
        {"WORKFLOW_STATUS": "SUPPRESSED", "NOTE_TEMPLATE": "Risk under $$5 accepted, event $event_id"}
    )

    assert compose_note(event, settings, "52fdfc07") == f"Risk under $5 accepted, event {event.event_id}"


@pytest.mark.parametrize("status", [None, "", "RESOLVED", "notified"])
def test_a_wrong_workflow_status_is_refused_at_cold_start(status):
    environment = {} if status is None else {"WORKFLOW_STATUS": status}

    with pytest.raises(ValueError, match=r"WORKFLOW_STATUS must be one of NOTIFIED, SUPPRESSED, but is"):
        Settings.from_environment(environment)


@pytest.mark.parametrize("template", ["$analyst did it", "costs $ 5", "  ", "${event_id"])
def test_a_wrong_note_template_is_refused_at_cold_start(template):
    with pytest.raises(ValueError, match=r"no placeholders but \$workflow_status, \$action"):
        Settings.from_environment({"WORKFLOW_STATUS": "NOTIFIED", "NOTE_TEMPLATE": template})


def test_the_error_lists_every_finding_that_was_not_updated_and_why(load_event, notified):
    given = load_event("custom_action_20_findings")
    given["detail"]["findings"][2] = {"Id": "finding/odd"}
    event = parse_event(given)
    updater = ScriptedUpdater({event.findings[0].id: ["FindingNotFound"]})

    error = FindingsNotUpdatedError(run(event, notified, updater))

    assert str(error).startswith("2 of 20 findings were not set to NOTIFIED.")
    assert f"{event.findings[0].id}: FindingNotFound, Because" in str(error)
    assert "finding/odd: $.detail.findings[2].ProductArn must be" in str(error)


@given(st.data())
@examples(0.5)
def test_every_finding_ends_up_in_one_list_of_the_summary(data):
    codes = st.sampled_from([None, "InternalFailure", "ConcurrentUpdateError", "FindingNotFound"])
    event = with_findings(BASE_EVENT, data.draw(st.integers(1, 230)))
    outcomes = {finding.id: data.draw(st.lists(codes, max_size=5)) for finding in event.findings[::40]}
    updater = ScriptedUpdater(outcomes, refused_batches=data.draw(st.sets(st.integers(0, 5))))

    summary = run(event, Settings.from_environment({"WORKFLOW_STATUS": "NOTIFIED"}), updater)

    listed = [*summary.updated, *summary.already_updated, *(item.finding for item in summary.not_updated)]
    assert sorted(finding.id for finding in listed) == sorted(finding.id for finding in event.findings)
    assert {finding.id for finding in summary.updated} == set(updater.written)


BASE_EVENT = parse_event(
    {
        "id": "6f0c",
        "detail-type": "Security Hub Findings - Custom Action",
        "source": "aws.securityhub",
        "account": "111122223333",
        "time": "2026-01-31T09:30:00Z",
        "region": "eu-west-1",
        "resources": ["arn:aws:securityhub:eu-west-1:111122223333:action/custom/MarkAsNotified"],
        "detail": {
            "actionName": "Mark as notified",
            "findings": [{"Id": "1", "ProductArn": "arn:p", "AwsAccountId": "111122223333"}],
        },
    }
)


def test_a_status_is_set_although_the_note_is_refused_and_the_failure_says_so(event, notified):
    class RefusesNotes(ScriptedUpdater):
        def batch_update_findings(self, findings, *, note_text, **values):
            if note_text is not None:
                raise RequestRefusedError("InvalidInputException", "Note.Text is invalid")
            return super().batch_update_findings(findings, note_text=note_text, **values)

    updater = RefusesNotes()
    summary = run(event, notified, updater)
    assert {status for status, _, _ in updater.written.values()} == {"NOTIFIED"}
    assert len(updater.written) == len(summary.not_updated) == len(event.findings)
    reason = "Note.Text is invalid. Everything but the note was written."
    assert summary.to_json()["notUpdated"][0]["errorMessage"] == reason


@given(st.lists(forged() | JSON, min_size=1, max_size=4))
@examples(0.5)
def test_each_forged_finding_of_the_new_hub_ends_in_one_outcome(findings):
    event = parse_event(imported(ocsf_finding(1), *findings))
    summary = run(event, Settings.from_environment({"WORKFLOW_STATUS": "NOTIFIED"}), ScriptedUpdater())
    ended = [one.identity for one in (*summary.updated, *summary.already_updated)]
    assert (len(ended), set(ended)) == (len(set(ended)), {one.identity for one in event.findings})
    assert (summary.not_updated, summary.malformed) == ((), event.malformed_findings)
