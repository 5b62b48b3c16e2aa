"""Grants are compared by what they allow, not by how they are written."""

from __future__ import annotations

import json

import pytest

from securityhub_actions.cli.assembly import read_app
from securityhub_actions.cli.review.difference import review
from securityhub_actions.cli.review.notes import Topic

QUEUE = "arn:aws:sqs:us-east-1:111122223333:queue"


def statement(**changes):
    return {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage",
            "Resource": QUEUE, **changes}  # fmt: skip


def only(kind, **properties):
    return {"One": {"Type": kind, "Properties": properties}}


def reviewed(folder, before, after):
    """Return the notes of a review of two versions of a template."""
    apps = []
    for name, template in (("before", before), ("after", after)):
        (folder / name).mkdir(parents=True)
        (folder / name / "S.template.json").write_text(json.dumps(template))
        apps.append(read_app(folder / name))
    return review(*apps).notes


@pytest.fixture
def titles(tmp_path):
    """A function that returns the titles of what changed between the statements of a queue policy."""

    def titles_of(before, after):
        versions = (
            {"Resources": only("AWS::SQS::QueuePolicy", PolicyDocument={"Statement": one}, Queues=[])}
            for one in (before, after)
        )
        notes = reviewed(tmp_path, *versions)
        assert {note.topic for note in notes} <= {Topic.PERMISSION}
        return [(note.attention.name, note.title) for note in notes]

    return titles_of


ACCOUNT = {"StringEquals": {"aws:SourceAccount": "111122223333"}}
BOTH = {"StringEquals": {"aws:SourceAccount": ["111122223333", "444455556666"]}}
NOT_BOTH = {"StringNotEquals": {"aws:SourceAccount": ["111122223333", "444455556666"]}}
NOT_ONE = {"StringNotEquals": {"aws:SourceAccount": ["111122223333"]}}


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({"Action": ["sqs:a", "sqs:b"]}, {"Action": ["sqs:b", "sqs:a"]}, []),
        ({"Action": "sqs:a"}, {"Action": ["sqs:a"]}, []),
        ({"Action": "sqs:*"}, {"Action": "sqs:a"}, [("MEDIUM", "Permission removed")]),
        ({"Action": "sqs:a"}, {"Action": "sqs:*"}, [("HIGH", "Wildcard granted")]),
        ({"Resource": f"{QUEUE}*"}, {"Resource": QUEUE}, [("MEDIUM", "Permission removed")]),
        ({"Action": "sqs:a"}, {"NotAction": "sqs:a", "Action": None}, None),
        ({}, {"Condition": ACCOUNT}, [("LOW", "Condition added")]),
        ({"Condition": ACCOUNT}, {}, [("HIGH", "Condition removed")]),
        ({"Condition": ACCOUNT}, {"Condition": BOTH}, [("HIGH", "Condition widened")]),
        ({"Condition": BOTH}, {"Condition": ACCOUNT}, [("LOW", "Condition narrowed")]),
        ({"Condition": NOT_ONE}, {"Condition": NOT_BOTH}, [("LOW", "Condition narrowed")]),
        ({"Condition": NOT_BOTH}, {"Condition": NOT_ONE}, [("HIGH", "Condition widened")]),
        ({"Condition": ACCOUNT}, {"Condition": NOT_ONE}, [("HIGH", "Condition changed")]),
        ({"Effect": "Deny", "Condition": ACCOUNT}, {"Effect": "Deny"},
         [("LOW", "Condition of a denial removed")]),
        ({"Effect": "Deny"}, {"Effect": "Deny", "Condition": ACCOUNT},
         [("HIGH", "Condition of a denial added")]),
        ({"Effect": "Deny", "Condition": ACCOUNT}, {"Effect": "Deny", "Condition": BOTH},
         [("LOW", "Condition of a denial widened")]),
    ],
)  # fmt: skip
def test_a_statement_that_changes_is_named_by_what_it_allows(titles, before, after, expected):
    named = titles([statement(**before)], [statement(**after)])
    if expected is None:
        assert ("HIGH", "Permission granted") in named
    else:
        assert named == expected


def test_statements_that_are_merged_are_not_named(titles):
    apart = [statement(Action="sqs:a"), statement(Action="sqs:b")]
    assert titles(apart, [statement(Action=["sqs:a", "sqs:b"])]) == []


def test_another_account_that_is_let_in_is_urgent(titles):
    arn = "arn:aws:iam::444455556666:role/other"
    assert titles([statement()], [statement(), statement(Principal={"AWS": arn})]) == [
        ("HIGH", "Permission granted")
    ]


ROLE, SECOND = (f"arn:aws:iam::111122223333:role/{name}" for name in ("Responder", "Second"))
OTHER_ACCOUNT = "arn:aws:iam::444455556666:role/Responder"


def put_events(*principals, effect="Allow", operator="ArnLike"):
    condition = {operator: {"aws:PrincipalArn": list(principals)}}
    return {"Effect": effect, "Principal": "*", "Action": "events:PutEvents", "Condition": condition,
            "Resource": "arn:aws:events:us-east-1:111122223333:event-bus/Presses"}  # fmt: skip


def bus(*statements):
    properties = {"Name": "Presses", "Policy": {"Statement": list(statements)}}
    return {"Bus": {"Type": "AWS::Events::EventBus", "Properties": properties}}


def bus_policy(*statements):
    properties = {"StatementId": "One", "Statement": list(statements)}
    return {"Policy": {"Type": "AWS::Events::EventBusPolicy", "Properties": properties}}


def old_bus_policy(principal):
    properties = {"StatementId": "One", "Action": "events:PutEvents", "Principal": principal}
    return {"Policy": {"Type": "AWS::Events::EventBusPolicy", "Properties": properties}}


@pytest.fixture
def named(tmp_path):
    """A function that returns what is named between two versions of a template's resources."""

    def notes_of(before, after):
        notes = reviewed(tmp_path, {"Resources": before}, {"Resources": after})
        return [(note.attention.name, note.title, note.subject) for note in notes]

    return notes_of


@pytest.mark.parametrize("resource", [bus, bus_policy])
@pytest.mark.parametrize("operator", ["ArnLike", "ArnEquals", "StringEquals", "StringLike"])
def test_whom_a_bus_lets_in_and_no_longer_does_is_named(named, resource, operator):
    before = resource(put_events(ROLE, operator=operator))
    after = resource(put_events(OTHER_ACCOUNT, operator=operator))
    assert set(named(before, after)) == {
        ("HIGH", "Permission granted", OTHER_ACCOUNT),
        ("MEDIUM", "Permission removed", ROLE),
    }


def test_a_new_bus_says_whom_it_lets_in(named):
    assert ("HIGH", "Permission granted", OTHER_ACCOUNT) in named({}, bus(put_events(OTHER_ACCOUNT)))


def test_whom_a_bus_no_longer_keeps_out_is_named(named):
    denial = {"effect": "Deny", "operator": "ArnNotLike"}
    before = bus(put_events(ROLE), put_events(ROLE, **denial))
    after = bus(put_events(ROLE, SECOND), put_events(ROLE, SECOND, **denial))
    assert set(named(before, after)) == {
        ("HIGH", "Permission granted", SECOND),
        ("HIGH", "Condition of a denial narrowed", "*"),
    }


def test_that_a_bus_no_longer_keeps_others_out_is_named(named):
    denial = put_events(ROLE, effect="Deny", operator="ArnNotLike")
    found = named(bus(put_events(ROLE), denial), bus(put_events(ROLE)))
    assert found == [("HIGH", "Denial removed", "*")]


def test_an_account_that_a_bus_lets_in_without_a_statement_is_named(named):
    found = named(old_bus_policy("444455556666"), old_bus_policy("999900001111"))
    assert ("HIGH", "Permission granted", "999900001111") in found
    assert ("MEDIUM", "Permission removed", "444455556666") in found


def test_everyone_who_is_let_into_a_bus_is_a_wildcard(named):
    assert ("HIGH", "Wildcard granted", "*") in named(old_bus_policy("444455556666"), old_bus_policy("*"))


def identity_policy(*statements, kind="Policy", **holder):
    document = {"PolicyDocument": {"Statement": list(statements)}}
    return {"Granted": {"Type": f"AWS::IAM::{kind}", "Properties": {**document, **holder}}}


def allowed(action, resource="*", **more):
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


RESPONDER = {"Roles": ["Responder"]}
POLICIES_OF_RESOURCES = {
    "VPC endpoint": ("AWS::EC2::VPCEndpoint", {}),
    "queue": ("AWS::SQS::QueuePolicy", {"Queues": ["Queue"]}),
}


@pytest.mark.parametrize(
    ("kind", "properties"), POLICIES_OF_RESOURCES.values(), ids=POLICIES_OF_RESOURCES.keys()
)
@pytest.mark.parametrize("resource", ["*", QUEUE])
def test_what_the_policy_of_a_resource_lets_everyone_do_there_hides_nothing_elsewhere(
    named, kind, properties, resource
):
    everyone = {"Statement": [allowed("*", Principal="*")]}
    open_resource = {"Open": {"Type": kind, "Properties": {**properties, "PolicyDocument": everyone}}}
    found = named(
        open_resource, open_resource | identity_policy(allowed("iam:PassRole", resource), **RESPONDER)
    )
    assert [one for one in found if one[2] == "Responder"] in (
        [("HIGH", "Wildcard granted", "Responder")],
        [("MEDIUM", "Permission granted", "Responder")],
    )


@pytest.mark.parametrize(
    ("kind", "name"), [("RolePolicy", "RoleName"), ("UserPolicy", "UserName"), ("GroupPolicy", "GroupName")]
)
def test_whom_an_inline_policy_is_given_to_is_named(named, kind, name):
    before, after = (
        identity_policy(allowed("iam:PassRole"), kind=kind, **{name: who}) for who in ("First", "Second")
    )
    found = named(before, after)
    assert ("HIGH", "Wildcard granted", "Second") in found
    assert ("MEDIUM", "Permission removed", "First") in found


def test_a_user_who_joins_a_group_is_granted_what_the_group_may(named):
    group = {"GroupName": "Administrators"}
    before, after = (
        {"Members": {"Type": "AWS::IAM::UserToGroupAddition", "Properties": {**group, "Users": users}}}
        for users in (["alice"], ["alice", "bob"])
    )
    assert named(before, after) == [("MEDIUM", "Permission granted", "bob")]


def test_a_user_with_another_group_is_granted_what_the_group_may(named):
    before, after = (
        {"User": {"Type": "AWS::IAM::User", "Properties": {"Groups": groups}}}
        for groups in (["Auditors"], ["Auditors", "Administrators"])
    )
    assert named(before, after) == [("HIGH", "Permission granted", "S/User")]


def test_a_tag_whose_name_sounds_like_a_negation_is_compared_as_any_other(titles):
    first, both = (
        {"Condition": {"StringEquals": {"aws:ResourceTag/Notify": values}}} for values in (["a"], ["a", "b"])
    )
    assert titles([statement(**first)], [statement(**both)]) == [("HIGH", "Condition widened")]


def test_a_new_approver_in_a_runbook_is_urgent(named):
    before, after = (
        only(
            "AWS::SSM::Document",
            Content={"mainSteps": [{"inputs": {"Approvers": approvers}}], "description": "Asks"},
        )
        for approvers in ([ROLE], [ROLE, SECOND])
    )
    assert named(before, after) == [("HIGH", "Document changed", "S/One")]


def test_another_description_of_a_runbook_is_for_information(named):
    before, after = (only("AWS::SSM::Document", Content={"description": text}) for text in ("a", "b"))
    assert named(before, after) == [("LOW", "Document changed", "S/One")]


@pytest.mark.parametrize(
    ("kind", "name"), [("AWS::Lambda::Function", "Role"), ("AWS::StepFunctions::StateMachine", "RoleArn")]
)
def test_what_acts_with_another_role_is_urgent(named, kind, name):
    assert named(only(kind, **{name: ROLE}), only(kind, **{name: SECOND})) == [
        ("HIGH", f"{name} changed", "S/One")
    ]


@pytest.mark.parametrize(
    ("kind", "name"), [("AWS::SQS::QueuePolicy", "Queues"), ("AWS::SNS::TopicPolicy", "Topics")]
)
def test_what_no_longer_has_a_policy_is_named(named, kind, name):
    document = {"PolicyDocument": {"Statement": [statement()]}}
    found = named(only(kind, **document, **{name: ["a"]}), only(kind, **document, **{name: ["b"]}))
    assert found == [("HIGH", f"{name} changed", "S/One")]


def test_a_bucket_that_no_longer_has_a_policy_is_named(named):
    document = {"PolicyDocument": {"Statement": [statement()]}}
    before, after = (only("AWS::S3::BucketPolicy", Bucket=name, **document) for name in "ab")
    assert named(before, after) == [("MEDIUM", "Bucket changed", "S/One")]


def subscription(endpoint):
    return only("AWS::SNS::Subscription", TopicArn="arn:topic", Protocol="https", Endpoint=endpoint)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({}, subscription("https://a"), ("MEDIUM", "Subscription added", "S/One")),
        (subscription("https://a"), subscription("https://b"), ("MEDIUM", "Subscription replaced", "S/One")),
        (subscription("https://a"), {}, ("HIGH", "Subscription removed", "S/One")),
    ],
    ids=["added", "replaced", "removed"],
)
def test_who_is_subscribed_is_named_once(named, before, after, expected):
    assert named(before, after) == [expected]


def under_condition(statement, name="IsProduction"):
    return {"Fn::If": [name, statement, {"Ref": "AWS::NoValue"}]}


def conditional(*statements, condition=None, value="prod"):
    """A template with a parameter that only the deployment sets, on which a policy depends."""
    policy = {"Queues": ["q"], "PolicyDocument": {"Statement": list(statements)}}
    resource = {"Type": "AWS::SQS::QueuePolicy", "Properties": policy}
    return {
        "Parameters": {"Stage": {"Type": "String"}},
        "Conditions": {
            "IsProduction": {"Fn::Not": [{"Condition": "IsTest"}]},
            "IsTest": {"Fn::Not": [{"Fn::Equals": [{"Ref": "Stage"}, value]}]},
        },
        "Resources": {"Policy": resource | ({"Condition": condition} if condition else {})},
    }


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (conditional(statement()), conditional(statement(), condition="IsProduction")),
        (
            conditional(statement(), condition="IsProduction"),
            conditional(statement(), condition="IsProduction", value="test"),
        ),
        (
            conditional(under_condition(statement())),
            conditional(under_condition(statement(Principal="*"))),
        ),
        (
            conditional(under_condition(statement())),
            conditional(under_condition(statement()), value="test"),
        ),
    ],
    ids=["a resource gets a condition", "its condition", "what depends on a condition", "that condition"],
)
def test_what_depends_on_a_condition_that_only_a_deployment_determines_is_named(tmp_path, before, after):
    notes = reviewed(tmp_path / "changed", before, after)
    assert [(note.attention.name, note.title, note.subject) for note in notes] == [
        ("HIGH", "Undecided value changed", "S/Policy")
    ]
    assert reviewed(tmp_path / "unchanged", before, before) == []
