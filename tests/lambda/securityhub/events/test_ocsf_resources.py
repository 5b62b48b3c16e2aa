from __future__ import annotations

import pytest

from remediations.registry import all_remediations
from securityhub.events.ocsf_resources import asff_id, asff_type

PLACE = {"partition": "aws", "account": "444455556666", "region": "eu-west-1"}
OWN = "arn:aws:{service}:eu-west-1:444455556666:{rest}"


@pytest.mark.parametrize(
    ("type_", "expected"),
    [
        ("AWS::S3::Bucket", "AwsS3Bucket"),
        ("AWS::::Account", "AwsAccount"),
        ("AWS::EC2::Instance", "AwsEc2Instance"),
        ("AWS::EC2::SecurityGroup", "AwsEc2SecurityGroup"),
        ("AWS::EC2::Subnet", "AwsEc2Subnet"),
        ("AWS::EC2::VPC", "AwsEc2Vpc"),
        ("AWS::SQS::Queue", "AwsSqsQueue"),
        ("AWS::SNS::Topic", "AwsSnsTopic"),
        ("AWS::IAM::User", "AwsIamUser"),
        ("AWS::IAM::AccessKey", "AwsIamAccessKey"),
        ("AWS::KMS::Key", "AwsKmsKey"),
        ("AWS::Lambda::Function", "AwsLambdaFunction"),
        ("AWS::CloudTrail::Trail", "AwsCloudTrailTrail"),
        ("AWS::RDS::DBInstance", "AwsRdsDbInstance"),
        ("AWS::RDS::DBCluster", "AwsRdsDbCluster"),
        ("AWS::RDS::DBSnapshot", "AwsRdsDbSnapshot"),
        ("AWS::RDS::DBClusterSnapshot", "AwsRdsDbClusterSnapshot"),
        ("AWS::DynamoDB::Table", "AwsDynamoDbTable"),
        ("AWS::WAFv2::WebACL", "AwsWafv2WebAcl"),
        ("AWS::ElasticLoadBalancingV2::LoadBalancer", "AwsElbv2LoadBalancer"),
        ("AWS::Container::Container", "Container"),
        ("AwsS3Bucket", "AwsS3Bucket"),
        ("FirewallRule", "FirewallRule"),
        (None, None),
    ],
)
def test_a_type_is_called_as_in_asff(type_, expected):
    assert asff_type(type_) == expected


def test_every_type_that_remediations_serve_is_called_by_a_name_of_cloudformation(request):
    named = {
        mark.args[1][index][1]
        for mark in request.module.test_a_type_is_called_as_in_asff.pytestmark
        for index in range(len(mark.args[1]))
    }
    served = {type_ for one in all_remediations().values() for type_ in one.resource_types}
    assert served <= named


@pytest.mark.parametrize(
    ("type_", "uid", "expected"),
    [
        ("AwsS3Bucket", "reports", "arn:aws:s3:::reports"),
        ("AwsAccount", "444455556666", "AWS::::Account:444455556666"),
        ("AwsIamAccessKey", "AKIAIOSFODNN7EXAMPLE", "AWS::IAM::AccessKey:AKIAIOSFODNN7EXAMPLE"),
        ("AwsEc2Instance", "i-0abc", OWN.format(service="ec2", rest="instance/i-0abc")),
        ("AwsEc2SecurityGroup", "sg-0abc", OWN.format(service="ec2", rest="security-group/sg-0abc")),
        ("AwsLambdaFunction", "example", OWN.format(service="lambda", rest="function:example")),
        (
            "AwsSqsQueue",
            "https://sqs.eu-west-1.amazonaws.com/777788889999/jobs.fifo",
            "arn:aws:sqs:eu-west-1:777788889999:jobs.fifo",
        ),
        # From these IDs no ARN follows for certain.
        ("AwsIamUser", "ann", "ann"),
        ("AwsIamUser", "AIDAEXAMPLEEXAMPLE", "AIDAEXAMPLEEXAMPLE"),
        ("AwsRdsDbInstance", "orders", "orders"),
        ("AwsEc2Instance", "web-1", "web-1"),
        ("AwsLambdaFunction", "a function", "a function"),
        ("AwsSqsQueue", "jobs", "jobs"),
        (None, "anything", "anything"),
    ],
)
def test_an_id_is_the_arn_where_it_follows_from_what_ocsf_has(type_, uid, expected):
    assert asff_id({}, uid=uid, type_=type_, **PLACE) == expected


def test_an_arn_in_the_finding_comes_first():
    arn = "arn:aws:iam::444455556666:user/team/ann"
    assert asff_id({"uid_alt": arn}, uid="AIDAEXAMPLEEXAMPLE", type_="AwsIamUser", **PLACE) == arn
    assert asff_id({}, uid=arn, type_="AwsIamUser", **PLACE) == arn
    assert asff_id({"uid_alt": "AKIA"}, uid="reports", type_="AwsS3Bucket", **PLACE) == "arn:aws:s3:::reports"


def test_a_resource_of_another_account_and_region_is_named_there():
    resource = {
        "owner": {"account": {"uid": "777788889999"}},
        "region": "cn-north-1",
        "cloud_partition": "aws-cn",
    }
    arn = asff_id(resource, uid="subnet-0abc", type_="AwsEc2Subnet", **PLACE)
    assert arn == "arn:aws-cn:ec2:cn-north-1:777788889999:subnet/subnet-0abc"


@pytest.mark.parametrize("region", ["global", None, 7])
def test_a_resource_without_a_region_has_that_of_the_finding(region):
    assert asff_id({"region": region}, uid="i-0abc", type_="AwsEc2Instance", **PLACE) == (
        OWN.format(service="ec2", rest="instance/i-0abc")
    )


def test_without_any_region_no_arn_is_made_up():
    place = {**PLACE, "region": ""}
    assert asff_id({}, uid="i-0abc", type_="AwsEc2Instance", **place) == "i-0abc"
