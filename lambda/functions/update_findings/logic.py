"""What to write to which finding, and what became of it. Knows neither boto3 nor Lambda."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from string import Template
from typing import Final

from invocation.environment import one_of, wrong
from securityhub.events import (
    CustomActionEvent,
    Finding,
    FindingsEvent,
    ImportedFindingsEvent,
    MalformedItem,
)
from securityhub.findings.turns import Turns, Update, write_in_turns
from securityhub.findings.updates import (
    MAX_NOTE_CHARACTERS,
    FindingsUpdater,
    NotUpdated,
    distinct,
    truncate,
    with_earlier_note,
)

WORKFLOW_STATUSES: Final = ("NOTIFIED", "SUPPRESSED")

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
        workflow_status: `WORKFLOW_STATUS`, what the findings are set to: `NOTIFIED` or `SUPPRESSED`.
        note_template: `NOTE_TEMPLATE`, text of the note with placeholders such as `$event_id`
            (`NOTE_PLACEHOLDERS` has all); by default, `DEFAULT_NOTE_TEMPLATE`.
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
    """What became of every finding of an event; by default, it had none.

    Attributes:
        action: ARN of the custom action, or None for an automatic event.
        workflow_status: The status that was to be set.
        updated: Findings that have it now.
        already_updated: Findings of an automatic event that had it before and were left alone.
        not_updated: Findings that Security Hub did not update.
        malformed: Findings that could not be read.
    """

    action: str | None
    workflow_status: str
    updated: tuple[Finding, ...] = ()
    already_updated: tuple[Finding, ...] = ()
    not_updated: tuple[NotUpdated, ...] = ()
    malformed: tuple[MalformedItem, ...] = ()

    def to_json(self) -> dict[str, object]:
        """Return the summary as the function answers it: identifiers and reasons, no finding content."""
        return {
            "action": self.action,
            "workflowStatus": self.workflow_status,
            "updated": [finding.id for finding in self.updated],
            "alreadyUpdated": [finding.id for finding in self.already_updated],
            "notUpdated": [
                {"id": item.finding.id, "errorCode": item.error_code, "errorMessage": item.error_message}
                for item in self.not_updated
            ],
            "malformed": [
                {"index": item.index, "id": item.id, "reason": item.reason} for item in self.malformed
            ],
        }


class FindingsNotUpdatedError(Exception):
    """Some findings of the event were not updated; all the others were.

    Raised last, so that Lambda's retries and then the on-failure destination keep the event.

    Attributes:
        summary: What became of every finding.
    """

    def __init__(self, summary: Summary) -> None:
        self.summary = summary
        done = len(summary.updated) + len(summary.already_updated)
        failed = [
            f"{item.finding.id}: {item.error_code}, {item.error_message}" for item in summary.not_updated
        ]
        failed += [
            f"{item.id or f'finding number {item.index}'}: {item.reason}" for item in summary.malformed
        ]
        super().__init__(
            f"{len(failed)} of {done + len(failed)} findings were not set to {summary.workflow_status}. "
            + " | ".join(failed)
        )


def update_findings(
    event: FindingsEvent,
    *,
    settings: Settings,
    security_hub: FindingsUpdater,
    request_id: str,
    function_arn: str,
    turns: Turns | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> Summary:
    """Set the workflow status of all findings of an event, with a note that says by what and when.

    Running it again for the same event writes the same status and, but for the request id, the same note. So
    Lambda's retries and EventBridge's duplicates need no GetFindings call first: it would cost a permission
    and a request, and Security Hub may take minutes to show an update. Only imported findings that have the
    status already are left alone, because each update emits another imported event and would trigger itself
    for ever.

    Args:
        event: The findings and where they come from.
        settings: Status and note to write.
        security_hub: Where to write them.
        request_id: Lambda's request id, for the note; the same in Lambda's retries.
        function_arn: ARN of this function, the note's author.
        turns: The turns that this function shares with others that write to findings. Default: no other does.
        sleep: Waits for that many seconds between attempts.

    Returns:
        What became of every finding; the caller decides what a failure means.

    Source: https://docs.aws.amazon.com/securityhub/latest/userguide/findings-workflow-status.html
    """
    findings = distinct(event.findings)
    imported = isinstance(event, ImportedFindingsEvent)
    already = [item for item in findings if imported and item.workflow_status == settings.workflow_status]
    pending = [item for item in findings if not imported or item.workflow_status != settings.workflow_status]
    note = compose_note(event, settings, request_id)
    not_updated = write_in_turns(
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
    failed = {(item.finding.product_arn, item.finding.id) for item in not_updated}
    return Summary(
        action=event.action_arn if isinstance(event, CustomActionEvent) else None,
        workflow_status=settings.workflow_status,
        updated=tuple(item for item in pending if (item.product_arn, item.id) not in failed),
        already_updated=tuple(already),
        not_updated=tuple(not_updated),
        malformed=event.malformed_findings,
    )


def compose_note(event: FindingsEvent, settings: Settings, request_id: str) -> str:
    """Return the note's text, at most `MAX_NOTE_CHARACTERS` long.

    The event doesn't name the analyst who pressed the custom action, so the note has what leads to them:
    account, region, time and id of the event.
    """
    action = (
        f'the custom action "{event.action_name}" ({event.action_arn})'
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
