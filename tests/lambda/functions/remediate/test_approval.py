"""Nothing that needs approval is changed without it, whatever happens in between."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from functions.remediate.approval import DecidedFindings, Scope
from functions.remediate.approval_contract import Answer
from functions.remediate.approval_decisions import decided
from functions.remediate.approval_words import digest_of, key_of
from functions.remediate.outcomes import Status
from remediations.contract import Plan
from securityhub.events import Format, Resource
from tests.approvals import approve, reject, status_of
from tests.hypothesis_profiles import examples

ACCOUNT, REGION = "111122223333", "eu-west-1"


@pytest.fixture
def run(run_with_approval):
    return run_with_approval


def test_a_press_asks_once_and_changes_nothing(run, world, desk, new_event):
    event = new_event(1)
    (finding,) = event.findings
    summary = run(event)
    assert status_of(summary) is Status.WAITING
    assert summary.failures == []
    status, note = world.last_note(finding)
    assert status is None
    assert note.startswith(
        "Waiting for approval, nothing changed: Automation execution execution-0 in Systems Manager waits up "
        "to 24 hours for an approval to: Close it. "
    )
    for number in range(3):
        assert status_of(run(replace(event, event_id=f"again-{number}"))) is Status.WAITING
    assert desk.told == ["Close it"]
    assert (world.applied, world.kept) == ([], {})


def test_what_is_approved_is_done_and_the_note_says_who_approved_it(run, world, desk, new_event):
    event = new_event(1)
    (finding,) = event.findings
    run(event)
    execution = approve(desk)
    assert status_of(run(execution)) is Status.APPLIED
    assert world.applied == ["resource/0"]
    status, note = world.last_note(finding)
    assert status == "RESOLVED"
    assert note.startswith("Remediated: Closed it. ")
    assert "pressed in 111122223333, approved by arn:aws:iam::111122223333:role/Lead in Automation" in note
    # The event of the decision is delivered again, and somebody presses again.
    notes = len(world.notes[finding.id])
    assert "was settled" in run(execution)
    assert len(world.notes[finding.id]) == notes
    run(replace(event, event_id="again"))
    assert (world.applied, desk.told) == (["resource/0"], ["Close it"])


def test_a_press_does_what_is_approved_if_no_event_of_the_decision_came(run, world, desk, new_event):
    event = new_event(1)
    run(event)
    execution = approve(desk)
    assert status_of(run(replace(event, event_id="again"))) is Status.APPLIED
    assert world.applied == ["resource/0"]
    assert "was settled" in run(execution)


@pytest.mark.parametrize(
    "why", ["rejected by arn:aws:iam::111122223333:role/Lead", "not approved in time", "canceled"]
)
def test_what_is_not_approved_is_not_done_the_finding_says_so_and_a_press_asks_again(
    run, world, desk, new_event, why
):
    event = new_event(1)
    (finding,) = event.findings
    run(event)
    # Whoever rejects it need not wait for the role in the account.
    world.refusing = {finding.aws_account_id}
    assert status_of(run(desk.answer(Answer.REFUSED, why))) is Status.NOT_APPROVED
    status, note = world.last_note(finding)
    assert status is None
    assert note.startswith(f"Not approved, nothing changed: Automation execution execution-0 was {why}: ")
    assert world.applied == []
    world.refusing = set()
    assert status_of(run(replace(event, event_id="again"))) is Status.WAITING
    assert len(desk.told) == 2


def test_a_rule_does_not_ask_again_for_what_was_rejected_until_it_would_do_something_else(
    run, world, desk, new_event
):
    event = new_event(1, automatic=True)
    (finding,) = event.findings
    run(event, automatic_changes=True)
    run(reject(desk), automatic_changes=True)
    notes = list(world.notes[finding.id])
    assert notes[-1][1].startswith("Not approved, nothing changed")
    # The note is an update of the finding, and its control is checked again tomorrow.
    for finding_now in (finding, replace(finding, updated_at=desk.now + timedelta(days=1))):
        again = replace(event, findings=(finding_now,))
        assert status_of(run(again, automatic_changes=True)) is Status.NOT_APPROVED
    assert world.notes[finding.id] == notes
    assert desk.told == ["Close it"]
    world.remains = "Something else"
    assert status_of(run(event, automatic_changes=True)) is Status.WAITING
    assert len(desk.told) == 2


def test_what_has_changed_since_it_was_asked_for_is_asked_for_again(run, world, desk, new_event):
    event = new_event(1)
    (finding,) = event.findings
    run(event)
    world.remains = "Something else"
    assert status_of(run(approve(desk))) is Status.WAITING
    assert "What was approved has changed since, so it's asked for again" in world.last_note(finding)[1]
    assert world.applied == []
    # The first approval is worth nothing any longer.
    assert "replaced" in run("execution-0")
    assert status_of(run(approve(desk))) is Status.PARTIAL
    assert world.applied == ["resource/0"]


def test_an_approval_that_is_old_is_asked_for_again(run, world, desk, new_event):
    event = new_event(1)
    run(event)
    assert status_of(run(approve(desk, ended=desk.now - timedelta(hours=25)))) is Status.WAITING
    assert "older than a day" in world.last_note(event.findings[0])[1]
    assert world.applied == []


def test_what_somebody_else_has_fixed_meanwhile_needs_nothing(run, world, desk, new_event):
    event = new_event(1)
    run(event)
    world.open.clear()
    assert status_of(run(approve(desk))) is Status.NOT_NEEDED
    assert (world.applied, desk.waiting()) == ([], [])


@pytest.mark.parametrize("state", [{"workflow_status": "SUPPRESSED"}, {"record_state": "ARCHIVED"}])
def test_a_finding_that_was_settled_meanwhile_is_left_alone(run, world, desk, new_event, state):
    event = new_event(1)
    (finding,) = event.findings
    run(event)
    desk.findings[finding.id] = replace(finding, **state)
    assert status_of(run(approve(desk))) is Status.REFUSED
    assert world.applied == []
    assert "by now, so what was approved was not done" in world.last_note(finding)[1]
    assert desk.waiting() == []


def test_a_finding_that_is_gone_ends_its_request(run, world, desk, new_event):
    event = new_event(1)
    run(event)
    desk.findings[event.findings[0].id] = None
    assert "no longer exists" in run(approve(desk))
    assert (world.applied, desk.waiting()) == ([], [])


def test_an_account_that_is_denied_meanwhile_is_not_changed(run, world, desk, new_event, settings):
    event = new_event(1)
    run(event)
    denied = replace(settings.accounts, deny=frozenset({"ANY"}))
    assert status_of(run(approve(desk), accounts=denied)) is Status.REFUSED
    assert (world.applied, desk.waiting()) == ([], [])


def test_a_rejection_holds_although_nothing_needs_approval_any_longer(
    run, world, desk, new_event, everything
):
    event = new_event(1)
    run(event)
    nothing = replace(everything, accounts=frozenset({"999999999999"}))
    assert status_of(run(reject(desk), scope=nothing)) is Status.NOT_APPROVED
    assert world.applied == []


def test_a_failure_keeps_the_approval_for_the_retry(run, world, desk, new_event):
    event = new_event(1)
    run(event)
    world.failing = {"resource/0"}
    execution = approve(desk)
    assert status_of(run(execution)) is Status.FAILED
    assert [one.execution for one in desk.waiting()] == [execution]
    world.failing = set()
    assert status_of(run(execution)) is Status.APPLIED
    assert desk.waiting() == []


def test_a_failure_keeps_the_approval_although_the_role_cannot_delete_its_record(
    run, world, desk, new_event, monkeypatch
):
    def deny(*_, **__):
        raise PermissionError("Without an undo, the role has no s3:DeleteObject")

    monkeypatch.setattr(world, "discard", deny)
    run(new_event(1))
    world.failing = {"resource/0"}
    execution = approve(desk)
    assert status_of(run(execution)) is Status.FAILED
    world.failing = set()
    assert status_of(run(execution)) is Status.APPLIED
    assert desk.told == ["Close it"]


def test_a_note_that_is_not_written_keeps_the_request_for_the_retry(run, world, desk, new_event):
    event = new_event(1)
    run(event)
    execution = approve(desk)
    world.unwritable = {"finding/0"}
    run(execution)
    assert len(desk.waiting()) == 1
    world.unwritable = set()
    run(execution)
    assert world.last_note(event.findings[0])[0] == "RESOLVED"
    assert (world.applied, desk.waiting()) == (["resource/0"], [])


def test_an_interruption_before_the_execution_is_known_starts_no_second_one(run, world, desk, new_event):
    event = new_event(1)

    class Death(BaseException):
        """The process ends."""

    save = desk.save
    saves = []

    def die(request, *, replacing):
        saves.append(request)
        if len(saves) == 2:
            raise Death
        save(request, replacing=replacing)

    desk.save = die
    with pytest.raises(Death):
        run(event)
    desk.save = save
    world.store.items.clear()  # the lease lapses
    assert status_of(run(event)) is Status.WAITING
    assert len(desk.told) == 1
    assert status_of(run(approve(desk))) is Status.APPLIED


def test_two_invocations_ask_once(run, desk, new_event):
    event = new_event(1)

    def other():
        desk.meanwhile = lambda: None
        assert status_of(run(replace(event, event_id="other"))) is Status.BUSY

    desk.meanwhile = other
    assert status_of(run(event)) is Status.WAITING
    assert len(desk.told) == 1


def test_a_dry_run_asks_nobody_and_an_undo_needs_no_approval(run, world, desk, new_event):
    event = new_event(1, automatic=True)
    assert status_of(run(event)) is Status.PLANNED
    assert desk.told == []
    pressed = new_event(1)
    run(pressed)
    run(approve(desk))
    undo = replace(new_event(1, action="UndoRemediation"), time=desk.now)
    assert status_of(run(undo)) is Status.UNDONE
    assert world.undone == ["resource/0"]
    assert len(desk.told) == 1


def test_what_waits_is_reported_as_held_back_and_what_was_rejected_as_refused(run, world, desk, new_event):
    run(new_event(1, automatic=True), automatic_changes=True)
    run(reject(desk), automatic_changes=True)
    assert world.told == [("remediate", "held_back", "example"), ("remediate", "refused", "example")]
    details = [
        one.to_detail(function="remediate", control="EX.1", account_group="other") for one in world.reported
    ]
    assert [one["cause"]["kind"] for one in details] == ["automatic", "approval"]
    assert details[1]["cause"]["actionArn"] is None


def test_what_was_approved_is_not_reported_as_another_press(run, world, desk, new_event):
    press = new_event(1)
    run(press)
    decision = approve(desk)
    run(decision)
    causes = [
        one.to_detail(function="remediate", control="EX.1", account_group="other")["cause"]
        for one in world.reported
    ]
    assert [one["kind"] for one in causes] == ["press", "approval"]
    assert [one["eventId"] for one in causes] == [press.event_id, decision]
    assert {one["actionArn"] for one in causes} == {press.action_arn}


@pytest.mark.parametrize(
    ("scope", "needs"),
    [
        ({"remediations": {"example"}, "accounts": {"444455556666"}}, True),
        ({"remediations": {"another"}, "accounts": {"444455556666"}}, False),
        ({"controls": {"EX.1"}, "accounts": {"ANY"}}, True),
        ({"controls": {"EX.2"}, "accounts": {"ANY"}}, False),
        ({"remediations": {"ANY"}, "accounts": {"777788889999"}}, False),
        ({"remediations": {"ANY"}, "accounts": {"ou-abcd-12345678"}}, True),
        ({"remediations": {"ANY"}, "accounts": {"ou-abcd-87654321"}}, False),
    ],
)
def test_only_what_the_settings_name_needs_approval(run, world, new_event, scope, needs):
    event = new_event(1)
    world.containers = {"444455556666": ["ou-abcd-12345678"]}
    given_scope = Scope(
        **{name: frozenset(scope.get(name, ())) for name in ("remediations", "controls", "accounts")}
    )
    assert status_of(run(event, scope=given_scope)) is (Status.WAITING if needs else Status.APPLIED)


def test_an_account_that_cannot_be_looked_up_is_not_changed(run, world, new_event, everything):
    scope = replace(everything, accounts=frozenset({"ou-abcd-12345678"}))
    assert status_of(run(new_event(1), scope=scope)) is Status.FAILED
    assert world.applied == []


def test_each_remediation_of_a_finding_waits_for_its_own_approval(run, world, desk, new_event, everything):
    event = new_event(1)
    (finding,) = event.findings
    finding = replace(
        finding, resources=(*finding.resources, Resource(type="AwsOther", id="other", region=None))
    )
    event = replace(event, findings=(finding,))
    other = replace(
        world.services.remediations["example"],
        name="other",
        resource_types=("AwsOther",),
        plan=lambda _finding, _session: Plan(
            resource="other", description="Close the other", prior_state={}, is_needed="other" in world.open
        ),
    )
    world.others = {"other": other}
    world.open.add("other")
    scope = replace(everything, remediations=frozenset({"other"}))
    assert status_of(run(event, scope=scope)) is Status.PARTIAL
    assert world.applied == ["resource/0"]
    assert world.last_note(finding)[0] is None
    desk.findings[finding.id] = finding
    assert status_of(run(approve(desk), scope=scope)) is Status.APPLIED
    assert world.applied == ["resource/0", "other"]
    assert world.last_note(finding)[0] == "RESOLVED"


def test_a_finding_of_the_new_security_hub_is_read_there_again(run, world, desk, new_event):
    event = new_event(1)
    uid = event.findings[0].product_arn.replace(":product/", ":productv2/")
    raw = {"compliance": {"control": "EX.1"}}
    finding = replace(event.findings[0], format=Format.OCSF, product_uid=uid, metadata_uid="uid", raw=raw)
    run(replace(event, findings=(finding,)))
    (request,) = desk.waiting()
    known = request.identified()
    assert known.is_ocsf
    assert (known.identity, known.product_uid) == (finding.identity, uid)
    assert status_of(run(approve(desk))) is Status.APPLIED
    assert world.applied == ["resource/0"]


def test_a_forged_request_lets_nothing_be_done(run, world, desk, new_event):
    """Whoever can write to the table can't make a change of what nobody has approved."""
    event = new_event(2)
    run(event)
    first, second = event.findings
    execution = approve(desk, execution=desk.requests[key_of(first, "example")].execution)
    mine = desk.requests[key_of(second, "example")]
    desk.requests[mine.key] = replace(mine, execution=execution)
    # The execution names another request.
    run(replace(event, event_id="again", findings=(second,)))
    assert world.applied == []
    # An execution that told its approvers something else, started by somebody else.
    lie = desk.executions[execution].words | {"Change": "Nothing to worry about"}
    desk.executions["lie"] = replace(desk.executions[execution], id="lie", words=lie)
    key = key_of(first, "example")
    honest = desk.requests[key]
    desk.requests[key] = replace(honest, execution="lie")
    run(replace(event, event_id="lie", findings=(first,)))
    assert world.applied == []
    desk.requests[key] = honest
    # A request that claims to be an undo is carried out as a remediation.
    desk.requests[key] = replace(desk.requests[key], action="arn:aws:securityhub:::action/UndoRemediation")
    assert status_of(run(execution)) is Status.APPLIED
    assert (world.applied, world.undone) == (["resource/0"], [])


@given(
    one=st.dictionaries(
        st.sampled_from(["resource", "description", "remains", "before", "parameter"]), st.text()
    ),
    other=st.dictionaries(
        st.sampled_from(["resource", "description", "remains", "before", "parameter"]), st.text()
    ),
)
@examples(0.5, suppress=[HealthCheck.function_scoped_fixture])
def test_two_plans_have_one_digest_only_if_they_are_equal(new_event, one, other):
    (finding,) = new_event(1).findings

    def digest(parts):
        plan = Plan(
            resource=parts.get("resource", ""),
            description=parts.get("description", ""),
            prior_state={"before": parts.get("before", "")},
            is_needed=True,
            remains=parts.get("remains", ""),
        )
        return digest_of(finding, "example", plan, {"parameter": parts.get("parameter", "")})

    same = {name: text for name, text in one.items() if text} == {n: t for n, t in other.items() if t}
    assert (digest(one) == digest(other)) is same
    updated = replace(finding, updated_at=None)
    plan = Plan(resource="r", description="d", prior_state={}, is_needed=True)
    assert digest_of(finding, "example", plan, {}) == digest_of(updated, "example", plan, {})
    elsewhere = replace(finding, region="us-east-1")
    assert digest_of(finding, "example", plan, {}) != digest_of(elsewhere, "example", plan, {})


class History:
    """What can happen to a finding whose remediation needs approval, step by step."""

    def __init__(self, run, world, desk, new_event):
        self.run, self.world, self.desk = run, world, desk
        self.pressed = new_event(1)
        (self.finding,) = self.pressed.findings
        self.imported = replace(new_event(1, automatic=True), findings=(self.finding,))
        self.number, self.approved, self.violations = 0, set(), []
        desk.findings[self.finding.id] = self.finding
        world.meanwhile = self.check_approval

    def check_approval(self):
        """Called when the resource is changed; an approval is good for one change."""
        digest = digest_of(self.finding, "example", self.world.plan(self.finding, None), {})
        if digest not in self.approved:
            self.violations.append(digest)
        self.approved.discard(digest)

    def press(self):
        self.number += 1
        self.run(replace(self.pressed, event_id=str(self.number)))

    def rule(self):
        self.run(self.imported, automatic_changes=True)

    def approve(self):
        for execution in self.waiting()[-1:]:
            self.approved.add(execution.words["Plan"])
            approve(self.desk, execution=execution.id)

    def reject(self):
        for execution in self.waiting()[-1:]:
            self.desk.answer(Answer.REFUSED, "rejected", execution=execution.id)

    def waiting(self):
        return [one for one in self.desk.executions.values() if one.answer is Answer.WAITING]

    def events(self):
        """Those of all executions, in any number and order."""
        for execution in list(self.desk.executions):
            self.run(execution, automatic_changes=True)

    def change(self):
        self.world.remains = "" if self.world.remains else "Something else"

    def reopen(self):
        self.world.open.add("resource/0")

    def break_or_mend(self):
        self.world.failing = set() if self.world.failing else {"resource/0"}

    def lose_or_find_notes(self):
        self.world.unwritable = set() if self.world.unwritable else {self.finding.id}


# What makes something happen comes more often.
OFTEN = ("press", "approve", "events")
STEPS = (*OFTEN, *OFTEN, "rule", "reject", "change", "reopen", "break_or_mend", "lose_or_find_notes")


@given(steps=st.lists(st.sampled_from(STEPS), min_size=10, max_size=25))
@examples(2.0, suppress=[HealthCheck.function_scoped_fixture])
def test_in_every_history_each_change_has_an_approval_of_its_own(run, world, desk, new_event, steps):
    world.forget()
    desk.__init__()
    history = History(run, world, desk, new_event)
    for step in steps:
        getattr(history, step)()
    assert history.violations == []


def test_a_decided_event_is_about_the_finding_as_it_is_now(desk, approvals, run, new_event):
    event = new_event(1)
    run(event)
    newer = replace(event.findings[0], title="As it is now")
    desk.findings[newer.id] = newer
    found = decided(approve(desk), approvals=approvals, account=ACCOUNT, region=REGION)
    assert isinstance(found, DecidedFindings)
    assert (found.findings, found.event_id) == ((newer,), "execution-0")


def test_an_execution_that_has_not_ended_or_is_unknown_changes_nothing(approvals, run, new_event):
    run(new_event(1))
    for execution, why in (("execution-0", "has not ended"), ("other", "no execution of this app's")):
        assert why in decided(execution, approvals=approvals, account=ACCOUNT, region=REGION)


def test_an_approval_is_good_for_one_change_although_the_note_about_it_was_not_written(
    run, world, desk, new_event
):
    run(new_event(1))
    execution = approve(desk)
    world.unwritable = {"finding/0"}
    run(execution)
    world.open.add("resource/0")
    summary = run(execution)
    assert "The approval is used, so it's asked for again" in summary.reports[0].outcome.description
    assert world.applied == ["resource/0"]


def test_an_approval_is_good_for_one_change_although_the_process_ended_with_it(
    run, world, desk, new_event, monkeypatch
):
    run(new_event(1))
    execution = approve(desk)
    with monkeypatch.context() as patch:
        patch.setattr(world.store, "complete", interrupt)
        with pytest.raises(KeyboardInterrupt):
            run(execution)
    assert world.applied == ["resource/0"]
    world.open.add("resource/0")
    world.store.seconds += 60
    assert status_of(run(execution)) is Status.WAITING
    assert world.applied == ["resource/0"]


def interrupt(*_, **__):
    raise KeyboardInterrupt
