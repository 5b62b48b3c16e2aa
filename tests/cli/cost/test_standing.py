from __future__ import annotations

import json

from securityhub_actions.cli.cost.amounts import Range
from securityhub_actions.cli.cost.standing import metric_items, standing_items


def function(**variables):
    return "AWS::Lambda::Function", {"Environment": {"Variables": variables}}


def quantities(items):
    return {item.name: item.quantity for item in items if item.quantity.high}


def test_alarms_keys_and_queues_that_lambda_polls_are_counted(stack):
    arn = "arn:aws:sqs:eu-west-1:111122223333:queue"
    found = quantities(
        standing_items(
            stack(
                One=("AWS::CloudWatch::Alarm", {}),
                Two=("AWS::CloudWatch::Alarm", {}),
                Key=("AWS::KMS::Key", {}),
                Mapping=("AWS::Lambda::EventSourceMapping", {"EventSourceArn": arn}),
            )
        )
    )
    assert found["Alarms"] == Range(2, 2)
    assert found["KMS keys"] == Range(1, 3)
    assert found["Polling of queues by Lambda"] == Range(2 * 129_600, 5 * 129_600)


def test_each_secret_that_may_be_read_counts_once(stack):
    arn = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:app/jira-??????"
    policy = ("AWS::IAM::Policy", {"PolicyDocument": {"Resource": arn}})
    assert quantities(standing_items(stack(One=policy, Two=policy))) == {"Secrets": Range(1, 1)}


def test_metrics_of_functions_count_with_each_dimension_only_where_they_are_on(stack):
    groups = json.dumps({"payments": ["111122223333"]})
    on = function(OUTCOME_METRICS="on", ACCOUNT_GROUPS=groups)
    assert quantities(metric_items(stack(On=on), 10)) == {"Metrics of functions": Range(3 * 4, 15 * 17)}
    assert quantities(metric_items(stack(Off=function(OUTCOME_METRICS="off")), 10)) == {}


def test_a_secret_that_another_stack_reads_as_well_counts_there(stack):
    arn = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:app/{}-??????"
    policies = {
        name: ("AWS::IAM::Policy", {"PolicyDocument": {"Resource": arn.format(name)}}) for name in ("a", "b")
    }
    assert quantities(standing_items(stack(**policies), ["app/a"])) == {"Secrets": Range(1, 1)}


def test_functions_with_the_same_code_share_their_metrics(stack):
    same, other = (
        ("AWS::Lambda::Function", {"Handler": name, "Environment": {"Variables": {"OUTCOME_METRICS": "on"}}})
        for name in ("same", "other")
    )
    one, two = (
        sum((item.quantity.high for item in metric_items(found, 10)), 0)
        for found in (stack(One=same, Two=same), stack(One=same, Two=same, Three=other))
    )
    assert (one, two) == (15 * 16, 2 * 15 * 16)
