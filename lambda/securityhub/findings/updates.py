"""How findings are updated: in batches, again where it helps. Knows neither boto3 nor Lambda."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from securityhub.events import CustomActionEvent, Finding, FindingsEvent

MAX_FINDINGS_PER_REQUEST: Final = 100
MAX_NOTE_CHARACTERS: Final = 512
# The two codes of BatchUpdateFindingsUnprocessedFinding that say 'try again'; the others are final.
RETRYABLE_ERROR_CODES: Final = frozenset({"ConcurrentUpdateError", "InternalFailure"})
# Pauses between attempts, in seconds: 4 attempts, 3.5 s at most, well inside the function's timeout.
BACKOFF_SECONDS: Final = (0.5, 1.0, 2.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class NotUpdated:
    """A finding that Security Hub did not update, and why."""

    finding: Finding
    error_code: str
    error_message: str


class RequestRefusedError(Exception):
    """Security Hub refused a whole request, so none of its findings was updated.

    Attributes:
        code: Error code of the API, for example `InvalidAccessException`.
    """

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(message)


class FindingsUpdater(Protocol):
    """What the functions need of Security Hub."""

    def batch_update_findings(
        self,
        findings: Sequence[Finding],
        *,
        workflow_status: str | None,
        note_text: str,
        note_updated_by: str,
        user_defined_fields: Mapping[str, str] | None = None,
    ) -> Sequence[NotUpdated]:
        """Write to up to 100 distinct findings and return those that were not updated.

        Raises:
            RequestRefusedError: None of them was updated.
        """


def write_to_findings(
    findings: Sequence[Finding],
    *,
    security_hub: FindingsUpdater,
    workflow_status: str | None,
    note_text: str,
    note_updated_by: str,
    user_defined_fields: Mapping[str, str] | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> list[NotUpdated]:
    """Write the same to any number of findings, again and again for what is worth it.

    Args:
        findings: Distinct findings: Security Hub refuses both of two equal identifiers in a request.
        security_hub: Where to write.
        workflow_status: The new status; None leaves it as it is.
        note_text: The note, at most `MAX_NOTE_CHARACTERS` long.
        note_updated_by: The note's author.
        user_defined_fields: All of the findings' user-defined fields; None leaves them as they are.
        sleep: Waits for that many seconds between attempts.

    Returns:
        What was not updated in the end, and why.
    """
    not_updated: list[NotUpdated] = []
    for batch in _batches(findings):
        not_updated += _update_batch(
            batch,
            lambda some: security_hub.batch_update_findings(
                some,
                workflow_status=workflow_status,
                note_text=note_text,
                note_updated_by=note_updated_by,
                user_defined_fields=user_defined_fields,
            ),
            sleep,
        )
    return not_updated


def distinct(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Return each finding once: Security Hub refuses both of two equal identifiers in a request."""
    return tuple({(finding.product_arn, finding.id): finding for finding in findings}.values())


def asked_by(event: FindingsEvent) -> str:
    """Say in a note by whom something was asked for.

    The event doesn't name the analyst who pressed the custom action, so the note has what leads to them.
    """
    if isinstance(event, CustomActionEvent):
        return f"custom action {event.action_arn} pressed in {event.account}"
    return "automatic rule"


def with_earlier_note(text: str, finding: Finding, *, author: str) -> str:
    """Return a note followed by the one that it replaces, as far as that fits; at most `MAX_NOTE_CHARACTERS`.

    A finding has one note. What an analyst or another function wrote there is not to be lost without need.

    Args:
        text: The new note.
        finding: As the event shows it.
        author: Who writes the new note; an earlier one of the same author is left out.
    """
    note = finding.raw.get("Note")
    earlier = note.get("Text") if isinstance(note, Mapping) and note.get("UpdatedBy") != author else None
    if not isinstance(earlier, str) or not earlier.strip():
        return truncate(text, MAX_NOTE_CHARACTERS)
    return truncate(f"{text} Earlier note: {earlier.strip()}", MAX_NOTE_CHARACTERS)


def truncate(text: str, limit: int) -> str:
    """Cut `text` to at most `limit` UTF-16 code units, never through a character; an ellipsis marks the cut.

    UTF-16 is the strictest way to count characters that a service may use. Surrogates without their other
    half, which JSON allows and UTF-8 does not, become question marks.
    """
    valid = text.encode("utf-8", errors="replace").decode("utf-8")
    encoded = valid.encode("utf-16-le")
    if len(encoded) <= limit * 2:
        return valid
    return encoded[: (limit - 1) * 2].decode("utf-16-le", errors="ignore").rstrip() + "…"


def _batches(findings: Sequence[Finding]) -> Iterator[Sequence[Finding]]:
    for start in range(0, len(findings), MAX_FINDINGS_PER_REQUEST):
        yield findings[start : start + MAX_FINDINGS_PER_REQUEST]


def _update_batch(
    batch: Sequence[Finding],
    update: Callable[[Sequence[Finding]], Sequence[NotUpdated]],
    sleep: Callable[[float], None],
) -> list[NotUpdated]:
    """Update one batch, again and again for what is worth it, and return what was not updated in the end."""
    final: list[NotUpdated] = []
    pauses = iter(BACKOFF_SECONDS)
    while True:
        try:
            unprocessed = update(batch)
        except RequestRefusedError as error:
            # The other batches still get their turn; the refusal is reported for each of these findings.
            unprocessed = [
                NotUpdated(finding=item, error_code=error.code, error_message=str(error)) for item in batch
            ]
        retryable = [item for item in unprocessed if item.error_code in RETRYABLE_ERROR_CODES]
        final += [item for item in unprocessed if item.error_code not in RETRYABLE_ERROR_CODES]
        pause = next(pauses, None)
        if not retryable or pause is None:
            return final + retryable
        sleep(pause)
        batch = [item.finding for item in retryable]
