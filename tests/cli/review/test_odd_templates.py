"""Whatever a template has where something else is expected, its review ends without a traceback."""

from __future__ import annotations

import json

from hypothesis import example, given, reject
from hypothesis import strategies as st

from securityhub_actions.cli.assembly import AssemblyError, read_app
from securityhub_actions.cli.review.difference import review
from securityhub_actions.cli.review.markdown import markdown
from tests.hypothesis_profiles import examples

NAMES = {
    "AWS::CloudWatch::Alarm": ["AlarmActions", "ActionsEnabled", "Dimensions"],
    "AWS::Events::Rule": ["EventBusName", "EventPattern", "Name", "State", "Targets", "ScheduleExpression"],
    "AWS::IAM::ManagedPolicy": ["PolicyDocument", "Roles"],
    "AWS::IAM::Policy": ["PolicyDocument", "Roles"],
    "AWS::IAM::Role": ["AssumeRolePolicyDocument", "ManagedPolicyArns", "Policies", "RoleName"],
    "AWS::Lambda::EventInvokeConfig": ["DestinationConfig"],
    "AWS::Lambda::Function": ["Code", "Environment", "FunctionName"],
    "AWS::Lambda::Permission": ["Action", "FunctionName", "Principal", "SourceArn"],
    "AWS::Logs::LogGroup": ["LogGroupName", "RetentionInDays"],
    "AWS::S3::Bucket": ["BucketName", "LifecycleConfiguration", "VersioningConfiguration"],
    "AWS::SecurityHub::ActionTarget": ["Description", "Id", "Name"],
    "AWS::SQS::Queue": ["KmsMasterKeyId", "QueueName", "RedrivePolicy", "SqsManagedSseEnabled"],
    "AWS::SQS::QueuePolicy": ["PolicyDocument", "Queues"],
}
KEYS = [
    *("Action", "Arn", "Condition", "DeadLetterConfig", "Effect", "Id", "NotAction", "PolicyDocument"),
    *("Principal", "Ref", "Resource", "RetryPolicy", "Rules", "Statement", "Status", "Variables"),
]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(0, 9) | st.sampled_from(["*", "A", "{}", "arn:aws:sqs:::A", ""]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=8,
)
RESOURCES = st.dictionaries(
    st.sampled_from("ABCD"),
    st.sampled_from(sorted(NAMES)).flatmap(
        lambda kind: st.fixed_dictionaries(
            {
                "Type": st.just(kind),
                "Properties": st.dictionaries(st.sampled_from(NAMES[kind]), VALUES, max_size=4),
            }
        )
    ),
    max_size=4,
)


def read_or_discard(path):
    """Read an app, or discard the example if it's refused with a reason."""
    try:
        return read_app(path)
    except AssemblyError:
        reject()


def with_condition(condition):
    statement = {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": "*", "Condition": condition}
    properties = {"PolicyDocument": {"Statement": [statement]}, "Roles": ["A"]}
    return {"A": {"Type": "AWS::IAM::Policy", "Properties": properties}}


@examples(3)
@given(RESOURCES, RESOURCES)
@example({}, with_condition(condition=True))
@example(with_condition(condition={"Fn::Unheard": "A"}), with_condition(condition=[1]))
def test_any_template_can_be_reviewed(tmp_path_factory, old, new):
    apps = []
    for resources in (old, new):
        path = tmp_path_factory.mktemp("app") / "S.template.json"
        path.write_text(json.dumps({"Resources": resources}))
        apps.append(read_or_discard(path))
    markdown(review(*apps), title="title")
    markdown(review(None, apps[1]), title="title")


@examples(0.5)
@given(RESOURCES)
def test_a_template_does_not_differ_from_itself(tmp_path_factory, resources):
    path = tmp_path_factory.mktemp("app") / "S.template.json"
    path.write_text(json.dumps({"Resources": resources}))
    app = read_or_discard(path)
    assert review(app, app).notes == []
