from __future__ import annotations

from dataclasses import replace

import pytest

from remediations.contract import CannotRemediateError, Change, Plan, name_in_arn, resource_of
from securityhub.events import Resource


@pytest.mark.parametrize("count", [0, 2])
def test_a_finding_must_name_exactly_one_resource_of_the_type(finding, count):
    resources = tuple(Resource(type="AwsS3Bucket", id=f"arn:aws:s3:::{n}", region=None) for n in range(count))
    with pytest.raises(CannotRemediateError, match=f"names {count} resources of type AwsS3Bucket"):
        resource_of(replace(finding, resources=resources), ("AwsS3Bucket",))


@pytest.mark.parametrize(
    "elsewhere",
    [
        "arn:aws:sqs:eu-west-1:777788889999:name",
        "arn:aws:sqs:us-east-1:444455556666:name",
        "arn:aws:iam::777788889999:user/name",
        "AWS::::Account:777788889999",
    ],
)
def test_a_resource_of_another_account_or_region_is_refused(finding, elsewhere):
    resource = Resource(type="One", id=elsewhere, region=None)
    named = replace(finding, region="eu-west-1", aws_account_id="444455556666", resources=(resource,))
    with pytest.raises(CannotRemediateError, match=f"is '{elsewhere}', but .* 444455556666 and eu-west-1"):
        resource_of(named, ("One",))


@pytest.mark.parametrize(
    "here",
    [
        "arn:aws:sqs:eu-west-1:444455556666:name",
        "arn:aws:iam::444455556666:user/people/name",
        "arn:aws:s3:::name",
        "AWS::::Account:444455556666",
        "AWS::IAM::AccessKey:AKIAIOSFODNN7EXAMPLE",
    ],
)
def test_a_resource_of_the_findings_own_account_and_region_is_taken(finding, here):
    resource = Resource(type="One", id=here, region=None)
    named = replace(finding, region="eu-west-1", aws_account_id="444455556666", resources=(resource,))
    assert resource_of(named, ("One",)) == resource


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("arn:aws:ec2:eu-west-1:444455556666:security-group/sg-1", "sg-1"),
        ("arn:aws:s3:::bucket", "bucket"),
        ("arn:aws:sns:eu-west-1:444455556666:topic", "topic"),
        ("sg-1", "sg-1"),
    ],
)
def test_the_name_is_the_end_of_an_arn(given, name):
    assert name_in_arn(Resource(type=None, id=given, region=None)) == name


def test_a_plan_that_is_carried_out_is_told_in_the_past():
    plan = Plan(resource="a", description="Turn on that", prior_state={"On": False}, is_needed=True)
    assert plan.done() == Change(resource="a", description="Turned on that", prior_state={"On": False})


def test_a_verb_without_a_past_keeps_no_change_from_being_told():
    plan = Plan(resource="a", description="Frobnicate that", prior_state={}, is_needed=True)
    assert plan.done().description == "Done: Frobnicate that"


def change(description="Turned it off", *, left=None, **prior_state):
    return Change(resource="a", description=description, prior_state=prior_state, left=left)


@pytest.mark.parametrize(
    ("earlier", "later", "both"),
    [
        ({"Rules": ["a", "b"]}, {"Rules": ["b"]}, {"Rules": ["a", "b"]}),
        ({"Rules": ["a", "b"]}, {"Rules": ["c", "b"]}, {"Rules": ["c", "b", "a"]}),
        ({"On": {"a": 1, "b": 1}}, {"On": {"b": 2}}, {"On": {"a": 1, "b": 2}}),
        ({"On": {"a": 1}}, {"On": None}, {"On": None}),
        ({"On": None}, {"On": {"a": 1}}, {"On": {"a": 1}}),
        ({"Days": 1, "Name": "n"}, {"Days": 3, "Name": "n"}, {"Days": 3, "Name": "n"}),
        ({"Days": 1, "Name": "n"}, {"Days": 3}, {"Days": 3, "Name": "n"}),
    ],
)
def test_undoing_two_changes_restores_what_either_found_and_the_later_one_decides(earlier, later, both):
    assert change(**later).after(change(**earlier)).prior_state == both


def test_two_changes_are_told_as_far_as_both_are_undone():
    first, second = change("Closed A", Rules=["a"], left={"Key": "k"}), change("Closed B", Rules=["b"])
    assert second.after(first).description == "Closed B; Closed A"
    assert change("Closed A again", Rules=["a"]).after(first) == replace(first, left=None)
    assert change("Set 2", Days=2).after(change("Set 1", Days=1)).description == "Set 2"


def test_a_plan_to_change_nothing_says_why_and_has_nothing_to_restore():
    plan = Plan.nothing("a", "It is gone")
    assert (plan.resource, plan.description, plan.prior_state, plan.is_needed) == (
        "a",
        "It is gone",
        {},
        False,
    )


@pytest.mark.parametrize(
    "exact",
    [
        "arn:aws:sqs:eu-west-1:444455556666:queue",
        "arn:aws:iam::444455556666:user/path/somebody",
        "arn:aws:s3:::b",
    ],
)
def test_what_is_named_for_certain_can_be_gone(exact):
    assert Plan.gone(exact, "The thing") == Plan.nothing(exact, "The thing no longer exists")


@pytest.mark.parametrize(
    "inexact",
    [
        "sg-0123456789abcdef0",
        "i-0123456789abcdef0",
        "queue",
        "arn:aws:iam::444455556666:user/AIDACKCEVSQ6C2EXAMPLE",
        "arn:aws:ec2:::security-group/sg-0123456789abcdef0",
    ],
)
def test_what_is_not_named_for_certain_is_never_taken_for_gone(inexact):
    with pytest.raises(CannotRemediateError, match=r"The thing was not found, but .* for certain"):
        Plan.gone(inexact, "The thing")
