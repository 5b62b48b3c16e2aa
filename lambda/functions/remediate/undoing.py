"""What an undo finds, and what it tells: it restores nothing that somebody has changed since."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from functions.remediate.outcomes import says_changed
from remediations.contract import CannotRemediateError, Change, PartlyUndoneError, Remediation, Setting
from securityhub.events import Finding

if TYPE_CHECKING:
    from boto3.session import Session


def why_nothing_to_undo(finding: Finding) -> str:
    """Say that nothing was remediated, or that it was undone already: both are as somebody wanted it.

    Args:
        finding: A finding without a record.

    Raises:
        CannotRemediateError: The finding says that it was remediated, so the record is lost.
    """
    note = finding.note
    if note is not None and says_changed(note.text):
        raise CannotRemediateError(
            "The finding was remediated, but there is no longer a record of the previous state. Restore "
            "it manually, as far as the previous note names it."
        )
    return "There is no record of a remediation of this finding, so nothing changed"


def describe_undo(change: Change, settings: Sequence[Setting], *, place: str) -> str:
    """Say what an undo restores and what it leaves alone, in a sentence without a period.

    Args:
        change: What the remediation did.
        settings: What became of it, as the undo finds it.
        place: Where the record is.
    """
    changed = [one for one in settings if one.is_changed]
    if changed:
        rest = ". The rest is restored" if len(changed) < len(settings) else ""
        return (
            f"Changed since the remediation left it, so it stays: {'; '.join(map(str, changed))}{rest}. To "
            f"have it as before, restore it manually from {place}"
        )
    if all(one.is_restored for one in settings):
        return f"It's already as before, so there was nothing to undo of: {change.description}"
    return change.description


def restore(remediation: Remediation, change: Change, session: Session, settings: Sequence[Setting]) -> str:
    """Restore settings of a change.

    Args:
        remediation: What made the change; it can be undone.
        change: What it did.
        session: Credentials of the account, and the Region.
        settings: What is restored.

    Returns:
        What of them couldn't be restored and what to do, in sentences without the last period; empty if all
        of them are.
    """
    assert remediation.undo is not None  # noqa: S101 - the caller checked it
    try:
        remediation.undo(change, session, settings)
    except PartlyUndoneError as error:
        return str(error).rstrip(".")
    return ""
