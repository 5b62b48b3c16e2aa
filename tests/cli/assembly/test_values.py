"""What the intrinsic functions of a template resolve to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from securityhub_actions.cli.assembly.values import Values, partition_of, shown, split, unknown

TEMPLATE = {
    "Parameters": {
        "Given": {"Type": "String", "Default": "default"},
        "Asked": {"Type": "String"},
        "Stored": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/name"},
        "Listed": {"Type": "CommaDelimitedList", "Default": "a, b"},
    },
    "Mappings": {"Sizes": {"prod": {"size": "big"}}},
    "Conditions": {
        "Yes": {"Fn::Equals": ["a", "a"]},
        "No": {"Fn::Not": [{"Condition": "Yes"}]},
        "Open": {"Fn::Equals": [{"Ref": "Asked"}, "a"]},
        "YesAndOpen": {"Fn::And": [{"Condition": "Yes"}, {"Condition": "Open"}]},
        "NoAndOpen": {"Fn::And": [{"Condition": "No"}, {"Condition": "Open"}]},
        "YesOrOpen": {"Fn::Or": [{"Condition": "Yes"}, {"Condition": "Open"}]},
        "Circle": {"Fn::Not": [{"Condition": "Circle"}]},
        "Number": {"Fn::Equals": [1, "1"]},
    },
    "Resources": {
        "Queue": {"Type": "AWS::SQS::Queue"},
        "Named": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": {"Ref": "Given"}}},
        "Topic": {"Type": "AWS::SNS::Topic"},
        "Rule": {"Type": "AWS::Events::Rule", "Properties": {"EventBusName": {"Ref": "Bus"}}},
        "Bus": {"Type": "AWS::Events::EventBus", "Properties": {"Name": "own"}},
        "Odd": {"Type": "Example::Odd::Type"},
        "Left": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": {"Ref": "Right"}}},
        "Right": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": {"Ref": "Left"}}},
        "Native": {"Type": "AWS::SecurityHub::ActionTarget", "Properties": {"Id": "Native"}},
        "Custom": {"Type": "Custom::SecurityHubActionTarget", "Properties": {"Id": "Custom"}},
    },
}
ARN = "arn:aws:{}:eu-west-1:111122223333:{}"


def values(template=TEMPLATE, *, account="111122223333", region="eu-west-1", stack="Stack", **more):
    return Values(template, stack=stack, account=account, region=region, **more)


def if_(condition):
    return {"Fn::If": [condition, "yes", "no"]}


RESOLVED = [
    ({"Ref": "AWS::AccountId"}, "111122223333"),
    ({"Ref": "AWS::Region"}, "eu-west-1"),
    ({"Ref": "AWS::Partition"}, "aws"),
    ({"Ref": "AWS::StackName"}, "Stack"),
    ({"Ref": "AWS::URLSuffix"}, "amazonaws.com"),
    ({"Ref": "AWS::StackId"}, "${AWS::StackId}"),
    ({"Ref": "AWS::NoValue"}, None),
    ({"a": {"Ref": "AWS::NoValue"}, "b": [{"Ref": "AWS::NoValue"}, 1]}, {"b": [1]}),
    ({"Ref": "Given"}, "default"),
    ({"Ref": "Asked"}, "${Asked}"),
    ({"Ref": "Stored"}, "${Stored}"),
    ({"Ref": "Listed"}, ["a", "b"]),
    ({"Ref": "Nowhere"}, "${Nowhere}"),
    ({"Ref": "Queue"}, "https://sqs.eu-west-1.amazonaws.com/111122223333/${Queue}"),
    ({"Ref": "Topic"}, ARN.format("sns", "${Topic}")),
    ({"Ref": "Odd"}, "${Odd}"),
    ({"Ref": "Left"}, ARN.format("sns", ARN.format("sns", "${Left}"))),
    ({"Ref": "Native"}, ARN.format("securityhub", "action/custom/Native")),
    ({"Ref": "Custom"}, ARN.format("securityhub", "action/custom/Custom")),
    ({"Fn::GetAtt": ["Native", "ActionTargetArn"]}, ARN.format("securityhub", "action/custom/Native")),
    ({"Fn::GetAtt": ["Custom", "ActionTargetArn"]}, ARN.format("securityhub", "action/custom/Custom")),
    ({"Fn::GetAtt": ["Named", "Arn"]}, ARN.format("sqs", "default")),
    ({"Fn::GetAtt": "Named.QueueName"}, "default"),
    ({"Fn::GetAtt": ["Rule", "Arn"]}, ARN.format("events", "rule/own/${Rule}")),
    ({"Ref": "Rule"}, "own|${Rule}"),
    ({"Fn::GetAtt": ["Odd", "Arn"]}, "${Odd.Arn}"),
    ({"Fn::GetAtt": ["Queue", "Odd"]}, "${Queue.Odd}"),
    ({"Fn::GetAtt": ["Nested", "Outputs.Out"]}, "${Nested.Outputs.Out}"),
    ({"Fn::Join": ["-", ["a", {"Ref": "Given"}, 1]]}, "a-default-1"),
    ({"Fn::Join": ["-", {"Ref": "Listed"}]}, "a-b"),
    ({"Fn::Join": ["", ["arn:", {"Ref": "Asked"}]]}, "arn:${Asked}"),
    (
        {"Fn::Sub": "${Given} ${Topic} ${Named.Arn} ${!Given}"},
        f"default {ARN.format('sns', '${Topic}')} {ARN.format('sqs', 'default')} ${{Given}}",
    ),
    ({"Fn::Sub": ["${Own}-${Given}", {"Own": {"Ref": "AWS::Region"}}]}, "eu-west-1-default"),
    ({"Fn::Sub": "a${AWS::NoValue}b"}, "ab"),
    ({"Fn::Select": [1, ["a", "b"]]}, "b"),
    ({"Fn::Select": ["1", {"Fn::Split": [",", "a,b"]}]}, "b"),
    ({"Fn::Select": [2, ["a", "b"]]}, "${Fn::Select 2}"),
    ({"Fn::Select": [5, {"Fn::Split": [":", {"Fn::GetAtt": ["Queue", "Arn"]}]}]}, "${Queue}"),
    ({"Fn::Split": [":", {"Ref": "Asked"}]}, "${Asked}"),
    ({"Fn::FindInMap": ["Sizes", "prod", "size"]}, "big"),
    ({"Fn::FindInMap": ["Sizes", {"Ref": "Asked"}, "size"]}, "${Fn::FindInMap Sizes}"),
    ({"Fn::FindInMap": ["Sizes", "test", "size", {"DefaultValue": "small"}]}, "small"),
    (if_("Yes"), "yes"),
    (if_("No"), "no"),
    (if_("Open"), "${Fn::If Open}"),
    (if_("YesAndOpen"), "${Fn::If YesAndOpen}"),
    (if_("NoAndOpen"), "no"),
    (if_("YesOrOpen"), "yes"),
    (if_("Circle"), "${Fn::If Circle}"),
    (if_("Number"), "yes"),
    (if_("Nowhere"), "${Fn::If Nowhere}"),
    ([{"Fn::If": ["No", "a", {"Ref": "AWS::NoValue"}]}, "b"], ["b"]),
    ({"Fn::Base64": "a"}, "YQ=="),
    ({"Fn::Base64": {"Ref": "Asked"}}, "${Fn::Base64}"),
    ({"Fn::ToJsonString": {"a": {"Ref": "Given"}}}, '{"a":"default"}'),
    ({"Fn::ImportValue": "Nowhere"}, "${Fn::ImportValue Nowhere}"),
    ({"Fn::GetAZs": ""}, "${Fn::GetAZs}"),
    ("{{resolve:ssm:/name}}", "${resolve:ssm:/name}"),
    ({"Ref": "Given", "more": 1}, {"Ref": "Given", "more": 1}),
]


@pytest.mark.parametrize(("value", "expected"), RESOLVED, ids=lambda one: str(one)[:60])
def test_a_function_resolves_to_what_a_deployment_would_give(value, expected):
    assert shown(values().resolve(value)) == expected


@pytest.mark.parametrize("name", sorted({next(iter(one)) for one, _ in RESOLVED if str(one)[2:4] == "Fn"}))
@pytest.mark.parametrize(
    "argument", [None, 1, "", "x", [], [1], ["a", "b", "c", "d"], {}, [[], {}], {"a": 1}]
)
def test_a_malformed_function_is_unknown_or_a_value_but_no_error(name, argument):
    values().resolve({name: argument})


def names():
    return st.sampled_from(["Given", "Asked", "Queue", "Left", "Circle", "Open", "AWS::NoValue", "", "a.b"])


def functions():
    return st.sampled_from(
        [
            "Ref",
            "Condition",
            *(
                f"Fn::{name}"
                for name in (
                    "Base64",
                    "FindInMap",
                    "GetAtt",
                    "If",
                    "ImportValue",
                    "Join",
                    "Select",
                    "Split",
                    "Sub",
                    "ToJsonString",
                    "Equals",
                    "Not",
                    "And",
                    "Or",
                    "Cidr",
                )
            ),
        ]
    )


ODD_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | names(),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(functions() | st.text(max_size=3), inner, max_size=2)
    ),
    max_leaves=20,
)


@given(value=ODD_VALUES, condition=ODD_VALUES, name=ODD_VALUES)
def test_no_value_of_a_template_is_an_error(value, condition, name):
    resources = {
        **TEMPLATE["Resources"],
        "Named": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": name}},
    }
    conditions = {**TEMPLATE["Conditions"], "Open": condition}
    odd = values({**TEMPLATE, "Resources": resources, "Conditions": conditions})
    odd.resolve({"Value": value, "Also": {"Fn::GetAtt": ["Named", "Arn"]}, "And": if_("Open")})


@given(st.lists(st.sampled_from(["a", ":", unknown("AWS::Partition"), unknown("b")])), st.sampled_from(":a"))
def test_splitting_keeps_unknown_parts_whole(parts, separator):
    text = "".join(parts)
    found = split(text, separator)
    assert separator.join(found) == text
    assert len(found) == parts.count(separator) + 1


@pytest.mark.parametrize(
    ("region", "partition", "domain"),
    [
        ("eu-west-1", "aws", "amazonaws.com"),
        ("cn-north-1", "aws-cn", "amazonaws.com.cn"),
        ("us-gov-west-1", "aws-us-gov", "amazonaws.com"),
        ("us-isob-east-1", "aws-iso-b", "sc2s.sgov.gov"),
        ("eusc-de-east-1", "aws-eusc", "amazonaws.eu"),
        (None, "${AWS::Partition}", "${AWS::URLSuffix}"),
    ],
)
def test_the_partition_and_the_domain_follow_from_the_region(region, partition, domain):
    assert shown(partition_of(region)) == partition
    assert shown(values(region=region).resolve({"Ref": "AWS::URLSuffix"})) == domain


def test_the_name_of_a_nested_stack_is_generated():
    assert shown(values(stack=None).resolve({"Ref": "AWS::StackName"})) == "${AWS::StackName}"


def test_resources_that_name_each_other_many_times_are_resolved_once_each():
    chain = {
        f"Q{at}": {
            "Type": "AWS::SQS::Queue",
            "Properties": {"Tags": [{"Ref": f"Q{at + 1}"}] * 10},
        }
        for at in range(50)
    }
    assert values({"Resources": chain}).resolve({"Fn::GetAtt": ["Q0", "QueueName"]}) == unknown("Q0")
