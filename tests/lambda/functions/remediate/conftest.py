"""Remediation without AWS: accounts that refuse or not, a table and a bucket in memory."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from functions.remediate.allow_and_deny import UnreadableTagsError
from functions.remediate.approval import Approvals, Scope
from functions.remediate.approval_contract import CANCELED, Answer, Execution
from functions.remediate.approval_decisions import decided
from functions.remediate.logic import Invocation, remediate_findings
from functions.remediate.member_account import MemberRoleError
from functions.remediate.order import with_begun
from functions.remediate.organization import OrganizationError
from functions.remediate.services import Saved, Services
from functions.remediate.settings import Settings
from invocation.once import WorkInProgressError
from remediations.contract import Change, Plan, Remediation, Setting
from securityhub.events import InsightFindingsEvent, Resource, parse_event
from securityhub.findings.settled import LateLook
from securityhub.findings.updates import NotUpdated
from securityhub.outcomes import OutcomesNotReportedError

FUNCTION_ARN = "arn:aws:lambda:eu-west-1:111122223333:function:example"
ENVIRONMENT = {
    "REMEDIATIONS": "example",
    "ALLOWED_ACCOUNTS": "ANY",
    "UNDO_ACTION_ID": "UndoRemediation",
    "MEMBER_ROLE": "securityhub/Member",
    "AUTOMATION_ROLE": "securityhub/Automation",
    "EXTERNAL_ID": "external",
    "RECORDS_BUCKET": "records",
    "IDEMPOTENCY_TABLE": "done",
}


class Client:
    """What a remediation calls, as far as botocore tells those who ask about calls."""

    def __init__(self):
        self._handlers = {}
        self.meta = SimpleNamespace(events=SimpleNamespace(register=self._handlers.__setitem__))

    def begin(self):
        self._handlers["before-call"](model=SimpleNamespace(name="CloseExample"))

    def end(self, status):
        parsed = {"ResponseMetadata": {"HTTPStatusCode": status}}
        self._handlers["after-call"](model=SimpleNamespace(name="CloseExample"), parsed=parsed)


class World:
    """Everything that remediation touches, in memory.

    Attributes:
        open: resources that need remediation; applying closes them.
        applied: resources in the order in which they were changed.
        undone: resources in the order in which they were restored.
        changed: what somebody has made of resources since they were closed.
        beside: further settings that an undo finds.
        refusing: accounts whose role refuses.
        failing: resources on which applying is refused.
        notes: what was written, by finding id: (status, text), oldest first.
        unwritable: findings that Security Hub does not update.
        requests: findings of each request to Security Hub, oldest first.
        containers: units above each account; one that is missing can't be looked up.
        looked_up: accounts that were looked up.
        remains: what a plan leaves to do manually.
        refused: what of a plan AWS refuses.
        meanwhile: called while something is applied.
        tags_of_changed: reads the tags of what is changed where the finding doesn't name it.
        tags: tags of the resources; None where they can't be known, an error where reading them fails.
        kept: the records of each finding, by remediation.
        kept_for: when the finding of each record was last updated.
        begun: the latest events for which a finding was changed, by its ID and what was done.
        others: further remediations that are enabled, by name.
        reported: the outcomes on the event bus, in their order.
        bus_is_down: whether nothing can be put on it.
        current: findings as Security Hub has them now, by ID, where not as in the event; None where it has
            none, an error where it refuses to say.
        now: the time; None for that of the system.
        turns: the turns at writing to findings; None if no other function writes.
    """

    def __init__(self, store):
        self.store = store
        self.forget()

    def forget(self):
        """Begin anew."""
        self.open, self.applied, self.undone = set(), [], []
        self.refusing, self.failing, self.unwritable = set(), set(), set()
        self.notes, self.requests = {}, []
        self.containers, self.looked_up, self.tags = {}, [], {}
        self.kept, self.kept_for, self.policies, self.others = {}, {}, [], {}
        self.begun = {}
        self.changed, self.beside = {}, []
        self.tags_of_changed = None
        self.remains, self.refused, self.meanwhile = "", "", lambda: None
        self.reported, self.bus_is_down = [], False
        self.current, self.now, self.turns = {}, None, None
        self.store.items.clear()

    # MemberAccounts
    def session(self, finding, action, policy):
        self.policies.append(json.loads(policy))
        if finding.aws_account_id in self.refusing:
            raise MemberRoleError(f"The role of {finding.aws_account_id} could not be assumed for {action}")
        return SimpleNamespace(client=lambda _: Client())

    # Organization
    def containers_of(self, account):
        self.looked_up.append(account)
        if account not in self.containers:
            raise OrganizationError(f"What {account} belongs to could not be found out")
        return self.containers[account]

    # TagReader
    def read_tags(self, resource, _finding, _session):
        tags = self.tags.get(resource, {})
        if tags is None:
            raise UnreadableTagsError(f"The tags of {resource} cannot be read")
        if isinstance(tags, Exception):
            raise tags
        return tags

    # Records
    def save(self, finding, *, remediation, change):
        kept = self.find(finding, remediation=remediation)
        if kept is not None:
            change = change.after(kept[0])
            if change == kept[0]:
                return Saved(place=kept[1], is_new=False)
        replaced = self.kept.get(finding.id, {}).get(remediation)
        self.kept.setdefault(finding.id, {})[remediation] = change
        self.kept_for[finding.id, remediation] = finding.updated_at
        return Saved(place=f"s3://records/{finding.id}/{remediation}", replaced=replaced)

    def discard(self, finding, *, remediation, saved):
        if saved.replaced:
            self.kept[finding.id][remediation] = saved.replaced
        elif saved.is_new:
            self.delete(finding, remediation=remediation)

    def find(self, finding, *, remediation):
        change = self.kept.get(finding.id, {}).get(remediation)
        if change is None or self.kept_for[finding.id, remediation] != finding.updated_at:
            return None
        return change, f"s3://records/{finding.id}/{remediation}"

    def complete(self, finding, *, remediation, change):
        kept = self.kept[finding.id]
        kept[remediation] = replace(kept[remediation], left=change.left)

    def load(self, finding):
        return {
            name: (change, f"s3://records/{finding.id}/{name}")
            for name, change in self.kept.get(finding.id, {}).items()
        }

    def delete(self, finding, *, remediation):
        self.kept[finding.id].pop(remediation, None)

    def latest(self, finding, kind):
        return self.begun.get((finding.id, kind))

    def begin(self, finding, kind, *, reverses, event_id, sent):
        latest, opposite = (self.latest(finding, one) for one in (kind, reverses))
        self.begun[finding.id, kind] = with_begun(latest, opposite, event_id=event_id, sent=sent)

    # FindingsUpdater
    def batch_update_findings(
        self, findings, *, workflow_status, note_text, note_updated_by, user_defined_fields
    ):
        assert user_defined_fields is None
        assert note_updated_by == FUNCTION_ARN
        assert len(note_text) <= 512
        self.requests.append([finding.id for finding in findings])
        refused = [finding for finding in findings if finding.id in self.unwritable]
        for finding in findings:
            if finding not in refused:
                self.notes.setdefault(finding.id, []).append((workflow_status, note_text))
        return [
            NotUpdated(finding=one, error_code="FindingNotFound", error_message="gone") for one in refused
        ]

    # FindingsReader
    def get_finding(self, finding):
        found = self.current.get(finding.id, finding)
        if isinstance(found, Exception):
            raise found
        return found

    # Remediation
    def plan(self, finding, _session):
        resource = finding.resources[0].id
        needed = resource in self.open
        return Plan(
            resource=resource,
            description="Close it" if needed else "It is closed already",
            prior_state={"open": needed},
            is_needed=needed,
            remains=self.remains,
        )

    def apply(self, plan, session):
        client = session.client("example")
        client.begin()
        if plan.resource in self.failing:
            client.end(403)
            raise RuntimeError("The service is in pieces")
        self.meanwhile()
        client.end(200)
        self.open.discard(plan.resource)
        self.applied.append(plan.resource)
        return Change(
            resource=plan.resource,
            description="Closed it",
            prior_state=plan.prior_state,
            remains=self.refused,
        )

    def look(self, change, _session):
        is_open = change.resource in self.open
        return [
            Setting(
                name=change.resource,
                before="open",
                left="closed",
                now=self.changed.get(change.resource, "open" if is_open else "closed"),
            ),
            *self.beside,
        ]

    def undo(self, change, _session, settings):
        if change.resource in {one.name for one in settings}:
            self.open.add(change.resource)
            self.undone.append(change.resource)

    # Reporter
    def report(self, outcomes):
        if self.bus_is_down:
            raise OutcomesNotReportedError("The bus is down")
        self.reported += outcomes

    @property
    def told(self):
        """What was reported, in short."""
        return [(one.operation.value, one.result.value, one.part) for one in self.reported]

    @property
    def services(self):
        example = Remediation(
            name="example",
            control_ids=("EX.1",),
            resource_types=("AwsExample",),
            description="Closes what is open",
            plan=self.plan,
            apply=self.apply,
            look=self.look,
            undo=self.undo,
            tags_of_changed=self.tags_of_changed,
        )
        return Services(
            members=self,
            organization=self,
            read_tags=self.read_tags,
            records=self,
            once=self.store.once(),
            security_hub=self,
            late_look=LateLook(findings=self, now=lambda: self.now or datetime.now(UTC)),
            turns=self.turns,
            remediations={"example": example, **self.others},
            outcomes=self,
        )

    def last_note(self, finding):
        return self.notes[finding.id][-1]


class Desk:
    """The requests, the executions, and the findings, in memory.

    Attributes:
        executions: by ID.
        findings: as Security Hub has them, by ID.
        told: what approvers were asked, in order.
        meanwhile: called before an execution is started.
        canceled: the executions that the function has canceled, in order.
        refuses_to_cancel: whether canceling fails.
        before_canceling: called before an execution is canceled.
        now: the time.
    """

    def __init__(self):
        self.requests, self.executions, self.findings = {}, {}, {}
        self.now = datetime(2027, 3, 31, 12, tzinfo=UTC)
        self.told, self.tokens, self.meanwhile = [], {}, lambda: None
        self.canceled, self.refuses_to_cancel, self.before_canceling = [], False, lambda: None

    # Requests
    def load(self, key):
        return self.requests.get(key)

    def save(self, request, *, replacing):
        stored = self.requests.get(request.key)
        if stored and stored.attempt not in {request.attempt, replacing and replacing.attempt}:
            raise WorkInProgressError("Another invocation has asked")
        self.requests[request.key] = request

    def change(self, request, **changes):
        stored = self.requests.get(request.key)
        if not stored or stored.attempt != request.attempt:
            return False
        self.requests[request.key] = replace(stored, **changes)
        return True

    def close(self, request, *, refused):
        stored = self.requests.get(request.key)
        if stored and stored.attempt == request.attempt:
            if refused:
                self.requests[request.key] = replace(stored, is_refused=True)
            else:
                del self.requests[request.key]

    def waiting(self):
        return [one for one in self.requests.values() if one.execution and not one.is_refused]

    # Runbook
    def start(self, attempt, words):
        self.meanwhile()
        if attempt not in self.tokens:
            self.tokens[attempt] = f"execution-{len(self.tokens)}"
            self.told.append(words["Change"])
        execution = self.tokens[attempt]
        self.executions.setdefault(
            execution,
            Execution(id=execution, words=words, answer=Answer.WAITING, why="waiting", ended=None),
        )
        return execution

    def look(self, execution_id):
        return self.executions.get(execution_id)

    def cancel(self, execution_id):
        if self.refuses_to_cancel:
            raise RuntimeError("Rate exceeded")
        self.before_canceling()
        execution = self.executions[execution_id]
        if execution.answer is Answer.WAITING:
            self.answer(Answer.REFUSED, CANCELED, execution=execution_id)
            self.canceled.append(execution_id)

    # FindingsReader
    def get_finding(self, finding):
        return self.findings.get(finding.id)

    def answer(self, answer, why, *, execution=None, ended=None):
        """Let an approver decide; by default on the last request."""
        name = execution or list(self.executions)[-1]
        self.executions[name] = replace(
            self.executions[name], answer=answer, why=why, ended=ended or self.now
        )
        return name


@pytest.fixture
def world(memory_store):
    return World(memory_store)


@pytest.fixture
def settings():
    return Settings.from_environment(ENVIRONMENT)


@pytest.fixture
def invocation():
    return Invocation(request_id="request-1", function_arn=FUNCTION_ARN)


@pytest.fixture
def run(world, settings, invocation):
    """A function that runs the function on an event, with some settings changed."""

    def run_it(event, **changes):
        return remediate_findings(
            event,
            settings=replace(settings, **changes),
            services=world.services,
            invocation=invocation,
        )

    return run_it


@pytest.fixture
def new_event(load_event, world):
    """A function that makes an event of so many findings in three accounts, each about an open resource."""

    def make(count, *, action="Remediate", automatic=False):
        event = parse_event(load_event("findings_imported" if automatic else "custom_action_20_findings"))
        template = event.findings[0]
        findings = tuple(
            replace(
                template,
                id=f"finding/{number}",
                aws_account_id=("444455556666", "777788889999", "111122223333")[number % 3],
                resources=(Resource(type="AwsExample", id=f"resource/{number}", region=None),),
                raw={"Compliance": {"SecurityControlId": "EX.1"}},
            )
            for number in range(count)
        )
        world.open.update(finding.resources[0].id for finding in findings)
        if automatic:
            return replace(event, findings=findings)
        arn = f"arn:aws:securityhub:eu-west-1:111122223333:action/custom/{action}"
        return replace(event, findings=findings, action_arn=arn)

    return make


@pytest.fixture
def new_press_on_insight(new_event):
    """A function that makes a press on results of an insight that have so many findings."""

    def make(count):
        press = new_event(count)
        fields = {one.name: getattr(press, one.name) for one in dataclasses.fields(press)}
        return InsightFindingsEvent(
            **fields,
            insight_arn="arn:aws:securityhub:eu-west-1:111122223333:insight/111122223333/custom/example",
            insight_name="Example",
            results=1,
            counted=count,
            is_cut=False,
        )

    return make


@pytest.fixture
def desk():
    return Desk()


@pytest.fixture
def everything():
    """All remediations in all accounts need approval."""
    return Scope(remediations=frozenset({"ANY"}), controls=frozenset(), accounts=frozenset({"ANY"}))


@pytest.fixture
def approvals(desk, everything):
    return Approvals(
        scope=everything, hours=24, requests=desk, runbook=desk, findings=desk, now=lambda: desk.now
    )


@pytest.fixture
def run_with_approval(world, settings, invocation, approvals, desk):
    """A function that handles an event, or the decision on an execution."""

    def run_it(event, *, scope=None, **changes):
        services = replace(world.services, approvals=replace(approvals, scope=scope or approvals.scope))
        if isinstance(event, str):
            event = decided(event, approvals=services.approvals, account="111122223333", region="eu-west-1")
            if isinstance(event, str):
                return event
        desk.findings |= {
            finding.id: finding for finding in event.findings if finding.id not in desk.findings
        }
        return remediate_findings(
            event, settings=replace(settings, **changes), services=services, invocation=invocation
        )

    return run_it
