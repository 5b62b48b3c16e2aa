"""Which finding gets which remediation, once, and what is written to it. Knows neither boto3 nor Lambda."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from functions.remediate.one_finding import (
    AUTOMATIC,
    REMEDIATE,
    UNDO,
    FindingWork,
    done_once,
    key_of,
    reported,
)
from functions.remediate.outcomes import (
    RESOLVED,
    Outcome,
    OutcomeJson,
    Report,
    Status,
    Summary,
    compose_note,
)
from functions.remediate.services import Services
from functions.remediate.settings import Settings
from securityhub.events import CustomActionEvent, Finding, FindingsEvent
from securityhub.findings.turns import Update, write_in_turns
from securityhub.findings.updates import distinct, with_earlier_note


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """Identifies this invocation.

    Attributes:
        request_id: Lambda's request ID.
        function_arn: ARN of the function, the notes' author.
    """

    request_id: str
    function_arn: str


class _NotesNotWrittenError(Exception):
    """Carries the reasons, by finding ID, past the memory of what was written."""

    def __init__(self, reasons: Mapping[str, str]) -> None:
        self.reasons = reasons
        super().__init__(str(reasons))


def remediate_findings(
    event: FindingsEvent, *, settings: Settings, services: Services, invocation: Invocation
) -> Summary:
    """Remediate every finding of an event, or plan to, and write to each what happened.

    A finding that fails stops no other. What was changed is remembered by finding, action and the finding's
    time of update, so that a retry, a duplicate and a second press change nothing more, unless the resource
    needs it again. What was undone can be done again: by a press at once, by a rule when the finding was
    updated.

    Args:
        event: The findings: an analyst pressed a custom action on them, or they were imported.
        settings: What may be done.
        services: Access to AWS.
        invocation: For the notes.

    Returns:
        The outcome for every finding. The caller decides what a failure means.
    """
    run = _Run(event=event, settings=settings, services=services, invocation=invocation)
    reports = tuple(
        Report(finding=finding, outcome=run.outcome_of(finding)) for finding in distinct(event.findings)
    )
    not_written = run.write(reports)
    run.forget_undone(reports, not_written)
    return Summary(reports=reports, not_written=not_written, malformed=event.malformed_findings)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """The handling of one event."""

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

    @property
    def kind(self) -> str:
        return UNDO if self.undoes else AUTOMATIC if self.action == AUTOMATIC else REMEDIATE

    def outcome_of(self, finding: Finding) -> Outcome:
        """Handle one finding, and report every failure."""
        return reported(lambda: self._outcome_of(finding), request_id=self.invocation.request_id)

    def _outcome_of(self, finding: Finding) -> Outcome:
        if refusal := self.settings.accounts.refusal(
            finding.aws_account_id, self.services.organization.containers_of
        ):
            return Outcome.now(Status.REFUSED, refusal, request_id=self.invocation.request_id)
        work = FindingWork(
            finding=finding,
            action=self.action,
            kind=self.kind,
            changes=self.changes,
            settings=self.settings,
            services=self.services,
            request_id=self.invocation.request_id,
        )
        do = partial(
            done_once, self.services.once, self._key(finding), work.undo if self.undoes else work.remediate
        )
        outcome = do()
        resolves = self.changes and outcome.workflow_status == RESOLVED
        return do() if resolves and work.forget_reopened(outcome) else outcome

    def forget_undone(self, reports: Sequence[Report], not_written: Collection[str]) -> None:
        """Delete the records of what was undone.

        This comes last: an attempt that follows an interrupted one needs them, to report what was undone. A
        rule only remembers that something was undone, and by now there can be a record of the next time.
        """
        if not self.undoes:
            return
        for report in reports:
            for part in report.outcome.each:
                if part.status is Status.UNDONE and part.remediation and report.finding.id not in not_written:
                    self.services.records.delete(report.finding, remediation=part.remediation)

    def write(self, reports: Sequence[Report]) -> dict[str, str]:
        """Write the outcomes to the findings, once, and return why some could not be written, by finding ID.

        Findings that get the same status and note share a request. Writing to a finding is another import
        event, so what a rule has written about a finding it does not write again, and what it will not touch
        it does not write to at all: that would never end. Who remediates a finding right now writes to it.
        """
        automatic = self.action == AUTOMATIC
        unwritten = {Status.BUSY, *((Status.REFUSED, Status.IMPOSSIBLE, Status.UNDONE) if automatic else ())}
        groups: dict[tuple[Status, str], list[Report]] = {}
        for report in reports:
            if report.outcome.status not in unwritten:
                # The times differ. Findings that share a note get the first of them.
                note = self._note(replace(report.outcome, time=""), report.finding)
                groups.setdefault((report.outcome.status, note), []).append(report)
        return {finding: why for group in groups.values() for finding, why in self._write(group).items()}

    def _write(self, group: Sequence[Report]) -> Mapping[str, str]:
        key = {
            "findings": json.dumps([self._key(report.finding) for report in group]),
            "written": group[0].outcome.statuses,
            "for": AUTOMATIC if self.action == AUTOMATIC else self.event.event_id,
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
        not_written = write_in_turns(
            [report.finding for report in group],
            compose=lambda finding: Update(
                # A rule that only plans resolves nothing.
                workflow_status=outcome.workflow_status if self.changes else None,
                note_text=self._note(outcome, finding),
            ),
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
        note = compose_note(outcome, self.event)
        return with_earlier_note(note, finding, author=self.invocation.function_arn)

    def _key(self, finding: Finding) -> dict[str, str]:
        return key_of(finding, self.kind)
