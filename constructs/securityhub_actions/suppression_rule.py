"""Suppressions, which keep findings that somebody has accepted out of sight, with a reason and an end."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, date, datetime
from typing import Final

from aws_cdk import Stack
from aws_cdk import aws_sns as sns
from constructs import Construct, IConstruct

from securityhub_actions.arguments import checked
from securityhub_actions.automation_rule import create_rule, description_of, hub_of
from securityhub_actions.filters import FindingFilter, OcsfFindingFilter
from securityhub_actions.filters.criteria import InexpressibleFilterError, criteria_of, fields_of
from securityhub_actions.finding_updates import FindingFieldsUpdate, OcsfFindingFieldsUpdate
from securityhub_actions.places import node_of, path_of, region_of, stack_of
from securityhub_actions.rule_orders import order_of
from securityhub_actions.suppression_expiry import EndingRule, expiry_of
from securityhub_actions.tokens import is_token

TODAY: Final = "securityhub-actions:today"
"""The context value with the date to compare `until` with, such as in tests."""
MAX_REASON_LENGTH: Final = 256
"""Security Hub allows 512 characters in a note or comment, which also says until when and by what."""
# What says nothing about the problem or where it is: criteria, and fields in OCSF.
_STATUSES: Final = frozenset(
    {
        *("WorkflowStatus", "RecordState", "ComplianceStatus"),
        *("status", "activity_name", "compliance.status"),
    }
)
_MARKER: Final = "securityhub-actions"


class SuppressionRule(Construct):
    """Suppresses findings that match a filter when Security Hub gets them, for a reason and until a date.

    It's an automation rule that sets the workflow status to SUPPRESSED, and a note with the reason. With a
    `FindingFilter`, it's a rule of Security Hub CSPM; with an `OcsfFindingFilter`, one of the new Security
    Hub, where the status is Suppressed and the reason stands in the comment. `AutomationRule` says in which
    Regions each acts, and what both leave alone.

    A function, which the suppressions of a stack share, disables the rule on the day that you set. It opens
    the findings that no suppression of the stack covers any longer, also after you have disabled or removed
    one, or changed its filter, unless somebody has written a note or comment of their own. To remove the last
    suppression of a stack, or its last one of either hub, disable it first.

    Example:
        SuppressionRule(
            self, "PublicWebsite",
            findings=FindingFilter(control_ids=["S3.2"], resource_id="arn:aws:s3:::www.example.com"),
            reason="The bucket hosts the public website (SEC-123)",
            until=date(2027, 3, 31),
        )

    Attributes:
        until: The day on which the suppression ends. None if it doesn't end, or is disabled.

    Source: https://docs.aws.amazon.com/securityhub/latest/userguide/automation-rules.html
    """

    @checked
    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        findings: FindingFilter | OcsfFindingFilter,
        reason: str,
        until: date | None = None,
        topic: sns.ITopic | None = None,
        rule_name: str | None = None,
        order: float | None = None,
        enabled: bool = True,
    ) -> None:
        """Create a suppression.

        Args:
            scope: The parent construct.
            construct_id: The construct ID, unique within the scope.
            findings: The filter for findings. By default, a filter matches findings that are NEW and ACTIVE.
                Rules can express less than event patterns: what they can't, is an error.
            reason: Why the findings are accepted, 1 to 256 characters. It becomes their note or comment.
            until: The day on which the suppression ends, in UTC. If it isn't in the future, synthesis fails.
                Default: it doesn't end.
            topic: The SNS topic that is told two weeks before the end, at the end, and how many findings are
                open again. Default: nobody is told.
            rule_name: The name of the rule, up to 256 characters. Default: a unique name.
            order: The order of the rule, as in `AutomationRule`. Default: 901 and following. The suppression
                that ends last is applied last.
            enabled: Whether the rule is enabled. If not, what it has suppressed is opened. Default: True.

        Raises:
            ValueError: The criteria of a rule can't express the filter, or it chooses among findings by their
                status only; `until` is past; or an argument is outside its range.
        """
        super().__init__(scope, construct_id)
        self.until = until if enabled else None
        _require_choice(self, findings)
        _require_reason(self, reason)
        _require_future(self, until)
        ends = "without end" if until is None else f"until {until.isoformat()}"
        digest = digest_of(self, findings)
        self._rule = create_rule(
            self,
            findings=findings,
            update=_update(self, findings, digest, f"{reason.strip()} (suppressed {ends})"),
            description=description_of(findings, f"Suppresses findings {ends}: {reason.strip()}"),
            rule_name=rule_name,
            order=order_of(self, hub=hub_of(findings), order=order, suppresses=True, until=until),
            is_terminal=False,
            enabled=enabled,
        )
        expiry_of(self, markers=markers_of(stack_of(self))).add(
            EndingRule(
                key=key_of(self),
                digest=digest,
                name=path_of(self),
                rule=self._rule,
                reason=reason.strip(),
                until=until,
                topic=topic,
                enabled=enabled,
            )
        )

    @property
    def rule_arn(self) -> str:
        """The ARN of the automation rule, as a token."""
        return self._rule.get_att("RuleArn").to_string()


def markers_of(stack: Stack) -> str:
    """What the markers of all suppressions of a stack begin with, and of no other stack."""
    return f"{_MARKER}/{region_of(stack)}/{stack.stack_name}/"


def marker_of(suppression: IConstruct, digest: str) -> str:
    """What tells in a finding which suppression suppressed it, and by which filter.

    It's the author of the note, or the beginning of the comment. It changes with the path of the construct,
    and with the filter, of which it has a digest.
    """
    return f"{markers_of(stack_of(suppression))}{key_of(suppression)}.{digest}"


def key_of(suppression: IConstruct) -> str:
    """What the marker has of the suppression, unique in the stack."""
    return node_of(suppression).addr[2:10]


def digest_of(suppression: IConstruct, findings: FindingFilter | OcsfFindingFilter) -> str:
    """What the marker has of a filter: 8 characters that are others if the criteria of the rule change.

    References to other resources count by their names in the template. The order of values doesn't count.
    """
    try:
        criteria = criteria_of(findings)
    except InexpressibleFilterError:
        # `create_rule` refuses it.
        return ""
    known = stack_of(suppression).resolve(criteria) if is_token(criteria) else criteria
    return hashlib.sha256(_in_order(known).encode()).hexdigest()[:8]


def _in_order(value: object) -> str:
    """The same text for the same values, in whatever order."""
    if isinstance(value, dict):
        return json.dumps([[key, _in_order(one)] for key, one in sorted(value.items())])
    if isinstance(value, list):
        return json.dumps(sorted(map(_in_order, value)))
    return json.dumps(value)


def today(scope: IConstruct) -> date:
    """The date in UTC, or the one in the context.

    Raises:
        ValueError: The context value isn't a date.
    """
    given = scope.node.try_get_context(TODAY)
    if given is None:
        return datetime.now(UTC).date()
    try:
        return date.fromisoformat(str(given))
    except ValueError as error:
        raise ValueError(
            f"The context value {TODAY!r} is {given!r}. Specify a date such as '2027-03-31', or remove it."
        ) from error


def _update(
    suppression: Construct, findings: FindingFilter | OcsfFindingFilter, digest: str, note: str
) -> FindingFieldsUpdate | OcsfFindingFieldsUpdate:
    marker = marker_of(suppression, digest)
    if isinstance(findings, FindingFilter):
        return FindingFieldsUpdate(workflow_status="SUPPRESSED", note=note, note_updated_by=marker)
    # The comment is all that a rule of the new Security Hub can leave in a finding.
    return OcsfFindingFieldsUpdate(status="Suppressed", comment=f"{marker}: {note}")


def _require_choice(suppression: Construct, findings: FindingFilter | OcsfFindingFilter) -> None:
    """Reject a filter that chooses nothing: all findings that arrive would be out of sight.

    One that says that a title exists, or lists each severity, becomes no criterion.
    """
    try:
        chosen_by = fields_of(criteria_of(findings))
    except InexpressibleFilterError as error:
        chosen_by = {name for name, _, _ in error.faults} - {"findings"}
    if chosen_by <= _STATUSES:
        raise ValueError(
            f"findings of {path_of(suppression)} chooses by status only, so that it would suppress whatever "
            "arrives. Specify what is accepted, such as control_ids, account_ids, or resource_id."
        )


def _require_reason(suppression: Construct, reason: str) -> None:
    length = len(reason.strip())
    if not 1 <= length <= MAX_REASON_LENGTH:
        raise ValueError(
            f"reason of {path_of(suppression)} has {length} characters. Specify 1 to {MAX_REASON_LENGTH}: "
            "why the findings are accepted, and where to read more."
        )


def _require_future(suppression: Construct, until: date | None) -> None:
    if until is None:
        return
    if isinstance(until, datetime):
        raise ValueError(  # noqa: TRY004 - as for all arguments
            f"until of {path_of(suppression)} is {until}, with a time. Specify a day: until=date(...)."
        )
    if until <= (now := today(suppression)):
        raise ValueError(
            f"until of {path_of(suppression)} is {until.isoformat()}, which is past: today is "
            f"{now.isoformat()} in UTC. Remove the suppression, or set a later date if the findings are "
            "still accepted."
        )
