from __future__ import annotations

import pytest

from emulator.launching import EmulatorError
from tests.emulator.securityhub.account import REGION


def test_20_findings_travel_in_one_event(account):
    findings = [account.imported(f"finding-{number}") for number in range(20)]
    action = account.action()
    receive = account.listen()
    answer = account.press(action_arn=action, findings=findings)
    (event,) = receive(1)
    assert answer == {"event_ids": [event["id"]], "events": [event]}
    assert event["detail-type"] == "Security Hub Findings - Custom Action"
    assert event["resources"] == [action]
    assert event["detail"]["actionName"] == "Suppress"
    assert event["detail"]["actionDescription"] == "Suppress the finding"
    assert [finding["Id"] for finding in event["detail"]["findings"]] == [
        finding["Id"] for finding in findings
    ]


def test_each_finding_travels_alone_when_asked(account):
    findings = [account.imported(f"finding-{number}") for number in range(3)]
    answer = account.press(action_arn=account.action(), findings=findings, one_event_per_finding=True)
    assert [len(event["detail"]["findings"]) for event in answer["events"]] == [1, 1, 1]


def test_a_finding_is_named_by_its_id_or_by_its_whole_arn(account):
    account.imported()
    action = account.action()
    for arn in ("finding-1", f"{account.product_arn}/finding-1"):
        (event,) = account.press(action_arn=action, finding_arns=[arn])["events"]
        assert event["detail"]["findings"] == [account.stored()]


def test_100_insight_results_travel_without_findings(account):
    batch = [account.finding(f"finding-{number:03}") for number in range(100)]
    account.hub.batch_import_findings(Findings=batch)
    insight = account.hub.create_insight(Name="By id", Filters={}, GroupByAttribute="Id")["InsightArn"]
    action = account.action()
    (event,) = account.press(action_arn=action, insight_arn=insight)["events"]
    assert event["detail-type"] == "Security Hub Insight Results"
    assert event["resources"] == [action]
    assert event["detail"].keys() == {
        "actionName",
        "actionDescription",
        "insightArn",
        "insightName",
        "resultType",
        "insightResults",
    }
    assert event["detail"]["resultType"] == "Id"
    assert len(event["detail"]["insightResults"]) == 100
    assert event["detail"]["insightResults"][0] == {"finding-000": 1}


def test_only_the_selected_results_travel(account):
    account.imported("a")
    account.imported("b")
    insight = account.hub.create_insight(Name="By id", Filters={}, GroupByAttribute="Id")["InsightArn"]
    (event,) = account.press(action_arn=account.action(), insight_arn=insight, result_values=["b"])["events"]
    assert event["detail"]["insightResults"] == [{"b": 1}]


@pytest.mark.parametrize(
    ("selection", "status", "reason"),
    [
        ({}, 400, "Select either findings or an insight"),
        ({"finding_arns": ["finding-1"], "insight_arn": "x"}, 400, "Select either"),
        ({"finding_arns": ["finding-1"] * 21}, 400, "up to 20 findings"),
        ({"finding_arns": ["other"]}, 404, "Finding other does not exist"),
        ({"finding_arns": "finding-1"}, 400, "finding_arns must be a list"),
        ({"findings": [{"Id": "finding-1"}]}, 400, "ProductArn must be a text"),
        ({"insight_arn": "x"}, 404, "Insight x does not exist"),
        ({"finding_arns": ["finding-1"], "action_arn": "x"}, 404, "Action target x does not exist"),
        ({"finding_arns": ["finding-1"], "account": " "}, 400, "account must be a text"),
    ],
)
def test_a_press_that_cannot_be_is_refused(account, selection, status, reason):
    account.imported()
    with pytest.raises(EmulatorError, match=reason) as caught:
        account.press(**({"action_arn": account.action()} | selection))
    assert f"failed with {status}" in str(caught.value)


def test_two_products_with_the_same_finding_id_need_the_product(account):
    account.imported()
    account.imported(ProductArn=f"arn:aws:securityhub:{REGION}::product/aws/guardduty")
    with pytest.raises(EmulatorError, match="2 products have a finding finding-1"):
        account.press(action_arn=account.action(), finding_arns=["finding-1"])


def test_an_unknown_result_is_not_found(account):
    insight = account.hub.create_insight(Name="By id", Filters={}, GroupByAttribute="Id")["InsightArn"]
    with pytest.raises(EmulatorError, match="has no result 'x'"):
        account.press(action_arn=account.action(), insight_arn=insight, result_values=["x"])


def test_nothing_can_be_pressed_without_a_hub(unsubscribed):
    with pytest.raises(EmulatorError, match="is not subscribed"):
        unsubscribed.press(action_arn="x", finding_arns=["y"])
