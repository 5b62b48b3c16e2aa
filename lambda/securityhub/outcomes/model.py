"""One outcome for one finding, and the event that tells of it: docs/outcome-event.schema.json."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

from securityhub.events import CustomActionEvent, Finding, FindingsEvent, InsightFindingsEvent, is_press
from securityhub.findings.updates import truncate

SCHEMA_VERSION: Final = "1.0"
"""A consumer of 1.0 can read all 1.x: these only have more fields."""

# An event stays below the 256 KB of a message in Amazon SNS, whatever a finding holds: also if each character
# becomes two escape sequences of JSON, with six bytes each.
# https://docs.aws.amazon.com/sns/latest/dg/large-message-payloads.html
_MAX_REASON: Final = 1_000
_MAX_ID: Final = 2_048
_MAX_RESOURCE: Final = 1_024
_MAX_RESOURCES: Final = 10


class Operation(StrEnum):
    """What was to be done."""

    REMEDIATE = "remediate"
    UNDO = "undo"
    OPEN_TICKET = "open_ticket"
    CLOSE_TICKET = "close_ticket"
    FOLLOW_DECISION = "follow_decision"
    UPDATE_FINDING = "update_finding"


class Result(StrEnum):
    """What became of it.

    Attributes:
        DONE: It was done.
        PARTLY_DONE: A part of it was done, and the rest has to be done manually.
        UNCHANGED: There was nothing to do, or an earlier event had it done.
        DRY_RUN: It was only planned.
        HELD_BACK: It waits for its turn, or for an approval.
        REFUSED: The settings don't allow it, it wasn't approved, or the finding was settled since the event.
        IMPOSSIBLE: It can't be done automatically.
        STOPPED: Changes are stopped. It's tried again.
        FAILED: It failed. It's tried again.
    """

    DONE = "done"
    PARTLY_DONE = "partly_done"
    UNCHANGED = "unchanged"
    DRY_RUN = "dry_run"
    HELD_BACK = "held_back"
    REFUSED = "refused"
    IMPOSSIBLE = "impossible"
    STOPPED = "stopped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One outcome for one finding.

    Attributes:
        operation: What was to be done.
        result: What became of it.
        reason: What was done, or why not. It contains no credential.
        finding: The finding.
        event: The event that was the cause.
        request_id: The ID of the Lambda request.
        part: What did it, where a finding can have several: the remediation, the tracker, or the workflow
            status. Default: none.
        time: When it was done. Default: now.
        occasion: Identifies the cause, the same for each attempt. Default: the ID of the event.
        refused_credential: Whether it failed because a credential was refused. Default: False.
    """

    operation: Operation
    result: Result
    reason: str
    finding: Finding
    event: FindingsEvent
    request_id: str
    part: str | None = None
    time: datetime = field(default_factory=lambda: datetime.now(UTC))
    occasion: str = ""
    refused_credential: bool = False

    @property
    def seconds_since_update(self) -> float | None:
        """The seconds since the provider of the finding updated it."""
        return self._seconds_since(self.finding.updated_at)

    @property
    def seconds_since_event(self) -> float | None:
        """The seconds since the event was sent: for a press, since it was pressed."""
        return self._seconds_since(self.event.time)

    def _seconds_since(self, moment: datetime | None) -> float | None:
        # The clocks differ, and times of findings are what their providers say.
        return max((self.time - moment).total_seconds(), 0.0) if moment else None

    def id_for(self, function: str) -> str:
        """Return the ID of the event: the same for every attempt, and for no other outcome.

        Args:
            function: The name of the function.
        """
        parts = (
            function,
            self.operation,
            self.part or "",
            self.result,
            self.finding.digest,
            self.occasion or self.event.event_id,
        )
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    def to_detail(self, *, function: str, control: str | None, account_group: str) -> dict[str, Any]:
        """Return the `detail` of the event.

        Args:
            function: The name of the function.
            control: The control, or the end of the product's ARN, in terms that only AWS sets.
            account_group: The group of the finding's account.
        """
        finding, event = self.finding, self.event
        return {
            "schemaVersion": SCHEMA_VERSION,
            "id": self.id_for(function),
            "time": _time(self.time),
            "function": function,
            "operation": self.operation.value,
            "part": self.part,
            "outcome": self.result.value,
            "reason": truncate(self.reason, _MAX_REASON),
            "refusedCredential": self.refused_credential,
            "cause": _cause(event),
            "finding": {
                "id": truncate(finding.id, _MAX_ID),
                "productArn": truncate(finding.product_arn, _MAX_ID),
                "account": finding.aws_account_id,
                "accountGroup": account_group,
                "region": finding.region,
                "control": control,
                "severity": finding.severity_label,
                "updatedAt": _time(finding.updated_at),
                "resources": [truncate(one.id, _MAX_RESOURCE) for one in finding.resources[:_MAX_RESOURCES]],
            },
            "secondsSinceUpdate": self.seconds_since_update,
            "secondsSinceEvent": self.seconds_since_event,
            "requestId": self.request_id,
        }


def _cause(event: FindingsEvent) -> Mapping[str, Any]:
    """Return what led to the outcome. Who pressed isn't in the event."""
    action = event.action_arn if is_press(event) else None
    is_decision = isinstance(event, CustomActionEvent) and event.is_decision
    return {
        "kind": "approval" if is_decision else "press" if action else "automatic",
        "eventId": event.event_id,
        "time": _time(event.time),
        "account": event.account,
        "region": event.region,
        "actionArn": action,
        "insightArn": event.insight_arn if isinstance(event, InsightFindingsEvent) else None,
    }


def _time(moment: datetime | None) -> str | None:
    """Return a time in UTC with milliseconds, as Amazon Athena reads it with from_iso8601_timestamp."""
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
