"""A finding that several remediations serve: all do their part, and none hides or repeats another's."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from functions.remediate.allow_and_deny import TagLists
from functions.remediate.outcomes import Outcome, Status, combine, compose_note
from remediations.contract import CannotRemediateError, Change, Plan, Remediation, Setting
from securityhub.events import Resource, parse_event
from securityhub.outcomes import Result
from tests.hypothesis_profiles import examples

GUARD_DUTY = "arn:aws:securityhub:eu-west-1::product/aws/guardduty"


class Part:
    """A remediation of one type of resource.

    Attributes:
        does: What it meets: "change", "nothing", "impossible", "refuse" or "fail" when applying, or "fail to
            undo".
        applied: How often it has changed something.
        undone: How often it has restored something.
    """

    def __init__(self, name, does):
        self.name, self.does, self.applied, self.undone = name, does, 0, 0

    def plan(self, finding, _session):
        if self.does == "impossible":
            raise CannotRemediateError(f"A person has to decide on {self.name}.")
        (resource,) = [one.id for one in finding.resources if one.type == self.name]
        return Plan(
            resource=resource,
            description=f"Close {self.name}" if self.does != "nothing" else f"{self.name} is closed",
            prior_state={"open": self.name},
            is_needed=self.does != "nothing" and self.applied == self.undone,
        )

    def apply(self, plan, session):
        client = session.client("example")
        client.begin()
        if self.does == "refuse":
            client.end(403)
        if self.does in {"refuse", "fail"}:
            raise RuntimeError(f"{self.name} is in pieces")
        self.applied += 1
        return Change(resource=plan.resource, description=f"Closed {self.name}", prior_state=plan.prior_state)

    def look(self, change, _session):
        assert change.prior_state == {"open": self.name}
        is_open = self.applied == self.undone
        now = "broken" if self.does == "changed since" else "open" if is_open else "closed"
        return [Setting(name=self.name, before="open", left="closed", now=now)]

    def undo(self, _change, _session, _settings):
        if self.does == "fail to undo":
            raise RuntimeError(f"{self.name} stays closed")
        self.undone += 1

    @property
    def remediation(self):
        return Remediation(
            name=self.name,
            control_ids=("product/aws/guardduty",),
            resource_types=(self.name,),
            description="Closes it",
            plan=self.plan,
            apply=self.apply,
            look=self.look,
            undo=self.undo,
        )


@pytest.fixture
def press(world, run, new_event):
    """A function that presses an action on a finding that names a resource for each part."""

    def press_it(*parts, action="Remediate", event_id="press", unserved=(), **changes):
        world.others = {part.name: part.remediation for part in parts}
        event = new_event(1, action=action)
        names = [*(part.name for part in parts), *unserved]
        resources = tuple(Resource(type=name, id=f"id-of-{name}", region=None) for name in names)
        finding = replace(event.findings[0], product_arn=GUARD_DUTY, resources=resources)
        summary = run(replace(event, findings=(finding,), event_id=event_id), **changes)
        (report,) = summary.reports
        return report.outcome, summary.failures

    return press_it


def note_of(world):
    return world.notes["finding/0"][-1]


def test_all_do_their_part_and_the_finding_is_resolved(world, press):
    one, two = Part("One", "change"), Part("Two", "change")
    outcome, failures = press(one, two)
    assert (outcome.status, failures) == (Status.APPLIED, [])
    status, note = note_of(world)
    assert status == "RESOLVED"
    assert note.startswith("Remediated: Remediated: Closed One; Remediated: Closed Two. ")
    assert note.endswith('Before: {"One":{"open":"One"},"Two":{"open":"Two"}}')


def test_a_resource_that_is_gone_settles_nothing_about_the_others(world, press):
    outcome, _ = press(Part("One", "nothing"), Part("Two", "impossible"))
    assert outcome.status is Status.IMPOSSIBLE
    status, note = note_of(world)
    assert status is None
    assert note.startswith(
        "Cannot be remediated: Cannot be remediated: A person has to decide on Two; "
        "Nothing to remediate: One is closed. "
    )


def test_what_is_changed_beside_something_that_remains_is_not_resolved_and_not_repeated(world, press):
    one, two = Part("One", "change"), Part("Two", "impossible")
    assert press(one, two)[0].status is Status.PARTIAL
    assert note_of(world)[0] is None
    two.does = "change"
    outcome, _ = press(one, two, event_id="later")
    assert (outcome.status, outcome.repeated) == (Status.APPLIED, False)
    assert (one.applied, two.applied) == (1, 1)
    status, note = note_of(world)
    assert status == "RESOLVED"
    assert "Closed One" in note
    assert "Closed Two" in note


def test_a_failure_hides_nothing_and_a_retry_repeats_nothing(world, press):
    one, two = Part("One", "change"), Part("Two", "fail")
    outcome, failures = press(one, two)
    assert (outcome.status, len(failures)) == (Status.FAILED, 1)
    assert "Two is in pieces" in failures[0]
    status, note = note_of(world)
    assert status is None
    assert "Remediation failed: RuntimeError: Two is in pieces; Remediated: Closed One. " in note
    two.does = "change"
    outcome, failures = press(one, two)
    assert (outcome.status, failures) == (Status.APPLIED, [])
    assert (one.applied, two.applied) == (1, 1)
    assert note_of(world)[0] == "RESOLVED"


def test_a_note_is_written_anew_when_one_more_part_is_done(world, press):
    one, two = Part("One", "fail"), Part("Two", "fail")
    press(one, two)
    one.does = "change"
    press(one, two)
    assert "Remediated: Closed One" in note_of(world)[1]
    assert len(world.notes["finding/0"]) == 2
    press(one, two)
    assert len(world.notes["finding/0"]) == 2


def test_a_second_press_says_that_all_is_done(world, press):
    one, two = Part("One", "change"), Part("Two", "nothing")
    press(one, two)
    outcome, _ = press(one, two, event_id="later")
    assert (outcome.status, outcome.repeated, one.applied) == (Status.APPLIED, True, 1)
    assert note_of(world)[1].startswith("Already done, nothing changed now. Remediated: Remediated: Closed")


def test_a_part_that_was_opened_again_is_remediated_again_before_the_finding_is_resolved(world, press):
    one, two = Part("One", "change"), Part("Two", "fail")
    press(one, two)
    one.applied, two.does = 0, "change"
    outcome, _ = press(one, two, event_id="later")
    assert (outcome.status, one.applied, two.applied) == (Status.APPLIED, 1, 1)
    assert note_of(world)[0] == "RESOLVED"


def test_a_resource_that_no_remediation_serves_keeps_the_finding_open(world, press):
    outcome, _ = press(Part("One", "change"), unserved=["AwsS3Bucket"])
    assert outcome.status is Status.PARTIAL
    status, note = note_of(world)
    assert status is None
    assert "No enabled remediation serves AwsS3Bucket id-of-AwsS3Bucket, which the finding names" in note


def test_resources_that_no_remediation_serves_are_reported_under_one_id(world, press):
    press(Part("One", "change"), unserved=["AwsS3Bucket", "AwsEc2Instance"])
    ids = [one.id_for("remediate") for one in world.reported]
    assert len(set(ids)) == len(ids)
    (impossible,) = (one for one in world.reported if one.result is Result.IMPOSSIBLE)
    assert "AwsS3Bucket id-of-AwsS3Bucket, AwsEc2Instance id-of-AwsEc2Instance" in impossible.reason


def test_undoing_restores_everything_that_was_changed(world, press):
    one, two = Part("One", "change"), Part("Two", "change")
    press(one, two)
    outcome, _ = press(one, two, action="UndoRemediation")
    assert outcome.status is Status.UNDONE
    assert (one.undone, two.undone) == (1, 1)
    assert world.kept == {"finding/0": {}}
    assert note_of(world)[0] == "NEW"
    assert press(one, two, event_id="again")[0].status is Status.APPLIED
    assert (one.applied, two.applied) == (2, 2)


def test_undoing_that_fails_for_one_reopens_the_finding_and_the_retry_undoes_the_rest(world, press):
    one, two = Part("One", "change"), Part("Two", "change")
    press(one, two)
    one.does = "fail to undo"
    outcome, failures = press(one, two, action="UndoRemediation")
    assert (outcome.status, len(failures)) == (Status.UNDO_FAILED, 1)
    assert note_of(world)[0] == "NEW"
    one.does = "change"
    assert press(one, two, action="UndoRemediation")[0].status is Status.UNDONE
    assert (one.undone, two.undone) == (1, 1)


def test_what_is_denied_undoing_by_its_tags_stays_while_the_rest_is_undone(world, press):
    one, two = Part("One", "change"), Part("Two", "change")
    press(one, two)
    world.tags = {"id-of-One": {"keep": "yes"}}
    lists = TagLists(allow={}, deny={"keep": frozenset({"yes"})})
    outcome, failures = press(one, two, action="UndoRemediation", resource_tags=lists)
    assert (outcome.status, failures) == (Status.PARTLY_UNDONE, [])
    assert (one.undone, two.undone) == (0, 1)
    status, note = note_of(world)
    assert status == "NEW"
    assert note.startswith(
        "Remediation undone in part: Undo not allowed, nothing changed: id-of-One has the tag"
    )


def test_each_part_acts_in_a_session_of_its_own(world, press):
    press(Part("One", "change"), Part("Two", "change"))
    assert len(world.policies) == 2


OUTCOMES = st.sampled_from(["change", "nothing", "impossible", "refuse", "fail"])


@given(does=st.lists(OUTCOMES, min_size=1, max_size=4))
@examples(0.5, suppress=[HealthCheck.function_scoped_fixture])
def test_a_finding_is_resolved_only_if_nothing_of_it_remains(world, press, does):
    world.forget()
    parts = [Part(f"Part{number}", one) for number, one in enumerate(does)]
    outcome, failures = press(*parts)
    status, note = note_of(world)
    assert (status == "RESOLVED") == (set(does) <= {"change", "nothing"})
    assert bool(failures) == bool({"refuse", "fail"} & set(does))
    assert len(note) <= 512
    assert [part.applied for part in parts] == [int(one == "change") for one in does]
    if len(does) > 1:
        assert len(outcome.parts) == len(does)
    press(*parts)
    press(*parts, event_id="later")
    assert [part.applied for part in parts] == [int(one == "change") for one in does]
    press(*parts, action="UndoRemediation")
    # One that fails can have changed a part of it, unless it was refused.
    assert [part.undone for part in parts] == [int(one in {"change", "fail"}) for one in does]


SETTLING = {Status.APPLIED, Status.NOT_NEEDED}
UNDONE = {Status.UNDONE, Status.PARTLY_UNDONE}


@pytest.mark.parametrize("number", [1, 2, 3])
def test_no_combination_settles_a_finding_of_which_something_remains(number):
    for statuses in itertools.product(Status, repeat=number):
        outcome = combine([Outcome.now(one, "It is so", request_id="request-1") for one in statuses])
        found = set(statuses)
        assert (outcome.workflow_status == "RESOLVED") == (found <= SETTLING)
        assert (outcome.workflow_status == "NEW") == bool(found & UNDONE)
        if outcome.is_final:
            assert found <= SETTLING | {Status.PARTIAL, Status.UNDONE}


PARTS = st.builds(
    Outcome.now,
    st.sampled_from(Status),
    st.text(max_size=400),
    request_id=st.just("0f8fad5b-d9cb-469f-a165-70867728950e"),
    remediation=st.sampled_from(["one", "two"]),
    prior_state=st.none() | st.dictionaries(st.text(max_size=9), st.text(max_size=400), max_size=3),
    record=st.none() | st.just(f"s3://records/444455556666/eu-west-1/{'0' * 64}/example.json"),
)


@given(parts=st.lists(PARTS, min_size=2, max_size=3))
@examples(1, suppress=[HealthCheck.function_scoped_fixture])
def test_the_note_tells_every_outcome_in_512_characters(parts, load_event):
    outcome = combine(parts)
    note = compose_note(outcome, parse_event(load_event("custom_action_1_finding")))
    assert len(note.encode("utf-16-le")) <= 512 * 2
    for status in {part.status for part in parts}:
        assert f"{status}: "[:20] in note
    assert Outcome.from_json(json.loads(json.dumps(outcome.to_json())), repeated=False) == replace(
        outcome, repeated=False
    )


def test_an_outcome_that_was_stored_before_there_were_parts_is_read():
    outcome = Outcome.now(Status.APPLIED, "Closed it", request_id="request-1", remediation="example")
    stored = outcome.to_json()
    assert "parts" not in stored
    assert Outcome.from_json(stored, repeated=False) == outcome
