"""Permissions are those of the resources that a text refers to, not of those whose names are words in it."""

from __future__ import annotations

import json

from securityhub_actions.cli.assembly import read_app
from securityhub_actions.cli.report.permissions import Permissions
from securityhub_actions.cli.review.names import Names


def policy(kind, who, resource):
    statement = {
        "Effect": "Allow",
        "Action": "sqs:SendMessage",
        "Resource": resource,
        "Principal": {"AWS": who},
    }
    return {"Type": kind, "Properties": {"PolicyDocument": {"Statement": [statement]}}}


def test_a_name_in_a_text_is_no_reference(tmp_path):
    queue = {"Fn::GetAtt": ["Queue", "Arn"]}
    objects = {"Fn::Join": ["", [{"Fn::GetAtt": ["Bucket", "Arn"]}, "/Queue"]]}
    rule = {"EventPattern": {"source": ["aws.securityhub"]}, "Targets": [{"Id": "1", "Arn": queue}]}
    resources = {
        "Bucket": {"Type": "AWS::S3::Bucket"},
        "Queue": {"Type": "AWS::SQS::Queue"},
        "Mine": policy("AWS::SQS::QueuePolicy", "111122223333", queue),
        "Other": policy("AWS::S3::BucketPolicy", "444455556666", objects),
        "Rule": {"Type": "AWS::Events::Rule", "Properties": rule},
    }
    (tmp_path / "S.template.json").write_text(json.dumps({"Resources": resources}))
    app = read_app(tmp_path)
    (stack,), (found,) = app.stacks, app.rules
    assert list(Permissions(stack, Names([app])).of(found)) == ["111122223333"]
