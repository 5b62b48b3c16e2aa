"""Ticketing and remediation that write to one finding at a time, in every order of their calls."""

from __future__ import annotations

import threading
from contextlib import nullcontext

import pytest

from functions.remediate import logic as remediation
from functions.remediate.services import Saved, Services
from functions.remediate.settings import Settings
from functions.update_findings import logic as update_findings
from remediations.contract import Change, Plan, Remediation
from securityhub.events import parse_event
from securityhub.findings.settled import LateLook
from securityhub.findings.turns import Turns

REMEDIATION_ARN = "arn:aws:lambda:eu-west-1:111122223333:function:remediation"
UPDATE_ARN = "arn:aws:lambda:eu-west-1:111122223333:function:update"
SETTINGS = Settings.from_environment(
    {
        "REMEDIATIONS": "example",
        "ALLOWED_ACCOUNTS": "ANY",
        "AUTOMATIC_MODE": "apply",
        "MEMBER_ROLE": "securityhub/Member",
        "AUTOMATION_ROLE": "securityhub/Automation",
        "EXTERNAL_ID": "external",
        "RECORDS_BUCKET": "records",
        "IDEMPOTENCY_TABLE": "done",
    }
)


class Schedule:
    """Lets functions run in threads, one at a time: which one goes on at each of their calls is a choice.

    Attributes:
        taken: the choices, each with the number of functions that could have gone on.
    """

    def __init__(self, choices):
        self.choices = choices
        self.taken = []
        self._mine = threading.local()

    def run(self, *functions):
        workers = [_Worker(self._bound(function)) for function in functions]
        while alive := [worker for worker in workers if not worker.has_ended]:
            ready = [worker for worker in alive if not worker.is_waiting] or alive
            number = len(self.taken)
            choice = self.choices[number] if number < len(self.choices) else 0
            self.taken.append((choice, len(ready)))
            for worker in workers:
                if worker is not ready[choice]:
                    worker.is_waiting = False
            ready[choice].go_on()
        for worker in workers:
            if worker.error:
                raise worker.error

    def pause(self, *, is_waiting=False):
        """Let another function go on, if it is its turn; does nothing outside of the functions."""
        if worker := getattr(self._mine, "worker", None):
            worker.pause(is_waiting)

    def _bound(self, function):
        def run(worker):
            self._mine.worker = worker
            function()

        return run


class _Worker:
    def __init__(self, run):
        self.has_ended = self.is_waiting = False
        self.error = None
        self._may_go_on, self._has_paused = threading.Semaphore(0), threading.Semaphore(0)
        self._run = run
        threading.Thread(target=self._work, daemon=True).start()

    def go_on(self):
        self._may_go_on.release()
        self._has_paused.acquire()

    def pause(self, is_waiting):
        self.is_waiting = is_waiting
        self._has_paused.release()
        self._may_go_on.acquire()

    def _work(self):
        self._may_go_on.acquire()
        try:
            self._run(self)
        except BaseException as error:  # noqa: BLE001 - raised again by the schedule
            self.error = error
        self.has_ended = True
        self._has_paused.release()


def every_schedule():
    """Yield schedules until each sequence of choices was taken."""
    choices = []
    while choices is not None:
        schedule = Schedule(choices)
        yield schedule
        taken = list(schedule.taken)
        while taken and taken[-1][0] + 1 == taken[-1][1]:
            taken.pop()
        choices = [*(choice for choice, _ in taken[:-1]), taken[-1][0] + 1] if taken else None


class Remediated:
    """The remediation of a finding: an account, a record, and a hub that is ticketing's."""

    def __init__(self, world):
        self.world = world
        self.is_open = True

    def session(self, *_):
        return object()

    def containers_of(self, _account):
        return ()

    def save(self, *_, **__):
        return Saved(place="s3://records/1")

    def find(self, *_, **__):
        return None

    def latest(self, *_):
        return None

    def begin(self, *_, **__):
        pass

    def plan(self, finding, _session):
        return Plan(
            resource=finding.resources[0].id,
            description="Close it",
            prior_state={},
            is_needed=self.is_open,
        )

    def apply(self, plan, _session):
        self.is_open = False
        return Change(resource=plan.resource, description="Closed it", prior_state={})

    def handle(self, event):
        parsed = parse_event(event)
        example = Remediation(
            name="example",
            control_ids=("EX.1",),
            resource_types=("AwsExample",),
            description="Closes what is open",
            plan=self.plan,
            apply=self.apply,
            look=None,
            undo=None,
        )
        services = Services(
            members=self,
            organization=self,
            read_tags=None,
            records=self,
            once=type(self.world.store)().once(),
            security_hub=self.world,
            late_look=LateLook(findings=self.world, now=self.world.now),
            turns=self.world.turns,
            remediations={"example": example},
        )
        return remediation.remediate_findings(
            parsed,
            settings=SETTINGS,
            services=services,
            invocation=remediation.Invocation(request_id="request", function_arn=REMEDIATION_ARN),
        )


@pytest.fixture
def begin(world, monkeypatch):
    """A function that begins anew: a finding that both functions handle, their calls being scheduled."""
    store, current = type(world.store)(), []
    write = world.batch_update_findings

    def pausing(call):
        def paused(*arguments, **settings):
            current[0].pause()
            return call(*arguments, **settings)

        return paused

    for name in ("claim", "recall", "keep", "release"):
        monkeypatch.setattr(store, name, pausing(getattr(store, name)))
    monkeypatch.setattr(world, "batch_update_findings", pausing(write))

    def begin(schedule, *, share=True):
        current[:] = [schedule]
        store.items.clear()
        world.forget()
        world.turns = None
        if share:
            world.turns = Turns(
                store,
                clock=lambda: world.latest.timestamp(),  # noqa: PLW0108 - of the latest time then
                renewing=lambda _: nullcontext(),
                sleep=lambda _: schedule.pause(is_waiting=True),
            )
        world.trackers = world.trackers[:1]
        world.import_finding(
            "A",
            Resources=[{"Type": "AwsExample", "Id": "resource"}],
            Compliance={"Status": "FAILED", "SecurityControlId": "EX.1"},
            ProductArn="arn:aws:securityhub:eu-west-1::product/aws/securityhub",
        )
        return world.queue[0]

    return begin


def deliver_the_rest(world):
    """Deliver the events that the writes have caused, and return the finding as it is in the end."""
    world.deliver_all()
    return world.findings["A"]


def test_a_finding_that_is_remediated_while_its_ticket_opens_ends_resolved_without_a_ticket(world, begin):
    number = 0
    for schedule in every_schedule():
        event = begin(schedule)
        schedule.run(
            lambda: world.deliver(event),  # noqa: B023 - called in this iteration
            lambda: Remediated(world).handle(event),  # noqa: B023 - as above
        )
        notes = [text for _, text in world.notes["A"]]
        assert "Remediated: Closed it" in notes[-1]
        assert "Ticket opened: Jira JIRA-1" in notes[-1]
        finding = deliver_the_rest(world)
        assert finding["Workflow"]["Status"] == "RESOLVED"
        assert world.open_issues("A") == []
        assert "Remediated: Closed it" in finding["Note"]["Text"]
        number += 1
    assert number > 20


def test_a_finding_that_an_analyst_suppresses_while_its_ticket_opens_stays_suppressed(world, begin):
    settings = update_findings.Settings.from_environment({"WORKFLOW_STATUS": "SUPPRESSED"})

    def suppress(event):
        pressed = parse_event(
            {
                **event,
                "detail-type": "Security Hub Findings - Custom Action",
                "resources": ["arn:aws:securityhub:eu-west-1:111122223333:action/custom/SuppressWithNote"],
                "detail": {"actionName": "Suppress", "actionDescription": "", **event["detail"]},
            }
        )
        summary = update_findings.update_findings(
            pressed,
            settings=settings,
            security_hub=world,
            request_id="request",
            function_arn=UPDATE_ARN,
            turns=world.turns,
        )
        assert summary.not_updated == ()

    number = 0
    for schedule in every_schedule():
        event = begin(schedule)
        schedule.run(
            lambda: world.deliver(event),  # noqa: B023 - called in this iteration
            lambda: suppress(event),  # noqa: B023 - as above
        )
        finding = deliver_the_rest(world)
        assert finding["Workflow"]["Status"] == "SUPPRESSED"
        assert world.open_issues("A") == []
        assert "set to SUPPRESSED" in finding["Note"]["Text"]
        number += 1
    assert number > 20


def test_without_turns_some_order_of_the_calls_loses_the_resolution_or_a_note(world, begin):
    """Shows that the schedules of the tests above can find what the turns prevent."""
    lost = []
    for schedule in every_schedule():
        event = begin(schedule, share=False)
        schedule.run(
            lambda: world.deliver(event),  # noqa: B023 - called in this iteration
            lambda: Remediated(world).handle(event),  # noqa: B023 - as above
        )
        finding = deliver_the_rest(world)
        if finding["Workflow"]["Status"] != "RESOLVED":
            lost.append(finding)
    assert lost
