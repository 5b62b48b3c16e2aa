"""The API of the new Security Hub, whose findings are in OCSF, in the terms of `updates`.

Source: https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_BatchUpdateFindingsV2.html
Source: https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_GetFindingsV2.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from securityhub.events import Finding, parse_finding_v2
from securityhub.findings.refusals import refusal
from securityhub.findings.updates import NotUpdated

if TYPE_CHECKING:
    from mypy_boto3_securityhub.client import SecurityHubClient

# BatchUpdateFindingsV2 sets `status` to the name that belongs to the number.
_STATUS_IDS: Final = {"NEW": 1, "NOTIFIED": 2, "SUPPRESSED": 3, "RESOLVED": 4}


def update_findings(
    client: SecurityHubClient,
    findings: Sequence[Finding],
    *,
    workflow_status: str | None,
    comment: str | None,
) -> Sequence[NotUpdated]:
    """Update up to 100 distinct findings, and return those that weren't updated.

    Args:
        client: A Security Hub client.
        findings: Findings in OCSF.
        workflow_status: The new status in the terms of ASFF; None leaves it unchanged.
        comment: The comment, 1 to 512 characters, which replaces the present one; None leaves it unchanged.

    Raises:
        RequestRefusedError: Security Hub refused the request or couldn't be reached.
    """
    more: dict[str, Any] = {}
    if comment is not None:
        more["Comment"] = comment
    if workflow_status:
        more["StatusId"] = _STATUS_IDS[workflow_status]
    by_uid = {str(finding.metadata_uid): finding for finding in findings}
    try:
        # The API takes either MetadataUids or FindingIdentifiers.
        response = client.batch_update_findings_v2(MetadataUids=list(by_uid), **more)
    except (ClientError, BotoCoreError) as error:
        raise refusal(error, "BatchUpdateFindings", is_v2=True) from error
    return [
        NotUpdated(
            finding=finding,
            error_code=item.get("ErrorCode", "Unknown"),
            error_message=item.get("ErrorMessage", "Security Hub gave no reason"),
        )
        for item in response["UnprocessedFindings"]
        for finding in _meant_by(item, findings, by_uid)
    ]


def _meant_by(
    item: Mapping[str, Any], findings: Sequence[Finding], by_uid: Mapping[str, Finding]
) -> Sequence[Finding]:
    """Return the finding that wasn't processed. If the API doesn't say which one, it may be any of them."""
    if finding := by_uid.get(item.get("MetadataUid", "")):
        return [finding]
    named = item.get("FindingIdentifier", {})
    identity = (named.get("MetadataProductUid"), named.get("FindingInfoUid"), named.get("CloudAccountUid"))
    return [
        finding
        for finding in findings
        if (finding.product_uid, finding.id, finding.aws_account_id) == identity
    ] or findings


def get_finding(client: SecurityHubClient, finding: Finding) -> Finding | None:
    """Return the current state of a finding, or None if it doesn't exist.

    Raises:
        RequestRefusedError: Security Hub refused the request or couldn't be reached.
        MalformedEventError: The finding can't be read.
    """
    wanted = {
        "finding_info.uid": finding.id,
        "metadata.product.uid": finding.product_uid,
        "cloud.account.uid": finding.aws_account_id,
    }
    filters: Any = [
        {"FieldName": name, "Filter": {"Value": value, "Comparison": "EQUALS"}}
        for name, value in wanted.items()
    ]
    try:
        found = client.get_findings_v2(
            Filters={"CompositeFilters": [{"StringFilters": filters, "Operator": "AND"}]}, MaxResults=1
        )["Findings"]
    except (ClientError, BotoCoreError) as error:
        raise refusal(error, "GetFindings", is_v2=True) from error
    return parse_finding_v2(found[0]) if found else None
