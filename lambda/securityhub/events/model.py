"""What the events carry. Plain values without behaviour; `parser` builds them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """A resource that a finding is about.

    Attributes:
        type: Resource type, for example `AwsS3Bucket`; None where the provider left it out.
        id: ARN or other canonical identifier of the resource.
        region: Region of the resource, or None where it has none.
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
        aws_account_id: `AwsAccountId`, the account the finding is about: not always the account of the event.
        region: `Region`. Where the finding has none, that of its resources or of its product; empty where
            these name none either.
        generator_id: `GeneratorId`.
        title: `Title`.
        severity_label: `Severity.Label`, for example `CRITICAL`.
        workflow_status: `Workflow.Status` when the event was sent, for example `NEW`.
        record_state: `RecordState`, `ACTIVE` or `ARCHIVED`.
        compliance_status: `Compliance.Status`, for example `FAILED`.
        resources: `Resources`, in their order.
        updated_at: `UpdatedAt`, with its time zone.
        raw: The whole finding as it came; left out of `repr`, so that it isn't logged by accident.

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


@dataclass(frozen=True, slots=True, kw_only=True)
class OcsfFinding:
    """A finding in the Open Cybersecurity Schema Framework (OCSF), as `Findings Imported V2` carries it.

    Attributes:
        metadata_uid: `metadata.uid`, by which BatchUpdateFindingsV2 identifies the finding.
        finding_info_uid: `finding_info.uid`.
        title: `finding_info.title`.
        severity: `severity`, for example `High`.
        status: `status`, for example `New`.
        account_uid: `cloud.account.uid`, the account the finding is about.
        region: `cloud.region`, or the region of the event where the finding has none.
        resources: `resources`, in their order.
        raw: The whole finding as it came; left out of `repr`, so that it isn't logged by accident.

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
    """A finding or an insight result that could not be read, kept so that it can be reported.

    Attributes:
        index: Position in the event's array, from 0.
        id: The item's identifier where at least that could be read.
        reason: What is wrong, where, and what is allowed.
    """

    index: int
    id: str | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EventBridgeEvent:
    """The envelope that all of Security Hub's events share.

    Attributes:
        event_id: Envelope `id`.
        account: The account that sent the event. For a custom action: where it was pressed.
        region: The region that sent the event.
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
        action_arn: ARN of the custom action, the only dependable way to tell actions apart.
        action_name: Name when it was pressed; anyone may rename an action, so never match on it.
        action_description: Description when it was pressed.
        findings: Every finding that could be read.
        malformed_findings: Every finding that could not.
    """

    action_arn: str
    action_name: str
    action_description: str
    findings: tuple[Finding, ...]
    malformed_findings: tuple[MalformedItem, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class InsightResultsEvent(EventBridgeEvent):
    """`Security Hub Insight Results`: an analyst pressed a custom action on results of an insight.

    It carries no findings, only how many there are for each value.

    Attributes:
        action_arn: ARN of the custom action; None where `resources` has none, as in the guide's sample.
        action_name: Name when it was pressed; never match on it.
        action_description: Description when it was pressed.
        insight_arn: ARN of the insight.
        insight_name: Name of the insight.
        result_type: The attribute that groups the findings, for example `ResourceAwsIamAccessKeyUserName`.
        number_of_results: `number of results` where the event has it as a number.
        results: Every result that could be read.
        malformed_results: Every result that could not.
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
    """`Security Hub Findings - Imported`: findings were created or updated, by whomever.

    Attributes:
        findings: Every finding that could be read.
        malformed_findings: Every finding that could not.
    """

    findings: tuple[Finding, ...]
    malformed_findings: tuple[MalformedItem, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedFindingsV2Event(EventBridgeEvent):
    """`Findings Imported V2`: the same in OCSF.

    Attributes:
        findings: Every finding that could be read.
        malformed_findings: Every finding that could not.
    """

    findings: tuple[OcsfFinding, ...]
    malformed_findings: tuple[MalformedItem, ...]


FindingsEvent = CustomActionEvent | ImportedFindingsEvent
"""The events that carry findings in the AWS Security Finding Format."""


def explain_no_findings(event: InsightResultsEvent | ImportedFindingsV2Event, *, not_done: str) -> str:
    """Say why an event without findings in the AWS Security Finding Format changes nothing.

    Args:
        event: The event.
        not_done: What therefore was not done, such as `no ticket was opened`.
    """
    return (
        f"{type(event).__name__} has no findings in the AWS Security Finding Format, so {not_done}. In "
        "Security Hub, select findings, not insight results, and press the custom action on those."
    )
