"""One attempt at a piece of work about a finding: what identifies it, and what comes of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from functions.remediate.outcomes import Outcome, Status, to_time
from functions.remediate.patience import seconds_left
from functions.remediate.remembering import remembered
from functions.remediate.services import Once
from invocation.once import TURN_PATIENCE_SECONDS, Answer, WorkInProgressError
from remediations.contract import CannotRemediateError, Remediation
from securityhub.events import Finding

REMEDIATE: Final = "remediate"
UNDO: Final = "undo"
_ACCOUNT: Final = "AwsAccount"


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


def in_turn(once: Once, finding: Finding, remediation: Remediation, work: Callable[[], Answer]) -> Answer:
    """Read and change or restore a finding's resources while no work on another finding does.

    Several findings can be about one resource, and come at the same time: those of nine controls are about
    the password policy of an account. What one reads and writes as a whole, the other would overwrite.

    Runbooks take minutes, and can be waited for by several.

    Args:
        once: Lets one invocation at a time do the work.
        finding: The finding.
        remediation: What reads and changes.
        work: The work.

    Raises:
        WorkInProgressError: Another invocation still has its turn.
    """
    if remediation.runbook:
        return work()
    patience = min(TURN_PATIENCE_SECONDS, seconds_left())
    return once.in_turn(_shared_by(finding, remediation), work, patience_seconds=patience)


def _shared_by(finding: Finding, remediation: Remediation) -> dict[str, str]:
    """Return what identifies the resources of a finding, the same for each finding that is about them."""
    actions = [action for one in remediation.statements for action in one["Action"]]
    # An account has its settings in each Region, except for those of IAM.
    region = "" if all(action.startswith("iam:") for action in actions) else finding.region
    served = (one for one in finding.resources if one.type in remediation.resource_types)
    resources = {region if one.type == _ACCOUNT else one.id for one in served}
    return {
        "account": finding.aws_account_id,
        "resources": json.dumps(sorted(resources)),
        "turn": remediation.name,
    }


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
