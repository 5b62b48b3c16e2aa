"""The contents of the events, as plain values. `parser` creates them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """A resource that a finding is about.

    Attributes:
        type: The resource type, such as `AwsS3Bucket`; None if the provider omitted it.
        id: The ARN or another canonical identifier of the resource.
        region: The Region of the resource, or None if it has none.
    """

    type: str | None
    id: str
    region: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A finding in the AWS Security Finding Format (ASFF).

    `id` and `product_arn` together identify it, as in BatchUpdateFindings. Only those two and
    `aws_account_id` are required; a finding that lacks a descriptive field can still be acted on.

    Attributes:
        id: `Id`.
        product_arn: `ProductArn`.
        aws_account_id: `AwsAccountId`, the account of the finding, which can differ from the event's.
        region: `Region`. If the finding has none, the Region of its resources or of its product; empty if
            these have none either.
        generator_id: `GeneratorId`.
        title: `Title`.
        severity_label: `Severity.Label`, such as `CRITICAL`.
        workflow_status: `Workflow.Status` when the event was sent, such as `NEW`.
        record_state: `RecordState`, `ACTIVE` or `ARCHIVED`.
        compliance_status: `Compliance.Status`, such as `FAILED`.
        resources: `Resources`, in their order.
        updated_at: `UpdatedAt`, with its time zone.
        raw: The whole finding as received; not in `repr`, so that it isn't logged by accident.

    Source: https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_AwsSecurityFinding.html
    """

    id: str
    product_arn: str
    aws_account_id: str
    region: str
    generator_id: str | None
    title: str | None
    severity_label: str | None
    workflow_status: str | None
    record_state: str | None
    compliance_status: str | None
    resources: tuple[Resource, ...]
    updated_at: datetime | None
    raw: Mapping[str, object] = field(repr=False, compare=False)

    @property
    def identity(self) -> tuple[str, str]:
        """`product_arn` and `id`."""
        return self.product_arn, self.id

    @property
    def digest(self) -> str:
        """64 hexadecimal digits that identify the finding where its identity is too long."""
        return hashlib.sha256("\n".join(self.identity).encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class OcsfFinding:
    """A finding in the Open Cybersecurity Schema Framework (OCSF), as in `Findings Imported V2`.

    Attributes:
        metadata_uid: `metadata.uid`, by which BatchUpdateFindingsV2 identifies the finding.
        finding_info_uid: `finding_info.uid`.
        title: `finding_info.title`.
        severity: `severity`, such as `High`.
        status: `status`, such as `New`.
        account_uid: `cloud.account.uid`, the account that the finding is about.
        region: `cloud.region`, or the Region of the event if the finding has none.
        resources: `resources`, in their order.
        raw: The whole finding as received; not in `repr`, so that it isn't logged by accident.

    Source: https://docs.aws.amazon.com/securityhub/latest/userguide/security-hub-adv-ocsf-findings.html
    """

    metadata_uid: str
    finding_info_uid: str
    title: str | None
    severity: str | None
    status: str | None
    account_uid: str
    region: str
    resources: tuple[Resource, ...]
    raw: Mapping[str, object] = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class InsightResult:
    """One row of an insight: a value of the insight's grouping attribute and its number of findings."""

    value: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MalformedItem:
    """A finding or an insight result that can't be read, kept so that it can be reported.

    Attributes:
        index: The position in the event's array, from 0.
        id: The item's identifier, if at least that can be read.
        reason: What is wrong, where, and what is allowed.
    """

    index: int
    id: str | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EventBridgeEvent:
    """The envelope of all Security Hub events.

    Attributes:
        event_id: Envelope `id`.
        account: The account that sent the event; for a custom action, the account in which it was pressed.
        region: The Region that sent the event.
        time: When the event was sent, with its time zone.
        resources: Envelope `resources`.
    """

    event_id: str
    account: str
    region: str
    time: datetime
    resources: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomActionEvent(EventBridgeEvent):
    """`Security Hub Findings - Custom Action`: an analyst pressed a custom action on findings.

    Attributes:
        action_arn: The ARN of the custom action, the only reliable way to distinguish actions.
        action_name: Its name when it was pressed. Never match on it, because actions can be renamed.
        action_description: Its description when it was pressed.
        findings: The findings that can be read.
        malformed_findings: The findings that can't.
    """

    action_arn: str
    action_name: str
    action_description: str
    findings: tuple[Finding, ...]
    malformed_findings: tuple[MalformedItem, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class InsightResultsEvent(EventBridgeEvent):
    """`Security Hub Insight Results`: an analyst pressed a custom action on results of an insight.

    It contains no findings, only their number for each value.

    Attributes:
        action_arn: The ARN of the custom action; None if `resources` has none, as in the guide's example.
        action_name: Its name when it was pressed. Never match on it.
        action_description: Its description when it was pressed.
        insight_arn: The ARN of the insight.
        insight_name: The name of the insight.
        result_type: The attribute that groups the findings, such as `ResourceAwsIamAccessKeyUserName`.
        number_of_results: `number of results`, if the event has it as a number.
        results: The results that can be read.
        malformed_results: The results that can't.
    """

    action_arn: str | None
    action_name: str
    action_description: str
    insight_arn: str
    insight_name: str
    result_type: str
    number_of_results: int | None
    results: tuple[InsightResult, ...]
    malformed_results: tuple[MalformedItem, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedFindingsEvent(EventBridgeEvent):
    """`Security Hub Findings - Imported`: findings were created or updated, by a provider or a customer.

    Attributes:
        findings: The findings that can be read.
        malformed_findings: The findings that can't.
    """

    findings: tuple[Finding, ...]
    malformed_findings: tuple[MalformedItem, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedFindingsV2Event(EventBridgeEvent):
    """`Findings Imported V2`: the same in OCSF.

    Attributes:
        findings: The findings that can be read.
        malformed_findings: The findings that can't.
    """

    findings: tuple[OcsfFinding, ...]
    malformed_findings: tuple[MalformedItem, ...]


FindingsEvent = CustomActionEvent | ImportedFindingsEvent
"""The events that contain findings in the AWS Security Finding Format."""


def explain_no_findings(event: InsightResultsEvent | ImportedFindingsV2Event, *, not_done: str) -> str:
    """Return why an event without findings in the AWS Security Finding Format changes nothing.

    Args:
        event: The event.
        not_done: The consequence, such as `no ticket was opened`.
    """
    return (
        f"{type(event).__name__} has no findings in the AWS Security Finding Format, so {not_done}. In "
        "Security Hub, select findings, not insight results, and press the custom action on those."
    )
