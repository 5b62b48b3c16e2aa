"""How findings are updated: in batches, with retries where they help. Knows neither boto3 nor Lambda."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, Protocol

from securityhub.events import CustomActionEvent, Finding, FindingsEvent, Format, InsightFindingsEvent

MAX_FINDINGS_PER_REQUEST: Final = 100
MAX_NOTE_CHARACTERS: Final = 512
_EARLIER_NOTE: Final = " Earlier note: "
# The codes of unprocessed findings that are worth a retry, two each of BatchUpdateFindings and of
# BatchUpdateFindingsV2; the others are final.
RETRYABLE_ERROR_CODES: Final = frozenset(
    {"ConcurrentUpdateError", "InternalFailure", "ConflictException", "InternalServerException"}
)
# The codes that can be caused by the values. Without the refused values, the rest can be accepted.
# https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_BatchUpdateFindingsUnprocessedFinding.html
# https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_BatchUpdateFindingsV2UnprocessedFinding.html
_REFUSALS_OF_REQUESTS: Final = frozenset(
    {"InvalidInputException", "ParamValidationError", "ValidationException"}
)
_REFUSALS_OF_VALUES: Final = frozenset({"FindingSizeExceeded", "InvalidInput"}) | _REFUSALS_OF_REQUESTS
FIELDS: Final = "user-defined fields"
NOTE: Final = "note"
# Pauses between attempts, in seconds: 4 attempts within 3.5 s, far below the timeout of the function.
BACKOFF_SECONDS: Final = (0.5, 1.0, 2.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class NotUpdated:
    """A finding that Security Hub didn't update, or only in part, and why.

    Attributes:
        finding: The finding.
        error_code: The error code of the API.
        error_message: The message of the API, and what was written nevertheless.
        left_out: Those of `FIELDS` and `NOTE` that weren't written although the rest was.
    """

    finding: Finding
    error_code: str
    error_message: str
    left_out: tuple[str, ...] = ()


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
        note_text: str | None,
        note_updated_by: str,
        user_defined_fields: Mapping[str, str] | None = None,
    ) -> Sequence[NotUpdated]:
        """Update up to 100 distinct findings of one format, and return those that weren't updated.

        None leaves a value unchanged. In OCSF, the note becomes the comment, and there are no user-defined
        fields.

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
    note_without_fields: str | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> list[NotUpdated]:
    """Write the same to any number of findings of either format, and retry where that can help.

    If Security Hub refuses the values for a finding, such as a 51st user-defined field, what it accepts is
    written all the same: first everything but the fields, then everything but the note, then only the status.

    Args:
        findings: Distinct findings: Security Hub refuses both of two equal identifiers in a request.
        security_hub: Where to write.
        workflow_status: The new status; None leaves it as it is.
        note_text: The note, at most `MAX_NOTE_CHARACTERS` long.
        note_updated_by: The note's author.
        user_defined_fields: All of the findings' user-defined fields; None leaves them as they are.
        note_without_fields: The note where the fields are refused. Default: `note_text`.
        sleep: Waits for that many seconds between attempts.

    Returns:
        What was not updated in the end, or not with everything, and why.
    """
    write = partial(_write, security_hub=security_hub, author=note_updated_by, sleep=sleep)
    everything = _Values(status=workflow_status, note=note_text, fields=user_defined_fields)
    fewer = _accepted_at_worst(everything, note_without_fields or note_text)
    not_updated: list[NotUpdated] = []
    for batch in _batches(findings):
        for item in write(batch, everything):
            if item.error_code not in _REFUSALS_OF_VALUES:
                not_updated.append(item)
                continue
            # A whole request may have been refused because of one of its findings.
            is_shared = len(batch) > 1 and item.error_code in _REFUSALS_OF_REQUESTS
            attempts = [everything, *fewer] if is_shared else fewer
            not_updated += _write_what_is_accepted(item, attempts, write)
    return not_updated


def distinct(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Return each finding once, because Security Hub refuses both of two equal identifiers in a request."""
    return tuple({finding.identity: finding for finding in findings}.values())


def asked_by(event: FindingsEvent) -> str:
    """Return who requested something, for a note.

    The event doesn't name the analyst who pressed the custom action, so the note says where it was pressed.
    """
    if isinstance(event, InsightFindingsEvent):
        return f"custom action {event.action_arn} pressed in {event.account} on {event.selection}"
    if isinstance(event, CustomActionEvent):
        return f"custom action {event.action_arn} pressed in {event.account}"
    return "automatic rule"


def with_earlier_note(text: str, finding: Finding, *, author: str) -> str:
    """Return a note followed by the one that it replaces, truncated to `MAX_NOTE_CHARACTERS`.

    A finding has only one note, and what an analyst or another function has written is kept if possible.

    Args:
        text: The new note.
        finding: The finding with the note that is replaced.
        author: Who writes the new note. Of a note of the same author, only the earlier note in it is kept.
    """
    if (note := finding.note) is None:
        return truncate(text, MAX_NOTE_CHARACTERS)
    earlier = note.text
    if note.updated_by == author:
        earlier = earlier.partition(_EARLIER_NOTE)[2]
    following = f"{_EARLIER_NOTE}{earlier.strip()}" if earlier.strip() else ""
    return truncate(text + following, MAX_NOTE_CHARACTERS)


def truncate(text: str, limit: int) -> str:
    """Truncate text to `limit` UTF-16 code units, with an ellipsis, and without splitting a character.

    UTF-16 is the strictest way in which a service counts characters. Unpaired surrogates, which JSON allows
    and UTF-8 doesn't, become question marks.
    """
    valid = text.encode("utf-8", errors="replace").decode("utf-8")
    encoded = valid.encode("utf-16-le")
    if len(encoded) <= limit * 2:
        return valid
    kept = encoded[: (limit - 1) * 2].decode("utf-16-le", errors="ignore").rstrip()
    return kept.removesuffix("…") + "…"  # of a text that was truncated before, one is there


@dataclass(frozen=True, slots=True, kw_only=True)
class _Values:
    """What an update writes; None leaves what is there. `left_out` names what it doesn't write."""

    status: str | None
    note: str | None
    fields: Mapping[str, str] | None
    left_out: tuple[str, ...] = ()


def _accepted_at_worst(everything: _Values, note_without_fields: str) -> list[_Values]:
    """Return updates with fewer values, the best first."""
    only_status = replace(everything, note=None, fields=None, left_out=(NOTE,))
    fewer = [only_status]
    if everything.fields is not None:
        fewer = [
            replace(everything, fields=None, note=note_without_fields, left_out=(FIELDS,)),
            replace(everything, note=None, left_out=(NOTE,)),
            replace(only_status, left_out=(FIELDS, NOTE)),
        ]
    return [one for one in fewer if (one.status, one.note, one.fields) != (None, None, None)]


def _write_what_is_accepted(
    refused: NotUpdated,
    attempts: Sequence[_Values],
    write: Callable[[Sequence[Finding], _Values], Sequence[NotUpdated]],
) -> Sequence[NotUpdated]:
    for values in attempts:
        failed = write([refused.finding], values)
        if not failed:
            return [_partly_updated(refused, values.left_out)] if values.left_out else []
        if failed[0].error_code not in _REFUSALS_OF_VALUES:
            return failed
    return [refused]


def _partly_updated(refused: NotUpdated, left_out: tuple[str, ...]) -> NotUpdated:
    said, names = refused.error_message.rstrip("."), " and the ".join(left_out)
    message = f"{said}. Everything but the {names} was written."
    return replace(refused, left_out=left_out, error_message=message)


def _write(
    batch: Sequence[Finding],
    values: _Values,
    *,
    security_hub: FindingsUpdater,
    author: str,
    sleep: Callable[[float], None],
) -> list[NotUpdated]:
    """Update one batch with retries, and return the findings that weren't updated in the end."""
    final: list[NotUpdated] = []
    pauses = iter(BACKOFF_SECONDS)
    while True:
        try:
            unprocessed = security_hub.batch_update_findings(
                batch,
                workflow_status=values.status,
                note_text=values.note,
                note_updated_by=author,
                user_defined_fields=values.fields,
            )
        except RequestRefusedError as error:
            # The other batches continue; the refusal is reported for each finding of this one.
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


def _batches(findings: Sequence[Finding]) -> Iterator[Sequence[Finding]]:
    """Return what fits into a request: of one format, because each has an operation of its own."""
    for format_ in Format:
        alike = [finding for finding in findings if finding.format is format_]
        for start in range(0, len(alike), MAX_FINDINGS_PER_REQUEST):
            yield alike[start : start + MAX_FINDINGS_PER_REQUEST]
