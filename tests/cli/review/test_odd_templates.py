"""Whatever a template has where something else is expected, its review ends without a traceback."""

from __future__ import annotations

import json

import pytest
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


def stacks_with_one_name(folder, retentions, accounts=None):
    """An app with a stack of the same name in each Region, whose queue keeps messages for so many seconds."""
    folder.mkdir()
    artifacts = {}
    for region, retention in retentions.items():
        queue = {"Type": "AWS::SQS::Queue", "Properties": {"MessageRetentionPeriod": retention}}
        (folder / f"{region}.template.json").write_text(json.dumps({"Resources": {"Queue": queue}}))
        artifacts[region] = {
            "type": "aws:cloudformation:stack",
            "environment": f"aws://{(accounts or {}).get(region, '111122223333')}/{region}",
            "properties": {"templateFile": f"{region}.template.json", "stackName": "Same"},
        }
    (folder / "manifest.json").write_text(json.dumps({"artifacts": artifacts}))
    return folder


@pytest.mark.parametrize("changed", ["eu-west-1", "us-east-1"])
def test_a_change_is_named_in_whichever_region_a_stack_of_the_same_name_has_it(cli, tmp_path, changed):
    base = {"eu-west-1": 1_209_600, "us-east-1": 1_209_600}
    before = stacks_with_one_name(tmp_path / "before", base)
    after = stacks_with_one_name(tmp_path / "after", {**base, changed: 60})
    ran = cli("review", before, "--template", after)
    assert (ran.code, "1209600 -> 60" in ran.out.replace(",", "")) == (1, True), ran.out
    same = cli("review", before, "--template", before)
    assert same.code == 0, same.out


def test_a_stack_that_is_no_longer_in_a_region_is_named(cli, tmp_path):
    base = {"eu-west-1": 60, "us-east-1": 60}
    before = stacks_with_one_name(tmp_path / "before", base)
    after = stacks_with_one_name(tmp_path / "after", {"us-east-1": 60})
    ran = cli("review", before, "--template", after)
    assert (ran.code, "Same" in ran.out) == (1, True), ran.out


def test_a_stack_whose_account_is_now_known_is_the_same(cli, tmp_path):
    retentions = {"eu-west-1": 60}
    before = stacks_with_one_name(tmp_path / "before", retentions, {"eu-west-1": "unknown-account"})
    after = stacks_with_one_name(tmp_path / "after", retentions)
    ran = cli("review", before, "--template", after)
    assert "removed" not in ran.out, ran.out
