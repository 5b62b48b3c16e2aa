"""What is written to each finding, and the outcome. Knows neither boto3 nor Lambda."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from string import Template
from typing import Final

from invocation.environment import one_of, wrong
from securityhub.events import (
    CustomActionEvent,
    Finding,
    FindingsEvent,
    InsightFindingsEvent,
    MalformedEventError,
    MalformedItem,
)
from securityhub.findings.settled import FindingNotShownError, LateLook, settled_state
from securityhub.findings.turns import Turns, Update, write_in_turns
from securityhub.findings.updates import (
    MAX_NOTE_CHARACTERS,
    FindingsUpdater,
    NotUpdated,
    RequestRefusedError,
    distinct,
    truncate,
    with_earlier_note,
)

_NOTIFIED: Final = "NOTIFIED"
WORKFLOW_STATUSES: Final = (_NOTIFIED, "SUPPRESSED")

DEFAULT_NOTE_TEMPLATE: Final = (
    "Workflow status set to $workflow_status by $action in account $account ($region) at $time. "
    "Event $event_id, request $request_id."
)
NOTE_PLACEHOLDERS: Final = (
    "workflow_status",
    "action",
    "account",
    "region",
    "time",
    "event_id",
    "request_id",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The function's environment variables, checked.

    Attributes:
        workflow_status: `WORKFLOW_STATUS`, the new workflow status: `NOTIFIED` or `SUPPRESSED`.
        note_template: `NOTE_TEMPLATE`, the text of the note, with placeholders such as `$event_id` from
            `NOTE_PLACEHOLDERS`. Default: `DEFAULT_NOTE_TEMPLATE`.
    """

    workflow_status: str
    note_template: Template

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Settings:
        """Read the settings.

        Raises:
            ValueError: A variable is missing or not one of the allowed values.
        """
        status = one_of(environment, "WORKFLOW_STATUS", WORKFLOW_STATUSES)
        template = Template(environment.get("NOTE_TEMPLATE") or DEFAULT_NOTE_TEMPLATE)
        unknown = sorted(set(template.get_identifiers()) - set(NOTE_PLACEHOLDERS))
        if unknown or not template.is_valid() or not template.template.strip():
            placeholders = ", ".join("$" + name for name in NOTE_PLACEHOLDERS)
            allowed = f"a text with $$ for a dollar and no placeholders but {placeholders}"
            raise wrong("NOTE_TEMPLATE", template.template, allowed)
        return cls(workflow_status=status, note_template=template)


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """The outcomes for all findings of an event. Default: it had none.

    Attributes:
        action: The ARN of the custom action, or None for an imported event.
        workflow_status: The requested status.
        updated: The findings that were updated.
        already_updated: The findings of an imported event that already had the status, and weren't updated.
        not_updated: The findings that Security Hub didn't update.
        malformed: The findings that can't be read.
        settled: The findings that were settled since the event and weren't updated, each with its state.
        not_reported: Why outcomes are not on the event bus; empty if they are, or none is to be.
    """

    action: str | None
    workflow_status: str
    updated: tuple[Finding, ...] = ()
    already_updated: tuple[Finding, ...] = ()
    not_updated: tuple[NotUpdated, ...] = ()
    malformed: tuple[MalformedItem, ...] = ()
    settled: tuple[tuple[Finding, str], ...] = ()
    not_reported: str = ""

    @property
    def is_incomplete(self) -> bool:
        """Whether the event has to be retried."""
        return bool(self.not_updated or self.malformed or self.not_reported)

    def to_json(self) -> dict[str, object]:
        """Return the summary for the function's response: identifiers and reasons, no finding content."""
        return {
            "action": self.action,
            "workflowStatus": self.workflow_status,
            "updated": [finding.id for finding in self.updated],
            "alreadyUpdated": [finding.id for finding in self.already_updated],
            "settledSince": [finding.id for finding, _ in self.settled],
            "notUpdated": [
                {"id": item.finding.id, "errorCode": item.error_code, "errorMessage": item.error_message}
                for item in self.not_updated
            ],
            "malformed": [
                {"index": item.index, "id": item.id, "reason": item.reason} for item in self.malformed
            ],
        }


class FindingsNotUpdatedError(Exception):
    """Some findings of the event weren't updated, or not reported on; all others were.

    Raised last, so that Lambda retries the event and finally sends it to the on-failure destination.

    Attributes:
        summary: The outcomes for all findings.
    """

    def __init__(self, summary: Summary) -> None:
        self.summary = summary
        done = len(summary.updated) + len(summary.already_updated) + len(summary.settled)
        failed = [
            f"{item.finding.id}: {item.error_code}, {item.error_message}" for item in summary.not_updated
        ]
        failed += [
            f"{item.id or f'finding number {item.index}'}: {item.reason}" for item in summary.malformed
        ]
        super().__init__(
            f"{len(failed)} of {done + len(failed)} findings were not set to {summary.workflow_status}. "
            + " | ".join([*failed, *([summary.not_reported] if summary.not_reported else ())])
        )


def update_findings(
    event: FindingsEvent,
    *,
    settings: Settings,
    security_hub: FindingsUpdater,
    request_id: str,
    function_arn: str,
    late_look: LateLook | None = None,
    turns: Turns | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> Summary:
    """Set the workflow status of all findings of an event, with a note that says how and when.

    Running it again for the same event writes the same status and, apart from the request ID, the same note.
    So retries and duplicates need no GetFindings request first, and Security Hub can take minutes to show an
    update. Only imported findings that already have the status aren't updated, because each update causes
    another imported event, which would repeat forever.

    Args:
        event: The findings and where they come from.
        settings: Status and note to write.
        security_hub: Where to write them.
        request_id: The ID of the Lambda request, for the note.
        function_arn: The ARN of this function, the author of the note.
        late_look: Finds out what was settled since the event, and so isn't set to NOTIFIED. Default: nothing
            does.
        turns: The turns that this function shares with others that write to findings. Default: no other does.
        sleep: Waits for that many seconds between attempts.

    Returns:
        The outcomes for all findings. The caller decides what a failure means.

    Source: https://docs.aws.amazon.com/securityhub/latest/userguide/findings-workflow-status.html
    """
    findings = distinct(event.findings)
    imported = not isinstance(event, CustomActionEvent)
    already = [item for item in findings if imported and item.workflow_status == settings.workflow_status]
    pending = [item for item in findings if not imported or item.workflow_status != settings.workflow_status]
    note = compose_note(event, settings, request_id)
    settled, unknown = _settled_since(event, pending, late_look, settings)
    left = {item.identity for item in (*(one for one, _ in settled), *(one.finding for one in unknown))}
    pending = [item for item in pending if item.identity not in left]
    not_updated = unknown + write_in_turns(
        pending,
        compose=lambda finding: Update(
            workflow_status=settings.workflow_status,
            note_text=with_earlier_note(note, finding, author=function_arn),
        ),
        note_updated_by=function_arn,
        security_hub=security_hub,
        turns=turns,
        sleep=sleep,
    )
    failed = {item.finding.identity for item in not_updated}
    return Summary(
        action=event.action_arn if isinstance(event, CustomActionEvent) else None,
        workflow_status=settings.workflow_status,
        updated=tuple(item for item in pending if item.identity not in failed),
        already_updated=tuple(already),
        not_updated=tuple(not_updated),
        malformed=event.malformed_findings,
        settled=tuple(settled),
    )


def _settled_since(
    event: FindingsEvent, findings: Sequence[Finding], late_look: LateLook | None, settings: Settings
) -> tuple[list[tuple[Finding, str]], list[NotUpdated]]:
    """Return the findings that were settled since the event, and those of which that isn't known.

    NOTIFIED would open what somebody has suppressed or resolved.
    """
    settled: list[tuple[Finding, str]] = []
    unknown: list[NotUpdated] = []
    if late_look is None or settings.workflow_status != _NOTIFIED:
        return settled, unknown
    if isinstance(event, InsightFindingsEvent):
        # They were read just now.
        return [(one, settled_state(one)) for one in findings if one.identity in event.settled_since], unknown
    for finding in findings:
        try:
            state = late_look.state_since(finding, event.time)
        except (FindingNotShownError, MalformedEventError, RequestRefusedError) as error:
            code = error.code if isinstance(error, RequestRefusedError) else type(error).__name__
            unknown.append(NotUpdated(finding=finding, error_code=code, error_message=str(error)))
        else:
            settled += [(finding, state)] if state else []
    return settled, unknown


def compose_note(event: FindingsEvent, settings: Settings, request_id: str) -> str:
    """Return the text of the note, at most `MAX_NOTE_CHARACTERS` long.

    The event doesn't name the analyst who pressed the custom action, so the note identifies the press: by
    account, Region, time, and event ID.
    """
    action = (
        f'the custom action "{event.action_name}" ({event.action_arn}){_on_insight(event)}'
        if isinstance(event, CustomActionEvent)
        else "an automatic rule"
    )
    text = settings.note_template.substitute(
        workflow_status=settings.workflow_status,
        action=action,
        account=event.account,
        region=event.region,
        time=event.time.isoformat(timespec="seconds"),
        event_id=event.event_id,
        request_id=request_id,
    )
    return truncate(text, MAX_NOTE_CHARACTERS)


def _on_insight(event: CustomActionEvent) -> str:
    return f" on {event.selection}" if isinstance(event, InsightFindingsEvent) else ""
