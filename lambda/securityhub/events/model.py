"""The contents of the events, as plain values. `parser` creates them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum, auto
from typing import Any, ClassVar, Final, TypeGuard

from securityhub.events import asff_contents, ocsf_contents
from securityhub.events.contents import Contents, Note, VulnerablePackage

# Every account that a partner's product is integrated with imports findings under this ARN, which has no
# account. https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-findings-providers.html
_PRODUCT_OF_PARTNER: Final = re.compile(r"arn:[^:]+:securityhub:[^:]*::product/(?!aws/)")
_PRODUCT_V2: Final = re.compile(r"^(arn:[^:]+:securityhub:[^:]*:[^:]*:)productv2/")
# So that a note has room for the rest.
_MAX_NAME_CHARACTERS: Final = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """A resource that a finding is about.

    Attributes:
        type: The resource type, such as `AwsS3Bucket`; None if the provider omitted it.
        id: The ARN or another canonical identifier of the resource, as in ASFF.
        region: The Region of the resource, or None if it has none.
    """

    type: str | None
    id: str
    region: str | None


class Format(StrEnum):
    """The format of a finding, and so the Security Hub that has it.

    Attributes:
        ASFF: The AWS Security Finding Format, of Security Hub CSPM.
        OCSF: The Open Cybersecurity Schema Framework, of the new Security Hub.
    """

    ASFF = auto()
    OCSF = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A finding of Security Hub CSPM (ASFF) or of the new Security Hub (OCSF), in the terms of ASFF.

    `id` and `product_arn` together identify it, in both formats alike: what both hubs report about one issue
    is one finding here, with one `identity`. Only those two and `aws_account_id` are required (in OCSF also
    `metadata.uid`); a finding that lacks a descriptive field can still be acted on.

    Attributes:
        id: `Id`; in OCSF `finding_info.uid`, which is the same.
        product_arn: `ProductArn`; in OCSF, what follows from `metadata.product.uid`.
        aws_account_id: `AwsAccountId`, the account of the finding, which can differ from the event's; in OCSF
            `cloud.account.uid`.
        region: `Region` or `cloud.region`. If the finding has none, the Region of its resources or of its
            product; empty if these have none either.
        generator_id: `GeneratorId`; in OCSF the name or ID of `finding_info.analytic`.
        title: `Title` or `finding_info.title`.
        severity_label: `Severity.Label`, such as `CRITICAL`, which stands for OCSF's Fatal, too.
        workflow_status: `Workflow.Status` when the event was sent, such as `NEW`; in OCSF, what `status`
            stands for. None for an OCSF status without counterpart.
        record_state: `RecordState`, `ACTIVE` or `ARCHIVED`, which is a closed finding in OCSF.
        compliance_status: `Compliance.Status`, such as `FAILED`.
        resources: `Resources`, in their order.
        updated_at: `UpdatedAt` or `finding_info.modified_time_dt`, with its time zone. Only the provider of
            the finding changes it.
        raw: The whole finding as received; not in `repr`, so that it isn't logged by accident.
        format: The format of `raw`. Default: ASFF.
        product_uid: `metadata.product.uid` in OCSF, else None.
        metadata_uid: `metadata.uid` in OCSF, by which BatchUpdateFindingsV2 identifies the finding.
        written_note: The note that was written to the finding since it was received, if it's known.

    Source: https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_AwsSecurityFinding.html
    Source: https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-ocsf-findings.html
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
    format: Format = Format.ASFF
    product_uid: str | None = None
    metadata_uid: str | None = None
    written_note: Note | None = field(default=None, repr=False)

    @classmethod
    def identified(cls, *, id_: str, product: str, account: str) -> Finding:
        """Return a finding of which no more is known than what identifies it, to be read from Security Hub.

        Args:
            id_: Its ID.
            product: The `ProductArn` of a finding in ASFF, or the `metadata.product.uid` of one in OCSF.
            account: The account of the finding.
        """
        product_arn = asff_product_arn(product)
        is_ocsf = product_arn != product
        return cls(
            id=id_,
            product_arn=product_arn,
            aws_account_id=account,
            region="",
            generator_id=None,
            title=None,
            severity_label=None,
            workflow_status=None,
            record_state=None,
            compliance_status=None,
            resources=(),
            updated_at=None,
            raw={},
            format=Format.OCSF if is_ocsf else Format.ASFF,
            product_uid=product if is_ocsf else None,
        )

    @property
    def identity(self) -> tuple[str, str]:
        """`product_arn` and `id`."""
        return self.product_arn, self.id

    @property
    def digest(self) -> str:
        """64 hexadecimal digits that identify the finding where its identity is too long.

        Of a partner's product, also among accounts: each can import a finding with the ID of another's.
        """
        is_of_partner = _PRODUCT_OF_PARTNER.match(self.product_arn)
        parts = (*self.identity, self.aws_account_id) if is_of_partner else self.identity
        # JSON can have half of a character, with which one finding would keep all others from their notes.
        return hashlib.sha256("\n".join(parts).encode(errors="surrogatepass")).hexdigest()

    @property
    def is_ocsf(self) -> bool:
        """Whether it's a finding of the new Security Hub."""
        return self.format is Format.OCSF

    @property
    def control(self) -> str | None:
        """The ID of the security control that it names, such as `S3.8`."""
        return self._contents.control(self.raw)

    @property
    def control_parameters(self) -> object:
        """The parameters of the control as ASFF has them, if they are as documented."""
        return self._contents.control_parameters(self.raw)

    @property
    def account_name(self) -> str | None:
        """The name of its account."""
        return self._contents.account_name(self.raw)

    @property
    def created_at(self) -> datetime | None:
        """When the provider created it, with its time zone."""
        return self._contents.created_at(self.raw)

    @property
    def description(self) -> str | None:
        """The description."""
        return self._contents.description(self.raw)

    @property
    def first_type(self) -> str | None:
        """The first of the finding types."""
        return self._contents.first_type(self.raw)

    @property
    def recommendation(self) -> tuple[str | None, str | None]:
        """What to do about it, and the link to instructions."""
        return self._contents.recommendation(self.raw)

    @property
    def note(self) -> Note | None:
        """The note, or the comment in OCSF."""
        return self.written_note or self._contents.note(self.raw)

    @property
    def user_defined_fields(self) -> Mapping[str, str]:
        """The user-defined fields, which OCSF doesn't have."""
        return self._contents.user_defined_fields(self.raw)

    @property
    def vulnerable_packages(self) -> list[VulnerablePackage]:
        """The vulnerabilities, each with one of the packages that have it."""
        return self._contents.vulnerable_packages(self.raw)

    def tags_of(self, resource: str) -> dict[str, str]:
        """Return the tags of a resource by its ID, which are as old as the finding."""
        found: dict[str, str] = {}
        for one in self._resources(resource):
            found |= self._contents.tags(one)
        return found

    def details_of(self, resource: Resource) -> Mapping[str, Any]:
        """Return the details of a resource as ASFF has them for its type, as far as the finding has them."""
        found = next(iter(self._resources(resource.id)), {})
        return self._contents.details(found, resource.type)

    def _resources(self, id_: str) -> list[Mapping[str, object]]:
        ids = [one.id for one in self.resources]
        return [one for own, one in self._contents.resources(self.raw, ids) if own == id_]

    @property
    def _contents(self) -> Contents:
        return ocsf_contents if self.is_ocsf else asff_contents


def asff_product_arn(product: str) -> str:
    """Return the `ProductArn` in ASFF for a `metadata.product.uid` in OCSF, and everything else as it is.

    The two differ only in `productv2`. AWS's own Automated Security Response converts them the same way.

    Source: https://github.com/aws-solutions/automated-security-response-on-aws
    """
    return _PRODUCT_V2.sub(r"\1product/", product)


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
        is_decision: Whether nobody pressed it now: it's a decision about what was asked for before.
    """

    is_decision: ClassVar[bool] = False

    action_arn: str
    action_name: str
    action_description: str
    findings: tuple[Finding, ...]
    malformed_findings: tuple[MalformedItem, ...]

    @property
    def action_id(self) -> str:
        """The ID of the custom action, the last part of its ARN."""
        return self.action_arn.rpartition("/")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class InsightFindingsEvent(CustomActionEvent):
    """An `InsightResultsEvent` whose findings were determined: a press on all findings of its results.

    Attributes:
        insight_arn: The ARN of the insight.
        insight_name: Its name when the action was pressed.
        results: The number of results that were selected and can be read.
        counted: The number of findings that the insight counted for them. A finding with several of the
            values counts several times.
        is_cut: Whether there are more findings than a press may have, which `findings` lacks.
        settled_since: The identities of those that somebody has settled since an earlier attempt.
    """

    insight_arn: str
    insight_name: str
    results: int
    counted: int
    is_cut: bool
    settled_since: frozenset[tuple[str, str]] = frozenset()

    @property
    def selection(self) -> str:
        """What was selected, for a note: `2 results of the insight "..."`, and what was cut."""
        name = self.insight_name[:_MAX_NAME_CHARACTERS]
        selection = f'{self.results} result{"" if self.results == 1 else "s"} of the insight "{name}"'
        if not self.is_cut:
            return selection
        return f"{selection} (only {len(self.findings)} of about {self.counted} findings)"


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

    findings: tuple[Finding, ...]
    malformed_findings: tuple[MalformedItem, ...]


FindingsEvent = CustomActionEvent | ImportedFindingsEvent | ImportedFindingsV2Event
"""The events that contain findings."""


def is_press(event: FindingsEvent) -> TypeGuard[CustomActionEvent]:
    """Whether a custom action was pressed. What a rule asked for, and is done later, has an empty ARN."""
    return isinstance(event, CustomActionEvent) and bool(event.action_arn)
