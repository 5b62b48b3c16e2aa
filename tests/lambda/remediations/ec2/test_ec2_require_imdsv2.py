from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from remediations.contract import CannotRemediateError
from remediations.registry import all_remediations

SWITCH = all_remediations()["ec2_require_imdsv2"]
plan, apply, look, undo = SWITCH.plan, SWITCH.apply, SWITCH.look, SWITCH.undo


@pytest.fixture
def ec2(member):
    return member.client("ec2")


@pytest.fixture
def instance(ec2):
    """An instance with metadata options of its own; a token is optional."""
    made = ec2.run_instances(ImageId="ami-1", MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]
    ec2.modify_instance_metadata_options(InstanceId=made, HttpPutResponseHopLimit=3)
    return made


def finding_about(member, instance):
    arn = f"arn:aws:ec2:{member.region}:{member.account}:instance/{instance}"
    return member.finding("EC2.8", "AwsEc2Instance", arn)


def options(ec2, instance):
    found = ec2.describe_instances(InstanceIds=[instance])
    return found["Reservations"][0]["Instances"][0]["MetadataOptions"]


def test_a_plan_changes_nothing(member, ec2, instance):
    assert plan(finding_about(member, instance), member.session).is_needed
    assert options(ec2, instance)["HttpTokens"] == "optional"


def test_only_the_token_is_required_and_undoing_makes_it_optional(member, ec2, instance):
    before = options(ec2, instance)
    change = apply(plan(finding_about(member, instance), member.session), member.session)
    assert options(ec2, instance) == {**before, "HttpTokens": "required"}
    assert change.description == "Required IMDSv2"
    undo(change, member.session, look(change, member.session))
    assert options(ec2, instance) == before


def test_the_endpoint_is_named_beside_the_token_as_ec2_asks(member, instance):
    """https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-IMDS-existing-instances.html"""
    sent = []
    member.register("before-call.ec2.ModifyInstanceMetadataOptions", lambda params, **_: sent.append(params))
    change = apply(plan(finding_about(member, instance), member.session), member.session)
    undo(change, member.session, look(change, member.session))
    assert [(one["body"]["HttpTokens"], one["body"]["HttpEndpoint"]) for one in sent] == [
        ("required", "enabled"),
        ("optional", "enabled"),
    ]


def test_an_endpoint_that_is_disabled_is_not_opened(member, ec2, instance):
    finding = finding_about(member, instance)
    change = apply(plan(finding, member.session), member.session)
    ec2.modify_instance_metadata_options(InstanceId=instance, HttpEndpoint="disabled")
    assert not plan(finding, member.session).is_needed
    with pytest.raises(CannotRemediateError, match="the endpoint is disabled"):
        look(change, member.session)
    ec2.modify_instance_metadata_options(InstanceId=instance, HttpTokens="optional")
    with pytest.raises(CannotRemediateError, match="Leave it disabled and suppress the finding"):
        plan(finding, member.session)


def refuse_to_change(member, code):
    def refuse(model, **_):
        message = "You can't modify the instance because httpTokensEnforced is enabled for this account."
        raise ClientError({"Error": {"Code": code, "Message": message}}, model.name)

    member.register("before-call.ec2.ModifyInstanceMetadataOptions", refuse)


def test_where_the_account_enforces_imdsv2_an_undo_is_refused(member, instance):
    """The embedded AWS has no such setting."""
    change = apply(plan(finding_about(member, instance), member.session), member.session)
    refuse_to_change(member, "UnsupportedOperation")
    message = rf"AWS refuses to change HttpTokens of {change.resource}: .*httpTokensEnforced .* press again"
    with pytest.raises(CannotRemediateError, match=message):
        undo(change, member.session, look(change, member.session))


def test_another_error_of_an_undo_is_retried(member, instance):
    change = apply(plan(finding_about(member, instance), member.session), member.session)
    refuse_to_change(member, "UnauthorizedOperation")
    with pytest.raises(ClientError, match="UnauthorizedOperation"):
        undo(change, member.session, look(change, member.session))


def test_a_second_time_nothing_is_needed(member, instance):
    finding = finding_about(member, instance)
    apply(plan(finding, member.session), member.session)
    made = plan(finding, member.session)
    assert (made.is_needed, made.description) == (False, "IMDSv2 is already required")


def test_nothing_is_needed_for_an_instance_that_is_gone(member):
    made = plan(finding_about(member, "i-00000000000000000"), member.session)
    assert (made.is_needed, made.description) == (False, "The instance no longer exists")


def test_nothing_is_needed_for_an_instance_that_was_terminated(member, ec2, instance):
    ec2.terminate_instances(InstanceIds=[instance])
    assert not plan(finding_about(member, instance), member.session).is_needed


def test_a_refusal_is_not_taken_for_an_absence(member, instance):
    def refuse(model, **_):
        raise ClientError({"Error": {"Code": "UnauthorizedOperation", "Message": "no"}}, model.name)

    member.session.events.register("before-call.ec2.DescribeInstances", refuse)
    with pytest.raises(ClientError, match="UnauthorizedOperation"):
        plan(finding_about(member, instance), member.session)


def test_what_is_not_an_instance_is_refused(member):
    with pytest.raises(CannotRemediateError, match="must be the ARN or ID of an instance"):
        plan(finding_about(member, "vol-0abc"), member.session)


def test_the_statements_are_what_it_takes(prove_statements, member, instance):
    prove_statements("ec2_require_imdsv2", finding_about(member, instance))
