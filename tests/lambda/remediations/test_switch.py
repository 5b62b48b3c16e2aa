from __future__ import annotations

from types import SimpleNamespace

import pytest
from botocore.session import get_session

from remediations.contract import CannotRemediateError, Change, Plan
from remediations.ec2.switches import SWITCHES as EC2
from remediations.rds.switches import SWITCHES as RDS
from remediations.switch import remediations_of

ROWS = {row["name"]: row for row in (*EC2, *RDS)}
ROW = ROWS["ec2_require_imdsv2"]


def finding(resource_id):
    resource = SimpleNamespace(type="AwsEc2Instance", id=resource_id, region="eu-west-1")
    return SimpleNamespace(resources=(resource,), region="eu-west-1", aws_account_id="444455556666")


def session(answer):
    client = SimpleNamespace(describe_instances=lambda **_: answer)
    return SimpleNamespace(client=lambda _: client)


def instance(tokens):
    return {"Reservations": [{"Instances": [{"MetadataOptions": {"HttpTokens": tokens}}]}]}


@pytest.mark.parametrize("name", ROWS)
def test_every_operation_of_a_row_is_one_of_the_api_and_takes_the_rows_arguments(name):
    row = ROWS[name]
    model = get_session().get_service_model(row["service"])
    for operation, arguments in (row["read"][:2], row["wanted"][1:], row["other"][1:]):
        shape = model.operation_model(operation).input_shape
        assert set(arguments) <= set(shape.members if shape else ())


@pytest.mark.parametrize("name", ROWS)
def test_both_writes_take_the_same_but_for_the_value(name):
    row = ROWS[name]
    (wanted, *_), (other, *_) = row["wanted"], row["other"]
    assert wanted != other
    assert row["wanted"][2].keys() == row["other"][2].keys()


def test_the_statements_are_made_of_the_operations():
    (made,) = remediations_of([ROW])
    assert made.statements == (
        {"Action": ("ec2:DescribeInstances",), "Resource": ("*",)},
        {"Action": ("ec2:ModifyInstanceMetadataOptions",), "Resource": (ROW["resource"],)},
    )
    assert made.undo_statements == (
        {"Action": ("ec2:DescribeInstances",), "Resource": ("*",)},
        {"Action": ("ec2:ModifyInstanceMetadataOptions",), "Resource": (ROW["resource"],)},
    )


@pytest.mark.parametrize("answer", [{"Reservations": []}, {"Reservations": [{"Instances": []}]}])
def test_an_empty_list_on_the_way_to_the_value_means_that_the_resource_is_gone(answer):
    (made,) = remediations_of([ROW])
    arn = "arn:aws:ec2:eu-west-1:444455556666:instance/i-0123456789abcdef0"
    assert made.plan(finding(arn), session(answer)) == Plan.gone(arn, "The instance")
    with pytest.raises(
        CannotRemediateError, match="The instance was not found, but 'i-0123456789abcdef0' does"
    ):
        made.plan(finding("i-0123456789abcdef0"), session(answer))


def test_what_can_live_on_under_another_name_is_not_gone_because_it_is_not_found():
    (made,) = remediations_of([{**ROW, "gone": ((), "")}])
    arn = "arn:aws:ec2:eu-west-1:444455556666:instance/i-0123456789abcdef0"
    with pytest.raises(CannotRemediateError, match="It was deleted, or renamed"):
        made.plan(finding(arn), session({"Reservations": []}))


def test_a_value_that_is_neither_is_left_to_a_person():
    (made,) = remediations_of([ROW])
    with pytest.raises(
        CannotRemediateError, match="HttpTokens of i-0123456789abcdef0 is 'no-preference', neither 'req"
    ):
        made.plan(finding("i-0123456789abcdef0"), session(instance("no-preference")))


@pytest.mark.parametrize(
    ("answer", "is_restored", "changed"),
    [
        (instance("required"), False, []),
        (instance("optional"), True, []),
        (instance("no-preference"), False, ["HttpTokens is no-preference instead of required"]),
        ({"Reservations": []}, False, ["HttpTokens is not found instead of required"]),
    ],
)
def test_an_undo_reads_which_of_the_two_values_it_is_or_neither(answer, is_restored, changed):
    (made,) = remediations_of([ROW])
    state = {"InstanceId": "i-0123456789abcdef0", "HttpTokens": "optional"}
    change = Change(resource="i-0123456789abcdef0", description="Required IMDSv2", prior_state=state)
    (found,) = made.look(change, session(answer))
    assert found.is_restored == is_restored
    assert [str(one) for one in [found] if one.is_changed] == changed


@pytest.mark.parametrize(
    "resource_id", ["i-0123456789abcdef0", "arn:aws:ec2:eu-west-1:444455556666:instance/i-0123456789abcdef0"]
)
def test_the_identifier_is_taken_out_of_the_resources_id(resource_id):
    (made,) = remediations_of([ROW])
    plan = made.plan(finding(resource_id), session(instance("optional")))
    assert plan.prior_state == {"InstanceId": "i-0123456789abcdef0", "HttpTokens": "optional"}
    assert plan.is_needed


@pytest.mark.parametrize(
    "resource_id",
    ["vol-0abc", "i-1234567890", "i-0123456789abcdef0/x", "arn:aws:ec2:eu-west-1:444455556666:volume/vol-1"],
)
def test_another_id_is_refused_with_what_it_must_be(resource_id):
    (made,) = remediations_of([ROW])
    with pytest.raises(CannotRemediateError, match="must be the ARN or ID of an instance, such as i-"):
        made.plan(finding(resource_id), session(instance("optional")))
