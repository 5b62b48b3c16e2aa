"""Insights and their findings through a boto3 client, in the terms of `insights`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from securityhub.findings.insight_filters import Filters
from securityhub.findings.insights import Insight, InsightNotResolvedError

if TYPE_CHECKING:
    from mypy_boto3_securityhub.client import SecurityHubClient

# A retry doesn't help. What fails for a while is raised as it is, so that the event is retried.
_CURES: Final = {
    "AccessDeniedException": "Allow securityhub:GetInsights and GetFindings in the function's role",
    "InvalidAccessException": "Enable Security Hub CSPM in the account and Region of the press",
    "InvalidInputException": "Check the filters of the insight",
    "ResourceNotFoundException": "The insight was deleted: choose the findings in another one",
}
# The most severe first, so that a limit leaves out the least severe of each request.
_ORDER: Final = ({"Field": "SeverityNormalized", "SortOrder": "desc"},)
_PAGE: Final = 100


class InsightReader:
    """Reads insights and findings of this account and Region.

    Source: https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_GetInsights.html
    Source: https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_GetFindings.html
    """

    def __init__(self, client: SecurityHubClient) -> None:
        self._client = client

    def insight(self, arn: str) -> Insight:
        """Return an insight. Those that AWS manages are returned only for their ARN.

        Raises:
            InsightNotResolvedError: It doesn't exist, or this function must not read it.
        """
        found = self._ask("get_insights", InsightArns=[arn])["Insights"]
        if not found:
            raise InsightNotResolvedError(
                f"The insight {arn} doesn't exist. {_CURES['ResourceNotFoundException']}."
            )
        return Insight(filters=found[0]["Filters"], group_by_attribute=found[0]["GroupByAttribute"])

    def findings(self, filters: Filters) -> Iterator[Sequence[Mapping[str, Any]]]:
        """Yield the findings that match filters, in pages, the most severe first.

        Raises:
            InsightNotResolvedError: Security Hub doesn't accept the filters.
        """
        more: dict[str, str] = {}
        while True:
            answer = self._ask(
                "get_findings", Filters=filters, SortCriteria=list(_ORDER), MaxResults=_PAGE, **more
            )
            yield answer["Findings"]
            if not answer.get("NextToken"):
                return
            more = {"NextToken": answer["NextToken"]}

    def _ask(self, operation: str, **request: Any) -> Mapping[str, Any]:  # noqa: ANN401 - parameters
        try:
            answer: Mapping[str, Any] = getattr(self._client, operation)(**request)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code not in _CURES:
                raise
            raise InsightNotResolvedError(f"{error}. {_CURES[code]}.") from error
        return answer
