from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from uuid import uuid4

import boto3
import pytest
from botocore.stub import Stubber

from functions.remediate.allow_and_deny import UnreadableTagsError
from functions.remediate.resource_tags import ResourceTagsError, read_tags
from securityhub.events import Resource, parse_event

ACCOUNT, REGION = "444455556666", "eu-west-1"
HERE = f"{REGION}:{ACCOUNT}"
GROUP = f"arn:aws:ec2:{HERE}:security-group/sg-0abc"


@pytest.fixture
def finding(load_event):
    (finding,) = parse_event(load_event("custom_action_1_finding")).findings
    return replace(finding, aws_account_id=ACCOUNT, region=REGION, resources=())


@pytest.fixture
def api():
    """A client, and a stubber for its answers."""
    client = boto3.client("resourcegroupstaggingapi", region_name=REGION)
    with Stubber(client) as stubber:
        yield client, stubber
        stubber.assert_no_pending_responses()


@pytest.fixture
def session(api):
    return SimpleNamespace(client=lambda _: api[0])


def answer(api, arn, *tags):
    found = [{"ResourceARN": arn, "Tags": [{"Key": key, "Value": value} for key, value in tags]}]
    api[1].add_response(
        "get_resources", {"ResourceTagMappingList": found if tags else []}, {"ResourceARNList": [arn]}
    )


@pytest.mark.parametrize(
    "arn",
    [
        GROUP,
        f"arn:aws:ec2:{HERE}:instance/i-0abc",
        f"arn:aws:ec2:{HERE}:subnet/subnet-0abc",
        f"arn:aws:kms:{HERE}:key/1234abcd-12ab-34cd-56ef-1234567890ab",
        f"arn:aws:lambda:{HERE}:function:example",
        f"arn:aws:rds:{HERE}:cluster:example",
        f"arn:aws:rds:{HERE}:snapshot:rds:example-2026-01-31",
        f"arn:aws:sns:{HERE}:example",
        f"arn:aws:sqs:{HERE}:example",
        "arn:aws:s3:::example",
    ],
)
def test_the_tags_are_those_that_the_resource_carries_now(api, session, finding, arn):
    answer(api, arn, ("team", "payments"), ("keep", ""))
    assert read_tags(arn, finding, session) == {"team": "payments", "keep": ""}


def test_a_resource_that_was_never_tagged_has_none(api, session, finding):
    answer(api, GROUP)
    assert read_tags(GROUP, finding, session) == {}


def test_an_account_has_none_and_is_not_asked_about(session, finding):
    assert read_tags(f"AWS::::Account:{ACCOUNT}", finding, session) == {}


@pytest.mark.parametrize(
    "resource",
    [
        "sg-0abc",
        f"arn:aws:iam::{ACCOUNT}:user/alice",
        f"arn:aws:iam::{ACCOUNT}:role/example",
        f"arn:aws:autoscaling:{HERE}:autoScalingGroup:1234:autoScalingGroupName/example",
        f"arn:aws:lambda:{HERE}:function:example:1",
        f"arn:aws:ec2:{HERE}:security-group/other/sg-0abc",
        f"arn:aws:ec2:{HERE}:unheard-of/x-0abc",
        "arn:aws:s3:::example/object",
        f"AWS::::Account:{ACCOUNT}/sg-0abc",
    ],
)
def test_what_the_api_would_leave_out_is_not_taken_for_untagged(session, finding, resource):
    with pytest.raises(UnreadableTagsError, match=f"The tags of {resource} decide .* cannot be read"):
        read_tags(resource, finding, session)


@pytest.mark.parametrize(
    "resource",
    [
        f"arn:aws:ec2:us-east-1:{ACCOUNT}:security-group/sg-0abc",
        f"arn:aws:ec2:{REGION}:777788889999:security-group/sg-0abc",
        f"arn:aws:ec2:{REGION}::security-group/sg-0abc",
        "arn:aws:ec2:::security-group/sg-0abc",
        f"arn:aws-cn:ec2:{HERE}:security-group/sg-0abc",
        f"arn:aws:s3:{REGION}::example",
    ],
)
def test_what_is_elsewhere_is_not_taken_for_untagged(session, finding, resource):
    with pytest.raises(UnreadableTagsError, match=f"not in the finding's account and Region, {ACCOUNT}"):
        read_tags(resource, finding, session)


def test_a_bucket_is_where_the_finding_says(api, session, finding):
    def about(region):
        bucket = Resource(type="AwsS3Bucket", id="arn:aws:s3:::example", region=region)
        return replace(finding, resources=(bucket,))

    answer(api, "arn:aws:s3:::example", ("team", "payments"))
    assert read_tags("arn:aws:s3:::example", about(REGION), session) == {"team": "payments"}
    with pytest.raises(UnreadableTagsError, match="not in the finding's account and Region"):
        read_tags("arn:aws:s3:::example", about("us-east-1"), session)


@pytest.mark.parametrize("code", ["AccessDeniedException", "ThrottledException"])
def test_an_error_of_the_api_says_what_to_check(api, session, finding, code):
    api[1].add_client_error("get_resources", code, "no")
    with pytest.raises(ResourceTagsError, match=rf"The tags of {GROUP} .*{code}.*tag:GetResources"):
        read_tags(GROUP, finding, session)


def test_the_embedded_aws_answers_the_same(embedded_aws, finding):
    name = f"tagged-{uuid4().hex[:12]}"
    s3 = embedded_aws.client("s3", account=ACCOUNT, region=REGION)
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    session = SimpleNamespace(
        client=lambda service: embedded_aws.client(service, account=ACCOUNT, region=REGION)
    )
    assert read_tags(f"arn:aws:s3:::{name}", finding, session) == {}
    s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": [{"Key": "team", "Value": "payments"}]})
    assert read_tags(f"arn:aws:s3:::{name}", finding, session) == {"team": "payments"}
