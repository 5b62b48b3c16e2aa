from __future__ import annotations

from tests.emulator.securityhub.account import refused


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
