"""Which finding gets which remediation, once, and what is written to it. Knows neither boto3 nor Lambda."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Protocol

from functions.remediate.allow_and_deny import UnreadableTagsError, reported_tags
from functions.remediate.outcomes import (
    WORKFLOW_STATUSES,
    Outcome,
    OutcomeJson,
    Report,
    Status,
    Summary,
    compose_note,
    to_time,
)
from functions.remediate.session_policy import session_policy
from functions.remediate.settings import Settings
from invocation.once import WorkInProgressError
from remediations.contract import CannotRemediateError, Change, Plan, Remediation
from remediations.controls import control_of
from remediations.registry import remediation_for
from securityhub.events import CustomActionEvent, Finding, FindingsEvent
from securityhub.findings.updates import FindingsUpdater, distinct, with_earlier_note, write_to_findings

if TYPE_CHECKING:
    from boto3.session import Session

AUTOMATIC: Final = "automatic"
_REMEDIATE: Final = "remediate"
_UNDO: Final = "undo"


class MemberAccounts(Protocol):
    """How the accounts of the findings are reached."""

    def session(self, finding: Finding, action: str, policy: str) -> Session:
        """Return a session in the finding's account and region that may do what a policy says, at most.

        Raises:
            MemberRoleError: The account's role is missing or refuses.
        """


class Organization(Protocol):
    """Where the accounts are in the organization."""

    def containers_of(self, account: str) -> Collection[str]:
        """Return the ids of the units above an account, and of the root.

        Raises:
            OrganizationError: It can't be told.
        """


class TagReader(Protocol):
    """Reads the tags that resources carry now."""

    def __call__(self, resource: str, finding: Finding, session: Session) -> Mapping[str, str]:
        """Return the tags of a resource.

        Raises:
            UnreadableTagsError: It can't be known whether it carries any.
            ResourceTagsError: They could not be read this time.
        """


class Records(Protocol):
    """Where the prior states are kept."""

    def save(self, finding: Finding, *, remediation: str, change: Change) -> str:
        """Keep what is about to be changed and return where."""

    def load(self, finding: Finding) -> tuple[str, Change] | None:
        """Return the name of the remediation that changed something for a finding, and what."""

    def delete(self, finding: Finding) -> None:
        """Forget it."""


class Once(Protocol):
    """Does a piece of work once for each key."""

    def run(self, key: Mapping[str, str], work: Callable[[], OutcomeJson]) -> tuple[OutcomeJson, bool]:
        """Return the work's result, and whether it had been done before. Work that raises is not done.

        Raises:
            WorkInProgressError: Another invocation is doing it.
        """

    def forget(self, key: Mapping[str, str]) -> None:
        """Let the work be done again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What the logic needs of the world outside."""

    members: MemberAccounts
    organization: Organization
    read_tags: TagReader
    records: Records
    once: Once
    security_hub: FindingsUpdater
    remediations: Mapping[str, Remediation]


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """What Lambda says about this invocation.

    Attributes:
        request_id: Lambda's request id.
        function_arn: ARN of the function, the notes' author.
    """

    request_id: str
    function_arn: str


class _NothingChangedError(Exception):
    """Carries an outcome past the memory of what was done, so that the next try looks again."""

    def __init__(self, outcome: Outcome) -> None:
        self.outcome = outcome
        super().__init__(outcome.description)


class _NotesNotWrittenError(Exception):
    """Carries the reasons, by finding id, past the memory of what was written."""

    def __init__(self, reasons: Mapping[str, str]) -> None:
        self.reasons = reasons
        super().__init__(str(reasons))


def remediate_findings(
    event: FindingsEvent, *, settings: Settings, services: Services, invocation: Invocation
) -> Summary:
    """Remediate every finding of an event, or plan to, and write to each what happened.

    A finding that fails stops no other. What was changed is remembered by finding, action and the finding's
    time of update, so that a retry, a duplicate and a second press change nothing more. What was undone can
    be done again: by a press at once, by a rule when the finding was updated.

    Args:
        event: The findings: an analyst pressed a custom action on them, or they were imported.
        settings: What may be done.
        services: The world outside.
        invocation: For the notes.

    Returns:
        What became of every finding; the caller decides what a failure means.
    """
    run = _Run(event=event, settings=settings, services=services, invocation=invocation)
    reports = tuple(
        Report(finding=finding, outcome=run.outcome_of(finding)) for finding in distinct(event.findings)
    )
    return Summary(reports=reports, not_written=run.write(reports), malformed=event.malformed_findings)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """One event on its way."""

    event: FindingsEvent
    settings: Settings
    services: Services
    invocation: Invocation

    @property
    def action(self) -> str:
        if isinstance(self.event, CustomActionEvent):
            return self.event.action_arn.rpartition("/")[2]
        return AUTOMATIC

    @property
    def undoes(self) -> bool:
        return self.action == self.settings.undo_action_id

    @property
    def changes(self) -> bool:
        return self.action != AUTOMATIC or self.settings.automatic_changes

    def outcome_of(self, finding: Finding) -> Outcome:
        """Do what is to be done about one finding, whatever happens."""
        work = self._undo if self.undoes else self._remediate
        try:
            if refusal := self.settings.accounts.refusal(
                finding.aws_account_id, self.services.organization.containers_of
            ):
                return self._outcome(Status.REFUSED, refusal)
            remembered, repeated = self.services.once.run(self._key(finding), lambda: work(finding).to_json())
        except _NothingChangedError as nothing:
            return nothing.outcome
        except WorkInProgressError as error:
            return self._outcome(Status.BUSY, str(error).rstrip("."))
        except CannotRemediateError as error:
            return self._outcome(Status.IMPOSSIBLE, str(error).rstrip("."))
        except Exception as error:  # noqa: BLE001 - whatever one finding meets, the others get their turn
            return self._outcome(Status.FAILED, f"{type(error).__name__}: {error}".rstrip("."))
        return Outcome.from_json(remembered, repeated=repeated)

    def _remediate(self, finding: Finding) -> Outcome:
        remediation = remediation_for(finding, self.services.remediations)
        if remediation is None:
            types = ", ".join(sorted({resource.type or "unknown" for resource in finding.resources}))
            control = control_of(finding) or f"findings of {finding.product_arn}"
            raise CannotRemediateError(
                f"No enabled remediation serves {control} for resources of type {types}. Enable one in "
                "settings.toml, or remediate the finding by hand."
            )
        session = self._session(finding, remediation)
        plan = remediation.plan(finding, session)
        if not plan.is_needed:
            if plan.remains:
                raise CannotRemediateError(_with_remains(plan, plan.description))
            raise _NothingChangedError(
                self._outcome(Status.NOT_NEEDED, plan.description, remediation=remediation.name)
            )
        intended = Change(resource=plan.resource, description=plan.description, prior_state=plan.prior_state)
        self._require_tags(finding, remediation, intended, session)
        if not self.changes:
            raise _NothingChangedError(
                self._outcome(
                    Status.PLANNED,
                    _with_remains(plan, plan.description),
                    remediation=remediation.name,
                    prior_state=plan.prior_state,
                )
            )
        # Before anything changes: what happens next may be the end of this process.
        record = self.services.records.save(finding, remediation=remediation.name, change=intended)
        change = remediation.apply(plan, session)
        self.services.once.forget(self._key(finding, _UNDO))
        return self._outcome(
            Status.PARTIAL if plan.remains else Status.APPLIED,
            _with_remains(plan, change.description),
            remediation=remediation.name,
            prior_state=change.prior_state,
            record=record,
        )

    def _undo(self, finding: Finding) -> Outcome:
        kept = self.services.records.load(finding)
        if kept is None:
            raise CannotRemediateError("There is no record of a remediation of this finding to undo.")
        name, change = kept
        remediation = self.services.remediations.get(name)
        if remediation is None or remediation.undo is None:
            raise CannotRemediateError(f"The remediation {name} is not enabled or cannot be undone.")
        session = self._session(finding, remediation)
        self._require_tags(finding, remediation, change, session)
        remediation.undo(change, session)
        undone = self._outcome(Status.UNDONE, change.description, remediation=name)
        self.services.once.forget(self._key(finding, _REMEDIATE))
        # The finding is NEW again, which a rule would take for its turn.
        self.services.once.run(self._key(finding, AUTOMATIC), undone.to_json)
        # Last: without it, the next try would find nothing to undo.
        self.services.records.delete(finding)
        return undone

    def _session(self, finding: Finding, remediation: Remediation) -> Session:
        if not finding.region:
            raise CannotRemediateError(
                "The finding names no Region, and neither do its resource and its product. Remediate it by "
                "hand."
            )
        policy = session_policy(
            remediation,
            account=finding.aws_account_id,
            partition=self.settings.partition,
            automation_role=self.settings.automation_role,
            undoes=self.undoes,
            reads_tags=self.settings.resource_tags.decide,
        )
        return self.services.members.session(finding, self.action, policy)

    def _require_tags(
        self, finding: Finding, remediation: Remediation, change: Change, session: Session
    ) -> None:
        """Refuse unless the tags of everything that is about to be changed, or restored, permit it."""
        lists = self.settings.resource_tags
        if not lists.decide:
            return
        try:
            tags = (
                remediation.tags_of_changed(change, session)
                if remediation.tags_of_changed
                else {change.resource: self.services.read_tags(change.resource, finding, session)}
            )
        except UnreadableTagsError as error:
            reasons: list[str | None] = [str(error)]
        else:
            reasons = [
                lists.refusal(one, carried, reported=reported_tags(one, finding), undoes=self.undoes)
                for one, carried in tags.items()
            ]
        if reason := next(filter(None, reasons), None):
            raise _NothingChangedError(self._outcome(Status.REFUSED, reason, remediation=remediation.name))

    def write(self, reports: Sequence[Report]) -> dict[str, str]:
        """Write the outcomes to the findings, once, and return why some could not be written, by finding id.

        Findings that get the same status and note share a request. Writing to a finding is another import
        event, so what a rule has written about a finding it does not write again, and what it will not touch
        it does not write to at all: that would never end. Who remediates a finding right now writes to it.
        """
        automatic = self.action == AUTOMATIC
        unwritten = {Status.BUSY, *((Status.REFUSED, Status.IMPOSSIBLE, Status.UNDONE) if automatic else ())}
        groups: dict[tuple[Status, str], list[Report]] = {}
        for report in reports:
            if report.outcome.status not in unwritten:
                # The moments differ; whoever shares a note gets the first of them.
                note = self._note(replace(report.outcome, time=""), report.finding)
                groups.setdefault((report.outcome.status, note), []).append(report)
        return {finding: why for group in groups.values() for finding, why in self._write(group).items()}

    def _write(self, group: Sequence[Report]) -> Mapping[str, str]:
        key = {
            "findings": json.dumps([self._key(report.finding) for report in group]),
            "written": group[0].outcome.status,
            "for": AUTOMATIC if self.action == AUTOMATIC else self.event.event_id,
        }
        try:
            self.services.once.run(key, lambda: self._write_note(group))
        except _NotesNotWrittenError as error:
            return error.reasons
        except Exception as error:  # noqa: BLE001 - as above
            return {report.finding.id: str(error) for report in group}
        return {}

    def _write_note(self, group: Sequence[Report]) -> OutcomeJson:
        outcome = group[0].outcome
        not_written = write_to_findings(
            [report.finding for report in group],
            security_hub=self.services.security_hub,
            # A rule that only plans resolves nothing.
            workflow_status=WORKFLOW_STATUSES.get(outcome.status) if self.changes else None,
            note_text=self._note(outcome, group[0].finding),
            note_updated_by=self.invocation.function_arn,
        )
        if not_written:
            raise _NotesNotWrittenError(
                {item.finding.id: f"{item.error_code}: {item.error_message}" for item in not_written}
            )
        return outcome.to_json()

    def _note(self, outcome: Outcome, finding: Finding) -> str:
        note = compose_note(outcome, self.event)
        return with_earlier_note(note, finding, author=self.invocation.function_arn)

    def _key(self, finding: Finding, kind: str | None = None) -> dict[str, str]:
        """Return what is remembered as one piece of work: by default, what this event asks for."""
        asked = _UNDO if self.undoes else AUTOMATIC if self.action == AUTOMATIC else _REMEDIATE
        return {
            "product": finding.product_arn,
            "finding": finding.id,
            "updated": to_time(finding.updated_at) if finding.updated_at else "",
            "action": kind or asked,
        }

    def _outcome(
        self,
        status: Status,
        description: str,
        *,
        remediation: str | None = None,
        prior_state: Mapping[str, object] | None = None,
        record: str | None = None,
    ) -> Outcome:
        return Outcome(
            status=status,
            description=description,
            time=to_time(datetime.now(UTC)),
            request_id=self.invocation.request_id,
            remediation=remediation,
            prior_state=prior_state,
            record=record,
        )


def _with_remains(plan: Plan, description: str) -> str:
    """Put what is left to do by hand first: a long description is cut at its end."""
    return f"{plan.remains}. {description}" if plan.remains else description
