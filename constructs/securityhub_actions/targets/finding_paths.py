"""The paths of the main attributes of an event's first finding, in both Security Hub finding formats.

The events of `EachFinding` have a summary with the same attributes for all kinds of events.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from securityhub_actions.arguments import checked_fields
from securityhub_actions.targets.json_input import InputPath

_FIRST: Final = "$.detail.findings[0]"
SUMMARY: Final = "$.detail.summary"
DEDUPLICATION: Final = InputPath(f"{SUMMARY}.opsItemDedup")
"""The deduplication string of an OpsItem about the finding."""


@checked_fields
@dataclass(frozen=True, slots=True, kw_only=True)
class FindingPaths:
    """The paths of a finding's attributes.

    They are attributes that Security Hub sets in every finding, because the input isn't valid JSON if a path
    doesn't exist in the event.

    Attributes:
        title: The title, up to 256 characters in ASFF.
        description: The description, up to 1,024 characters in ASFF.
        severity: The severity label, such as `CRITICAL` in ASFF and `Critical` in OCSF.
        account: The 12-digit ID of the account that the finding is about.
        finding_id: The finding's identifier, usually an ARN.
        product: The ARN of the product that generated the finding.
        resource_type: The type of the first resource.
        resource: The identifier of the first resource.
        event_key: What identifies the event, the same if it is sent again.
        issue_key: What identifies the finding in up to 255 characters. None: `finding_id`.
        account_name: The name of the account, or `-`. Only with `EachFinding`, as the following are.
        region: The Region of the finding.
        control: The ID of the security control, such as `S3.8`, or `-`.
        link: The URL of the finding in the console of Security Hub CSPM.
        text: All of this in lines, such as `Severity: CRITICAL`.
    """

    title: InputPath
    description: InputPath
    severity: InputPath
    account: InputPath
    finding_id: InputPath
    product: InputPath
    resource_type: InputPath
    resource: InputPath
    event_key: InputPath = InputPath("$.id")  # noqa: RUF009 - it's immutable
    issue_key: InputPath | None = None
    account_name: InputPath | None = None
    region: InputPath | None = None
    control: InputPath | None = None
    link: InputPath | None = None
    text: InputPath | None = None

    @property
    def facts(self) -> list[tuple[str, InputPath]]:
        """Labels and values of the attributes that not every event has, except for the link and the text."""
        named = (
            ("Account name", self.account_name),
            ("Region", self.region),
            ("Control", self.control),
        )
        return [(label, path) for label, path in named if path is not None]


ASFF: Final = FindingPaths(
    title=InputPath(f"{_FIRST}.Title"),
    description=InputPath(f"{_FIRST}.Description"),
    severity=InputPath(f"{_FIRST}.Severity.Label"),
    account=InputPath(f"{_FIRST}.AwsAccountId"),
    finding_id=InputPath(f"{_FIRST}.Id"),
    product=InputPath(f"{_FIRST}.ProductArn"),
    resource_type=InputPath(f"{_FIRST}.Resources[0].Type"),
    resource=InputPath(f"{_FIRST}.Resources[0].Id"),
)
"""Source: https://docs.aws.amazon.com/securityhub/latest/userguide/asff-required-attributes.html"""

OCSF: Final = FindingPaths(
    title=InputPath(f"{_FIRST}.finding_info.title"),
    description=InputPath(f"{_FIRST}.finding_info.desc"),
    severity=InputPath(f"{_FIRST}.severity"),
    account=InputPath(f"{_FIRST}.cloud.account.uid"),
    finding_id=InputPath(f"{_FIRST}.finding_info.uid"),
    product=InputPath(f"{_FIRST}.metadata.product.uid"),
    resource_type=InputPath(f"{_FIRST}.resources[0].type"),
    resource=InputPath(f"{_FIRST}.resources[0].uid"),
)
"""Source: https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-ocsf-findings.html"""

TAKEN_APART: Final = FindingPaths(
    title=InputPath(f"{SUMMARY}.title"),
    description=InputPath(f"{SUMMARY}.description"),
    severity=InputPath(f"{SUMMARY}.severity"),
    account=InputPath(f"{SUMMARY}.account"),
    finding_id=InputPath(f"{SUMMARY}.findingId"),
    product=InputPath(f"{SUMMARY}.product"),
    resource_type=InputPath(f"{SUMMARY}.resourceType"),
    resource=InputPath(f"{SUMMARY}.resource"),
    event_key=InputPath(f"{SUMMARY}.key"),
    issue_key=InputPath(f"{SUMMARY}.issue"),
    account_name=InputPath(f"{SUMMARY}.accountName"),
    region=InputPath(f"{SUMMARY}.region"),
    control=InputPath(f"{SUMMARY}.control"),
    link=InputPath(f"{SUMMARY}.link"),
    text=InputPath(f"{SUMMARY}.text"),
)
"""The summary in the events of `EachFinding`, which has each member as a text that isn't empty."""
