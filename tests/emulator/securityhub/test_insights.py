from __future__ import annotations

import pytest

from emulator.securityhub import finding_filters, managed_insights
from tests.emulator.securityhub.account import refused

MANAGED = "arn:aws:securityhub:::insight/securityhub/default"


def test_results_count_each_value_and_put_the_most_frequent_first(account):
    for number, bucket in enumerate(["a", "b", "b"]):
        account.imported(f"finding-{number}", Resources=[{"Type": "AwsS3Bucket", "Id": bucket}])
    insight = account.hub.create_insight(Name="Buckets", Filters={}, GroupByAttribute="ResourceId")
    results = account.hub.get_insight_results(InsightArn=insight["InsightArn"])["InsightResults"]
    assert results["ResultValues"] == [
        {"GroupByAttributeValue": "b", "Count": 2},
        {"GroupByAttributeValue": "a", "Count": 1},
    ]


def test_an_insight_counts_only_what_its_filters_choose(account):
    account.imported("a")
    account.imported("b", Severity={"Label": "LOW"})
    filters = {"SeverityLabel": [{"Value": "LOW", "Comparison": "EQUALS"}]}
    arn = account.hub.create_insight(Name="Low", Filters=filters, GroupByAttribute="Id")["InsightArn"]
    (value,) = account.hub.get_insight_results(InsightArn=arn)["InsightResults"]["ResultValues"]
    assert value["GroupByAttributeValue"] == "b"


def test_an_insight_is_updated_and_deleted(account):
    arn = account.hub.create_insight(Name="Low", Filters={}, GroupByAttribute="Id")["InsightArn"]
    account.hub.update_insight(InsightArn=arn, Name="Renamed")
    (insight,) = account.hub.get_insights(InsightArns=[arn])["Insights"]
    assert (insight["Name"], insight["GroupByAttribute"]) == ("Renamed", "Id")
    account.hub.delete_insight(InsightArn=arn)
    refused("ResourceNotFoundException", account.hub.get_insight_results, InsightArn=arn)


def test_an_unknown_group_by_attribute_is_refused(account):
    refused(
        "InvalidInputException",
        account.hub.create_insight,
        Name="x",
        Filters={},
        GroupByAttribute="Colour",
    )


def test_managed_insights_are_returned_by_their_arns_only(account):
    assert account.hub.get_insights()["Insights"] == []
    (insight,) = account.hub.get_insights(InsightArns=[f"{MANAGED}/10"])["Insights"]
    assert insight["Name"] == "S3 buckets with public write or read permissions"
    assert insight["GroupByAttribute"] == "ResourceId"
    assert insight["Filters"]["Type"] == [{"Value": "Effects/Data Exposure", "Comparison": "PREFIX"}]


def test_a_managed_insight_counts_open_findings(account):
    account.imported("open", Severity={"Label": "HIGH"})
    account.update(account.imported("handled"), Workflow={"Status": "RESOLVED"})
    results = account.hub.get_insight_results(InsightArn=f"{MANAGED}/29")["InsightResults"]
    assert results["ResultValues"] == [{"GroupByAttributeValue": "HIGH", "Count": 1}]


@pytest.mark.parametrize("operation", ["update_insight", "delete_insight"])
def test_a_managed_insight_stays_as_it_is(account, operation):
    refused("ResourceNotFoundException", getattr(account.hub, operation), InsightArn=f"{MANAGED}/1")


@pytest.mark.parametrize(
    "arn", [f"{MANAGED}/2", f"{MANAGED}/x", "arn:aws-cn:securityhub:::insight/securityhub/default/1"]
)
def test_other_arns_are_of_no_managed_insight(account, arn):
    refused("ResourceNotFoundException", account.hub.get_insights, InsightArns=[arn])


def test_every_managed_insight_can_be_evaluated(account):
    for number in managed_insights._INSIGHTS:
        (insight,) = account.hub.get_insights(InsightArns=[f"{MANAGED}/{number}"])["Insights"]
        finding_filters.check(insight["Filters"])
        assert account.hub.get_insight_results(InsightArn=insight["InsightArn"])
