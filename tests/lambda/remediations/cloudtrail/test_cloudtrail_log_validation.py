from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from remediations.cloudtrail.cloudtrail_log_validation import apply, look, plan, undo
from remediations.contract import CannotRemediateError

TRAIL = "management-events"


@pytest.fixture
def cloudtrail(member):
    return member.client("cloudtrail")


@pytest.fixture
def trail(cloudtrail):
    """The ARN of a trail of all regions, whose home is the member's region."""
    made = cloudtrail.create_trail(Name=TRAIL, S3BucketName="logs", IsMultiRegionTrail=True)
    return made["TrailARN"]


@pytest.fixture
def finding(member):
    return finding_about(member, f"arn:aws:cloudtrail:{member.region}:{member.account}:trail/{TRAIL}")


def finding_about(member, arn, **more):
    return member.finding("CloudTrail.4", "AwsCloudTrailTrail", arn, **more)


def is_validated(cloudtrail):
    return cloudtrail.get_trail(Name=TRAIL)["Trail"]["LogFileValidationEnabled"]


def test_validation_is_turned_on_and_off_again(member, cloudtrail, trail, finding):
    before = cloudtrail.get_trail(Name=trail)["Trail"]
    change = apply(plan(finding, member.session), member.session)
    assert cloudtrail.get_trail(Name=trail)["Trail"] == before | {"LogFileValidationEnabled": True}
    undo(change, member.session, look(change, member.session))
    assert cloudtrail.get_trail(Name=trail)["Trail"] == before


def refuse(member, operation, code):
    def answer(model, **_):
        raise ClientError({"Error": {"Code": code, "Message": "Bucket logs doesn't exist."}}, model.name)

    member.register(f"before-call.{operation}", answer)


@pytest.mark.usefixtures("trail")
@pytest.mark.parametrize("code", ["S3BucketDoesNotExistException", "InsufficientS3BucketPolicyException"])
def test_a_trail_that_cloudtrail_refuses_as_it_is_is_left_to_a_person(member, finding, code):
    made = plan(finding, member.session)
    change = apply(made, member.session)
    refuse(member, "cloudtrail.UpdateTrail", code)
    with pytest.raises(
        CannotRemediateError, match=r"as it is: Bucket logs doesn't exist\. Correct its bucket"
    ):
        apply(made, member.session)
    with pytest.raises(CannotRemediateError, match="and press again"):
        undo(change, member.session, look(change, member.session))


@pytest.mark.usefixtures("trail")
@pytest.mark.parametrize(
    "code",
    ["CloudTrailAccessNotEnabledException", "InsufficientDependencyServiceAccessPermissionException"],
)
def test_a_trail_that_cloudtrail_refuses_because_of_the_organization_is_left_to_a_person(
    member, finding, code
):
    made = plan(finding, member.session)
    change = apply(made, member.session)
    refuse(member, "cloudtrail.UpdateTrail", code)
    with pytest.raises(CannotRemediateError, match="who may create trails of the organization"):
        apply(made, member.session)
    with pytest.raises(CannotRemediateError, match="Change the trail manually"):
        undo(change, member.session, look(change, member.session))


@pytest.mark.usefixtures("trail")
def test_what_a_retry_can_help_is_retried(member, finding):
    made = plan(finding, member.session)
    refuse(member, "cloudtrail.UpdateTrail", "ThrottlingException")
    with pytest.raises(ClientError, match="ThrottlingException"):
        apply(made, member.session)


@pytest.mark.usefixtures("trail")
def test_a_plan_changes_nothing(member, cloudtrail, finding):
    assert plan(finding, member.session).is_needed
    assert not is_validated(cloudtrail)


@pytest.mark.usefixtures("trail")
def test_a_second_time_nothing_is_needed(member, finding):
    apply(plan(finding, member.session), member.session)
    made = plan(finding, member.session)
    assert (made.is_needed, made.description) == (False, "Log file validation is already on")


def test_a_trail_is_changed_in_its_home_region_wherever_the_finding_is_from(member, cloudtrail, trail):
    elsewhere = type(member.session)(
        botocore_session=member.session._session,
        region_name="eu-central-1",
    )
    apply(plan(finding_about(member, trail, region="eu-central-1"), elsewhere), elsewhere)
    assert is_validated(cloudtrail)


def test_nothing_is_needed_for_a_trail_that_is_gone(member, finding):
    made = plan(finding, member.session)
    assert (made.is_needed, made.description) == (False, "The trail no longer exists")


def test_a_trail_of_the_organization_is_left_to_its_owner(member):
    owner = "999988887777"
    arn = f"arn:aws:cloudtrail:{member.region}:{owner}:trail/organization"
    with pytest.raises(CannotRemediateError, match=f"that account {owner} owns, .* suppress this one"):
        plan(finding_about(member, arn), member.session)
    assert member.actions == set()


@pytest.mark.parametrize("given", [TRAIL, "arn:aws:s3:::logs"])
def test_what_is_not_a_trail_is_refused(member, given):
    with pytest.raises(CannotRemediateError, match="must be the ARN of a trail"):
        plan(finding_about(member, given), member.session)


@pytest.mark.usefixtures("trail")
def test_the_statements_are_what_it_takes(prove_statements, finding):
    prove_statements("cloudtrail_log_validation", finding)
