"""Remediates each finding of an event once, and writes the outcome to it. Uses neither boto3 nor Lambda."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, TypeAlias, TypedDict

from functions.remediate.approval import AUTOMATIC, Asker, DecidedFindings
from functions.remediate.approval_contract import Answer
from functions.remediate.attempts import REMEDIATE, UNDO, done_once, in_turn, key_of, reported
from functions.remediate.one_finding import FindingWork
from functions.remediate.outcomes import (
    RESOLVED,
    RETRIED,
    Outcome,
    OutcomeJson,
    Report,
    Status,
    Summary,
    compose_note,
    is_settled,
)
from functions.remediate.remembering import remembered
from functions.remediate.reporting import outcomes_of
from functions.remediate.services import Services
from functions.remediate.settings import Settings
from invocation.once import WorkInProgressError
from securityhub.events import Finding, FindingsEvent, InsightFindingsEvent, is_press
from securityhub.findings.turns import Update, write_in_turns
from securityhub.findings.updates import asked_by, distinct, with_earlier_note
from securityhub.outcomes import OutcomesNotReportedError

# An event of findings has at most as many. Those of an insight are handled in parts, so that a press whose
# findings take more than one invocation goes on in the next one.
_AT_A_TIME: Final = 20
_Handled: TypeAlias = tuple[tuple["Report", ...], Mapping[str, str]]
# What a rule doesn't write: each note is another event for the rule.
_UNWRITTEN_BY_RULES: Final = (Status.REFUSED, Status.IMPOSSIBLE, Status.UNDONE, Status.NOT_APPROVED)
_CHANGES: Final = (Status.APPLIED, Status.PARTIAL, Status.UNDONE, Status.PARTLY_UNDONE)
# The outcomes of a remediation whose request for approval stays.
_ASKED: Final = frozenset({Status.WAITING, Status.NOT_APPROVED, *RETRIED})
_NO_UNDO: Final = (
    "Undo is not allowed on results of an insight. Select the findings themselves, or set remediate to "
    "'apply' in [insight_results] of settings.toml"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """Identifies this invocation.

    Attributes:
        request_id: Lambda's request ID.
        function_arn: ARN of the function, the notes' author.
    """

    request_id: str
    function_arn: str


class _HandledJson(TypedDict):
    """The outcomes for findings as stored in the idempotency table, in their order."""

    outcomes: list[OutcomeJson]


class _NotesNotWrittenError(Exception):
    """Carries the reasons, by finding ID, so that the notes aren't remembered as written."""

    def __init__(self, reasons: Mapping[str, str]) -> None:
        self.reasons = reasons
        super().__init__(str(reasons))


def remediate_findings(
    event: FindingsEvent, *, settings: Settings, services: Services, invocation: Invocation
) -> Summary:
    """Remediate, or plan to remediate, each finding of an event, and write the outcome to it.

    If a finding fails, the others are still handled. Changes are remembered by finding, action, and the time
    at which the finding was updated, so that a retry, a duplicate, or a second press changes nothing more
    unless the resource needs it again. What was undone can be remediated again: by a later press immediately,
    by a rule after the finding is updated.

    Args:
        event: The findings on which an analyst pressed a custom action, or that were imported.
        settings: The settings.
        services: The services to use.
        invocation: The invocation, which the notes name.

    Returns:
        The outcome for each finding. The caller decides how to report failures.
    """
    run = _Run(event=event, settings=settings, services=services, invocation=invocation)
    findings = distinct(event.findings)
    parts, not_reported = [], ""
    for start in range(0, len(findings), _AT_A_TIME):
        parts.append(run.handle(findings[start : start + _AT_A_TIME]))
        try:
            run.report(*parts[-1])
        except OutcomesNotReportedError as error:
            not_reported = str(error)
    return Summary(
        reports=tuple(report for reports, _ in parts for report in reports),
        not_written={finding: why for _, reasons in parts for finding, why in reasons.items()},
        malformed=event.malformed_findings,
        not_reported=not_reported,
    )


def _handled_to_json(handled: _Handled) -> _HandledJson:
    return {"outcomes": [report.outcome.without_state().to_json() for report in handled[0]]}


def _handled_from_json(findings: Sequence[Finding], stored: _HandledJson) -> _Handled:
    outcomes = [Outcome.from_json(one, repeated=True) for one in stored["outcomes"]]
    pairs = zip(findings, outcomes, strict=True)
    return tuple(Report(finding=finding, outcome=outcome) for finding, outcome in pairs), {}


def _changes_in(report: Report) -> Sequence[Outcome]:
    return [part for part in report.outcome.each if part.status in _CHANGES]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """The handling of one event."""

    event: FindingsEvent
    settings: Settings
    services: Services
    invocation: Invocation

    @property
    def action(self) -> str:
        return self.event.action_id if is_press(self.event) else AUTOMATIC

    @property
    def decided(self) -> DecidedFindings | None:
        return self.event if isinstance(self.event, DecidedFindings) else None

    @property
    def by(self) -> str:
        return self.decided.by if self.decided else asked_by(self.event)

    @property
    def undoes(self) -> bool:
        return self.action == self.settings.undo_action_id and not self.decided

    @property
    def changes(self) -> bool:
        if isinstance(self.event, InsightFindingsEvent):
            return self.settings.insight_changes
        return self.action != AUTOMATIC or self.settings.automatic_changes

    @property
    def kind(self) -> str:
        return UNDO if self.undoes else AUTOMATIC if self.action == AUTOMATIC else REMEDIATE

    def handle(self, findings: Sequence[Finding]) -> _Handled:
        """Handle some findings, and write the outcomes to them.

        Those of insight results are handled once in all attempts at a press: Lambda ends an invocation whose
        time is up, and the next attempt goes on behind what was settled and written.

        Returns:
            The reports, and why some could not be written, by finding ID.
        """
        if not isinstance(self.event, InsightFindingsEvent):
            return self._handle(findings)
        key = {
            "event": self.event.event_id,
            "handles": json.dumps([self._key(finding) for finding in findings]),
            "changes": str(self.changes),
        }
        try:
            return remembered(
                self.services.once,
                key,
                lambda: self._handle(findings),
                is_final=lambda handled: is_settled(*handled),
                to_json=_handled_to_json,
                from_json=partial(_handled_from_json, findings),
            )
        except WorkInProgressError as error:
            busy = Outcome.now(Status.BUSY, str(error).rstrip("."), request_id=self.invocation.request_id)
            return tuple(Report(finding=finding, outcome=busy) for finding in findings), {}

    def report(self, reports: Sequence[Report], not_written: Mapping[str, str]) -> None:
        """Report what became of findings. It is remembered by now, so a retry only reports it.

        Raises:
            OutcomesNotReportedError: It isn't reported, or might not be.
        """
        if self.services.outcomes:
            self.services.outcomes.report(
                outcomes_of(
                    reports,
                    not_written,
                    event=self.event,
                    undoes=self.undoes,
                    request_id=self.invocation.request_id,
                )
            )

    def _handle(self, findings: Sequence[Finding]) -> _Handled:
        reports = tuple(Report(finding=finding, outcome=self.outcome_of(finding)) for finding in findings)
        not_written = self.write(reports)
        self.forget_undone(reports, not_written)
        self.settle_requests(reports, not_written)
        return reports, not_written

    def outcome_of(self, finding: Finding) -> Outcome:
        """Handle a finding, and turn any failure into an outcome."""
        return reported(
            lambda: self._outcome_of(finding), kind=self.kind, request_id=self.invocation.request_id
        )

    def _outcome_of(self, finding: Finding) -> Outcome:
        work = self._work_on(finding)
        refusal = self.settings.accounts.refusal(
            finding.aws_account_id, self.services.organization.containers_of
        ) or (_NO_UNDO if self.undoes and not self.changes else None)
        if refusal and self.undoes:
            return work.refused_undo(refusal)
        if refusal:
            return Outcome.now(Status.REFUSED, refusal, request_id=self.invocation.request_id)
        do = partial(
            done_once, self.services.once, self._key(finding), work.undo if self.undoes else work.remediate
        )
        outcome = do()
        resolves = self.changes and outcome.workflow_status == RESOLVED
        return do() if resolves and work.forget_reopened(outcome) else outcome

    def _work_on(self, finding: Finding) -> FindingWork:
        return FindingWork(
            finding=finding,
            action=self.action,
            kind=self.kind,
            changes=self.changes,
            asker=Asker(action=self._asking_action, by=self.by, decided=self.decided),
            settings=self.settings,
            services=self.services,
            request_id=self.invocation.request_id,
            event_id=self.event.event_id,
            # Whoever puts an event on a press bus chooses its time. One of the future would stand in the way
            # of every later press.
            sent=min(self.event.time, self.services.late_look.now()),
            is_current=isinstance(self.event, DecidedFindings | InsightFindingsEvent),
            is_settled=isinstance(self.event, InsightFindingsEvent)
            and finding.identity in self.event.settled_since,
        )

    def forget_undone(self, reports: Sequence[Report], not_written: Collection[str]) -> None:
        """Delete the records of what was undone.

        This is the last step, because an attempt after an interrupted one needs the records to report what
        was undone. Not for a rule: it only remembers that something was undone, and there can already be the
        record of the next remediation.
        """
        if not self.undoes:
            return
        for report in reports:
            for part in report.outcome.each:
                if part.status is Status.UNDONE and part.remediation and report.finding.id not in not_written:
                    self._forget(report, part.remediation)

    def _forget(self, report: Report, name: str) -> None:
        """Delete the record of what was undone, unless it's that of a later press by now."""

        def delete() -> None:
            if not self._is_reversed(report):
                self.services.records.delete(report.finding, remediation=name)

        # An earlier attempt can have undone what isn't enabled any longer.
        remediation = self.services.remediations.get(name)
        return in_turn(self.services.once, report.finding, remediation, delete) if remediation else delete()

    def _is_reversed(self, report: Report) -> bool:
        """Return whether what was done, or found, has been reversed for a later event, whose note says so."""
        if not (_changes_in(report) or report.outcome.workflow_status):
            return False
        by = REMEDIATE if self.undoes else UNDO
        return self._work_on(report.finding).superseded(by=by) is not None

    @property
    def _asking_action(self) -> str:
        return self.event.action_arn if is_press(self.event) else AUTOMATIC

    def settle_requests(self, reports: Sequence[Report], not_written: Collection[str]) -> None:
        """Forget the requests for approval of what was done, or can't be.

        This comes after the notes, because an attempt after an interrupted one needs the requests. A decision
        about a request settles it, unless the next one replaced it, and even if a rule only plans by now: the
        hourly look would carry it out every hour.
        """
        approvals = self.services.approvals
        if approvals is None or self.undoes:
            return
        for report in reports:
            if report.finding.id in not_written or report.outcome.status in RETRIED:
                continue
            for part in report.outcome.each if self.changes else ():
                if part.remediation and part.status not in _ASKED:
                    approvals.settle(report.finding, part.remediation)
            if self.decided:
                # The rule may ask again for what was only outdated.
                refused = (
                    self.decided.execution.answer is not Answer.APPROVED and not self.decided.is_withdrawn
                )
                approvals.requests.close(self.decided.request, refused=refused)

    def write(self, reports: Sequence[Report]) -> dict[str, str]:
        """Write the outcomes to the findings, once, and return why some could not be written, by finding ID.

        Findings that get the same status and note share a request. Each update of a finding causes another
        event for imported findings. To avoid a loop, a rule doesn't write the same note again, and doesn't
        write to findings that it refuses. If another invocation is remediating a finding, that invocation
        writes to it. What a later event has reversed, the note of that says already.
        """
        unwritten = {Status.BUSY, Status.SUPERSEDED, *(_UNWRITTEN_BY_RULES if self._is_of_rule else ())}
        groups: dict[tuple[Status, str], list[Report]] = {}
        for report in reports:
            if report.outcome.status not in unwritten:
                # The times differ. Findings that share a note get the time of the first one.
                note = self._note(replace(report.outcome, time=""), report.finding)
                groups.setdefault((report.outcome.status, note), []).append(report)
        return {finding: why for group in groups.values() for finding, why in self._write(group).items()}

    @property
    def _is_of_rule(self) -> bool:
        return self.action == AUTOMATIC and not self.decided

    def _write(self, group: Sequence[Report]) -> Mapping[str, str]:
        key = {
            "findings": json.dumps([self._key(report.finding) for report in group]),
            "written": group[0].outcome.statuses,
            # An attempt that found it done before isn't the note of one that does it.
            "changed": json.dumps([[part.event_id for part in _changes_in(report)] for report in group]),
            "for": AUTOMATIC if self._is_of_rule else self.event.event_id,
        }
        try:
            self.services.once.run(key, lambda: self._write_note(group))
        except _NotesNotWrittenError as error:
            return error.reasons
        except Exception as error:  # noqa: BLE001 - one failure must not stop the others
            return {report.finding.id: str(error) for report in group}
        return {}

    def _write_note(self, group: Sequence[Report]) -> OutcomeJson:
        outcome = group[0].outcome
        by_finding = {report.finding.identity: report for report in group}

        def compose(finding: Finding) -> Update | None:
            if self._is_reversed(by_finding[finding.identity]):
                return None
            return Update(
                # A rule that only plans resolves nothing.
                workflow_status=outcome.workflow_status if self.changes else None,
                note_text=self._note(outcome, finding),
            )

        not_written = write_in_turns(
            [report.finding for report in group],
            compose=compose,
            note_updated_by=self.invocation.function_arn,
            security_hub=self.services.security_hub,
            turns=self.services.turns,
        )
        if not_written:
            raise _NotesNotWrittenError(
                {item.finding.id: f"{item.error_code}: {item.error_message}" for item in not_written}
            )
        return outcome.to_json()

    def _note(self, outcome: Outcome, finding: Finding) -> str:
        note = compose_note(outcome, self.by)
        return with_earlier_note(note, finding, author=self.invocation.function_arn)

    def _key(self, finding: Finding) -> dict[str, str]:
        return key_of(finding, self.kind)
