"""The Security Hub API in the terms of `updates`. With `client_v2`, the only module here that knows boto3."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from invocation import clients
from securityhub.events import Finding, parse_finding
from securityhub.findings import client_v2
from securityhub.findings.refusals import refusal
from securityhub.findings.updates import NotUpdated

if TYPE_CHECKING:
    from mypy_boto3_securityhub.client import SecurityHubClient


def create_client() -> SecurityHubClient:
    """Create the client for the function's own Region. Call this once per container.

    That Region is right for findings from linked Regions as well: cross-Region aggregation replicates updates
    to the Region of the finding.
    """
    client: SecurityHubClient = clients.create_client("securityhub")
    return client


class SecurityHub:
    """Reads and updates findings through a boto3 client.

    Source: https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_BatchUpdateFindings.html
    Source: https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_GetFindings.html
    """

    def __init__(self, client: SecurityHubClient) -> None:
        self._client = client

    def batch_update_findings(
        self,
        findings: Sequence[Finding],
        *,
        workflow_status: str | None,
        note_text: str | None,
        note_updated_by: str,
        user_defined_fields: Mapping[str, str] | None = None,
    ) -> Sequence[NotUpdated]:
        """Update up to 100 distinct findings of one format, and return those that weren't updated.

        Raises:
            RequestRefusedError: Security Hub refused the request or couldn't be reached.
        """
        if findings and findings[0].is_ocsf:
            return client_v2.update_findings(
                self._client, findings, workflow_status=workflow_status, comment=note_text
            )
        more: dict[str, Any] = {}
        if note_text is not None:
            more["Note"] = {"Text": note_text, "UpdatedBy": note_updated_by}
        if workflow_status:
            more["Workflow"] = {"Status": workflow_status}
        if user_defined_fields is not None:
            more["UserDefinedFields"] = dict(user_defined_fields)
        try:
            response = self._client.batch_update_findings(
                FindingIdentifiers=[{"Id": item.id, "ProductArn": item.product_arn} for item in findings],
                **more,
            )
        except (ClientError, BotoCoreError) as error:
            raise refusal(error, "BatchUpdateFindings") from error
        by_identifier = {item.identity: item for item in findings}
        return [
            NotUpdated(
                finding=by_identifier[
                    item["FindingIdentifier"]["ProductArn"], item["FindingIdentifier"]["Id"]
                ],
                error_code=item["ErrorCode"],
                error_message=item["ErrorMessage"],
            )
            for item in response["UnprocessedFindings"]
        ]

    def get_finding(self, finding: Finding) -> Finding | None:
        """Return the current state of a finding, or None if it doesn't exist.

        It can take minutes until an update is visible, and the API allows only three requests per second.

        Raises:
            RequestRefusedError: Security Hub refused the request or couldn't be reached.
            MalformedEventError: The finding can't be read.
        """
        if finding.is_ocsf:
            return client_v2.get_finding(self._client, finding)
        try:
            found = self._client.get_findings(
                Filters={
                    "Id": [{"Value": finding.id, "Comparison": "EQUALS"}],
                    "ProductArn": [{"Value": finding.product_arn, "Comparison": "EQUALS"}],
                    # Another account may have a finding of the same product with this ID.
                    "AwsAccountId": [{"Value": finding.aws_account_id, "Comparison": "EQUALS"}],
                },
                MaxResults=1,
            )["Findings"]
        except (ClientError, BotoCoreError) as error:
            raise refusal(error, "GetFindings") from error
        return parse_finding(found[0]) if found else None
