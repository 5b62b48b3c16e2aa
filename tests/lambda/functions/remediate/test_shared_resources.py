"""Findings about one resource that several invocations handle at the same time."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from functions.remediate.outcomes import Status
from remediations.contract import Plan, Remediation, Setting
from securityhub.events import Resource

SECONDS = 20


class Document:
    """An account-wide document, which is read, and then written as a whole.

    Attributes:
        rules: what is in it.
        between: called after it's read, and before it's written.
    """

    def __init__(self):
        self.rules = set()
        self.between = lambda: None

    @staticmethod
    def _rule_of(finding):
        return finding.raw["Compliance"]["SecurityControlId"]

    def _write(self, change):
        read = set(self.rules)
        self.between()
        self.rules = change(read)

    def plan(self, finding, _session):
        rule = self._rule_of(finding)
        return Plan(
            resource=finding.resources[0].id,
            description=f"Add {rule}",
            prior_state={"rule": rule},
            is_needed=rule not in self.rules,
        )

    def apply(self, plan, _session):
        self._write(lambda read: read | {plan.prior_state["rule"]})
        return plan.done()

    def look(self, change, _session):
        rule = change.prior_state["rule"]
        now = "there" if rule in self.rules else "absent"
        return [Setting(name=rule, before="absent", left="there", now=now)]

    def undo(self, change, _session, _settings):
        self._write(lambda read: read - {change.prior_state["rule"]})

    def remediation(self, **changes):
        return replace(
            Remediation(
                name="document",
                control_ids=("EX.7", "EX.10"),
                resource_types=("AwsAccount",),
                statements=({"Action": ("iam:UpdateExample",), "Resource": ("*",)},),
                description="Adds a rule",
                plan=self.plan,
                apply=self.apply,
                look=self.look,
                undo=self.undo,
            ),
            **changes,
        )


@pytest.fixture
def document(world):
    document = Document()
    world.others = {"document": document.remediation()}
    return document


@pytest.fixture
def press(new_event):
    """A function that makes a press on the finding of a control about the account."""

    def make(control, *, action="Remediate", region="eu-west-1"):
        event = new_event(1, action=action)
        (finding,) = event.findings
        account = Resource(type="AwsAccount", id=f"AWS::::Account:{finding.aws_account_id}", region=None)
        about = replace(
            finding,
            id=f"finding/{control}/{region}",
            region=region,
            resources=(account,),
            raw={"Compliance": {"SecurityControlId": control}},
        )
        return replace(event, event_id=f"{action} {control} {region}", findings=(about,))

    return make


@pytest.fixture
def run_both(world, document, run, monkeypatch):
    """A function that runs the second event while the first one is between its read and its write."""

    def run_them(first, second):
        has_read, may_write, outcomes = threading.Event(), threading.Event(), {}

        def between():
            document.between = lambda: None
            has_read.set()
            assert may_write.wait(SECONDS)

        def waits(seconds):
            may_write.set()
            one.join(SECONDS)
            world.store.seconds += seconds

        monkeypatch.setattr(world.store, "sleep", waits)
        document.between = between
        one = threading.Thread(target=lambda: outcomes.update(first=run(first)), daemon=True)
        one.start()
        assert has_read.wait(SECONDS)
        outcomes["second"] = run(second)
        may_write.set()
        one.join(SECONDS)
        return [outcomes[name].reports[0].outcome.status for name in ("first", "second")]

    return run_them


@pytest.mark.parametrize("region", ["eu-west-1", "us-east-1"])
def test_two_findings_of_one_account_do_not_overwrite_what_the_other_one_has_changed(
    document, press, run_both, region
):
    """As nine controls do that are about one password policy, whose findings come at the same time."""
    assert run_both(press("EX.7"), press("EX.10", region=region)) == [Status.APPLIED, Status.APPLIED]
    assert document.rules == {"EX.7", "EX.10"}


def test_findings_about_other_accounts_do_not_wait_for_each_other(world, document, press, run):
    first, second = press("EX.7"), press("EX.10")
    (finding,) = second.findings
    second = replace(second, findings=(replace(finding, aws_account_id="777788889999"),))
    during = []
    world.store.sleep = lambda _: pytest.fail("it waits")

    def between():
        document.between = lambda: None
        during.append(run(second).reports[0].outcome.status)

    document.between = between
    run(first)
    assert during == [Status.APPLIED]


def test_a_runbook_is_waited_for_by_several(world, document, press, run):
    """It can take longer than anybody waits for a turn."""
    world.others = {"document": document.remediation(runbook="AWS-Example")}
    during = []
    world.store.sleep = lambda _: pytest.fail("it waits")

    def between():
        document.between = lambda: None
        during.append(run(press("EX.10")).reports[0].outcome.status)

    document.between = between
    run(press("EX.7"))
    assert during == [Status.APPLIED]


def test_a_remediation_survives_the_undo_of_another_finding_about_the_account(document, press, run, run_both):
    run(press("EX.7"))
    undo = press("EX.7", action="UndoRemediation")
    assert run_both(undo, press("EX.10")) == [Status.UNDONE, Status.APPLIED]
    assert document.rules == {"EX.10"}


def test_an_undo_survives_the_remediation_of_another_finding_about_the_account(
    document, press, run, run_both
):
    run(press("EX.7"))
    undo = press("EX.7", action="UndoRemediation")
    assert run_both(press("EX.10"), undo) == [Status.APPLIED, Status.UNDONE]
    assert document.rules == {"EX.10"}
