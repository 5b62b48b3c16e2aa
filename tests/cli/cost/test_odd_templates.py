"""Templates in which only a deployment determines what the cost depends on."""

from __future__ import annotations

import json

import pytest

from securityhub_actions.cli.assembly import read_app
from securityhub_actions.cli.cost.amounts import Range
from securityhub_actions.cli.cost.findings import finding_items
from securityhub_actions.cli.cost.items import Use
from securityhub_actions.cli.cost.keys import key_items
from securityhub_actions.cli.cost.standing import metric_items, standing_items
from securityhub_actions.cli.cost.timetables import schedule_item

AMOUNT = Range(1, 10)
USE = Use(findings=100, accounts=1, matching=AMOUNT, tickets=AMOUNT, remediated=AMOUNT, pressed=AMOUNT)
GIVEN = {"Ref": "Given"}
IMPORTED = {"source": ["aws.securityhub"], "detail-type": ["Security Hub Findings - Imported"]}


def resource(kind, **properties):
    return {"Type": kind, "Properties": properties}


def function(**properties):
    return {"Function": resource("AWS::Lambda::Function", **properties)}


def rule(**properties):
    return {"Rule": resource("AWS::Events::Rule", **properties)}


ODD = {
    "memory": function(MemorySize=GIVEN),
    "memory that is no number": function(MemorySize=True),
    "environment": function(Environment=GIVEN),
    "variables": function(Environment={"Variables": {"Fn::If": ["Case", {"A": "b"}, GIVEN]}}),
    "groups": function(Environment={"Variables": {"OUTCOME_METRICS": "on", "ACCOUNT_GROUPS": GIVEN}}),
    "broken groups": function(Environment={"Variables": {"OUTCOME_METRICS": "on", "ACCOUNT_GROUPS": "{a"}}),
    "groups in a list": function(
        Environment={"Variables": {"OUTCOME_METRICS": "on", "ACCOUNT_GROUPS": "[]"}}
    ),
    "bus": function(Environment={"Variables": {"OUTCOME_BUS": GIVEN}}),
    "types": rule(EventPattern={"detail-type": [{"prefix": "Security Hub Findings"}]}),
    "one type": rule(EventPattern={"detail-type": GIVEN}),
    "detail": rule(EventPattern={"detail": GIVEN}),
    "targets": rule(EventPattern=IMPORTED, Targets=GIVEN),
    "rate": rule(ScheduleExpression="rate(0 minutes)", Targets=[{"Id": "1", "Arn": GIVEN}]),
    "schedule": {"Schedule": resource("AWS::Scheduler::Schedule", Target=GIVEN), **function()},
    "mapping": {"Mapping": resource("AWS::Lambda::EventSourceMapping", EventSourceArn=GIVEN), **function()},
    "key": {
        "Queue": resource("AWS::SQS::Queue", KmsMasterKeyId=GIVEN, KmsDataKeyReusePeriodSeconds=GIVEN),
        "Table": resource("AWS::DynamoDB::Table", SSESpecification=GIVEN),
        "Bucket": resource("AWS::S3::Bucket", BucketEncryption=GIVEN),
    },
    **{
        f"retention {number}": {
            "Bucket": resource("AWS::S3::Bucket", LifecycleConfiguration=lifecycle),
            "Stream": resource("AWS::KinesisFirehose::DeliveryStream"),
            **rule(EventPattern=IMPORTED, Targets=[{"Id": "1", "Arn": {"Fn::GetAtt": ["Stream", "Arn"]}}]),
        }
        for number, lifecycle in enumerate(
            [GIVEN, {"Rules": GIVEN}, {"Rules": [GIVEN]}, {"Rules": [{"ExpirationInDays": GIVEN}]}]
        )
    },
}


@pytest.mark.parametrize("resources", ODD.values(), ids=ODD)
def test_what_is_not_known_is_no_error(tmp_path, resources):
    document = {
        "Parameters": {"Given": {"Type": "String"}},
        "Conditions": {"Case": {"Fn::Equals": [GIVEN, "yes"]}},
        "Resources": resources,
    }
    (tmp_path / "Stack.template.json").write_text(json.dumps(document))
    app = read_app(tmp_path)
    used = list(finding_items(app, USE))
    items = [
        *used,
        *(
            item
            for stack in app.stacks
            for item in (
                *standing_items(stack),
                *metric_items(stack, 20),
                schedule_item(stack),
                *key_items(stack, used),
            )
        ),
    ]
    assert all(0 <= item.quantity.low <= item.quantity.high for item in items)
