"""The Security Hub API in the terms of `updates`. The only module here that knows boto3."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from invocation import clients
from securityhub.events import Finding, parse_finding
from securityhub.findings.updates import NotUpdated, RequestRefusedError

if TYPE_CHECKING:
    from mypy_boto3_securityhub.client import SecurityHubClient

_CURES: Final = {
    "AccessDeniedException": "Allow securityhub:{operation} in the function's role.",
    "InvalidAccessException": (
        "Enable Security Hub in this account and Region, and allow securityhub:{operation} in the "
        "function's role. Only the administrator account can update findings of other accounts."
    ),
    "InvalidInputException": "Check the text of the note and the findings named here.",
    "LimitExceededException": "Security Hub throttles the account; the event is retried later.",
}


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
        """Update up to 100 distinct findings, and return those that weren't updated.

        Raises:
            RequestRefusedError: Security Hub refused the request or couldn't be reached.
        """
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
            raise _refusal(error, "BatchUpdateFindings") from error
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
        try:
            found = self._client.get_findings(
                Filters={
                    "Id": [{"Value": finding.id, "Comparison": "EQUALS"}],
                    "ProductArn": [{"Value": finding.product_arn, "Comparison": "EQUALS"}],
                },
                MaxResults=1,
            )["Findings"]
        except (ClientError, BotoCoreError) as error:
            raise _refusal(error, "GetFindings") from error
        return parse_finding(found[0]) if found else None


def _refusal(error: ClientError | BotoCoreError, operation: str) -> RequestRefusedError:
    if isinstance(error, ClientError):
        code = error.response["Error"]["Code"]
        cure = _CURES.get(code, "").format(operation=operation)
        return RequestRefusedError(code, f"{error} {cure}".rstrip())
    return RequestRefusedError(type(error).__name__, f"Security Hub could not be reached: {error}")
