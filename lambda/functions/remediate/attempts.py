"""One attempt at a piece of work about a finding: what identifies it, and what comes of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from functions.remediate.outcomes import Outcome, Status, to_time
from functions.remediate.remembering import remembered
from functions.remediate.services import Once
from invocation.once import WorkInProgressError
from remediations.contract import CannotRemediateError
from securityhub.events import Finding

REMEDIATE: Final = "remediate"
UNDO: Final = "undo"


def key_of(finding: Finding, kind: str, *, remediation: str | None = None) -> dict[str, str]:
    """Return what is remembered as one piece of work.

    Args:
        finding: The finding; after an update, it is another piece of work.
        kind: `AUTOMATIC`, `REMEDIATE`, or `UNDO`.
        remediation: The one of several that serve the finding; by default, the whole.
    """
    key = {
        "product": finding.product_arn,
        "finding": finding.id,
        "updated": to_time(finding.updated_at) if finding.updated_at else "",
        "action": kind,
    }
    return key | {"remediation": remediation} if remediation else key


def done_once(
    once: Once, key: Mapping[str, str], work: Callable[[], Outcome], *, remembers: bool = True
) -> Outcome:
    """Return the outcome of work, or the one that is remembered.

    Args:
        once: Lets one invocation at a time do the work.
        key: Identifies the work.
        work: Does the work.
        remembers: Whether a final outcome is remembered. Others never are. Default: True.
    """
    return remembered(
        once,
        key,
        work,
        is_final=lambda outcome: remembers and outcome.is_final,
        to_json=Outcome.to_json,
        # What is remembered doesn't say which of its parts had been remembered before.
        from_json=partial(Outcome.from_json, repeated=True),
    )


def reported(
    work: Callable[[], Outcome], *, kind: str, request_id: str, remediation: str | None = None
) -> Outcome:
    """Return the outcome of work, also if it raises an error, which must neither stop nor hide the others."""
    outcome = _outcome_of(work, request_id=request_id, remediation=remediation)
    return outcome.of_undo() if kind == UNDO else outcome


def _outcome_of(work: Callable[[], Outcome], *, request_id: str, remediation: str | None) -> Outcome:
    try:
        return work()
    except WorkInProgressError as error:
        status, reason = Status.BUSY, str(error)
    except CannotRemediateError as error:
        status, reason = Status.IMPOSSIBLE, str(error)
    except Exception as error:  # noqa: BLE001 - as above
        status, reason = Status.FAILED, f"{type(error).__name__}: {error}"
    return Outcome.now(status, reason.rstrip("."), request_id=request_id, remediation=remediation)
