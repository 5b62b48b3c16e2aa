from __future__ import annotations

import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from securityhub.findings.client import create_client
from securityhub.findings.insight_reader import InsightReader
from securityhub.findings.insights import Insight, InsightNotResolvedError

ARN = "arn:aws:securityhub:::insight/securityhub/default/10"
FILTERS = {"ResourceId": [{"Value": "a", "Comparison": "EQUALS"}]}
ORDER = [{"Field": "SeverityNormalized", "SortOrder": "desc"}]


@pytest.fixture
def stubbed():
    client = create_client()
    with Stubber(client) as stubber:
        yield InsightReader(client), stubber


def test_an_insight_is_read_by_its_arn(stubbed):
    reader, stubber = stubbed
    insight = {"InsightArn": ARN, "Name": "Buckets", "Filters": FILTERS, "GroupByAttribute": "ResourceId"}
    stubber.add_response("get_insights", {"Insights": [insight]}, {"InsightArns": [ARN]})
    assert reader.insight(ARN) == Insight(filters=FILTERS, group_by_attribute="ResourceId")


def test_findings_come_in_pages_the_most_severe_first(stubbed):
    reader, stubber = stubbed
    request = {"Filters": FILTERS, "SortCriteria": ORDER, "MaxResults": 100}
    stubber.add_response("get_findings", {"Findings": [], "NextToken": "next"}, request)
    stubber.add_response("get_findings", {"Findings": []}, request | {"NextToken": "next"})
    assert list(reader.findings(FILTERS)) == [[], []]


def test_an_insight_that_is_not_returned_does_not_exist(stubbed):
    reader, stubber = stubbed
    stubber.add_response("get_insights", {"Insights": []})
    with pytest.raises(
        InsightNotResolvedError, match=f"The insight {ARN} doesn't exist. The insight was del"
    ):
        reader.insight(ARN)


@pytest.mark.parametrize(
    ("code", "cure"),
    [
        ("ResourceNotFoundException", "choose the findings in another one"),
        ("AccessDeniedException", "Allow securityhub:GetInsights and GetFindings in the function's role"),
        ("InvalidAccessException", "Enable Security Hub CSPM"),
        ("InvalidInputException", "Check the filters of the insight"),
    ],
)
def test_what_no_retry_helps_against_is_explained(stubbed, code, cure):
    reader, stubber = stubbed
    stubber.add_client_error("get_insights", code, "Because")
    with pytest.raises(InsightNotResolvedError, match=cure):
        reader.insight(ARN)


def test_what_fails_for_a_while_is_raised_as_it_is(stubbed):
    reader, stubber = stubbed
    stubber.add_client_error("get_findings", "LimitExceededException")
    with pytest.raises(ClientError, match="LimitExceeded"):
        list(reader.findings(FILTERS))
