"""What the embedded AWS sends in OCSF, read back as the functions read it, is what it sends in ASFF."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from emulator.securityhub import ocsf
from securityhub.events import parse_finding, parse_finding_v2
from tests.both_formats import asff_finding
from tests.hypothesis_profiles import examples

SAME = (
    *("id", "product_arn", "aws_account_id", "region", "title", "severity_label", "workflow_status"),
    *("record_state", "compliance_status", "updated_at", "control", "description"),
)
OWN = "arn:aws:{}:eu-west-1:444455556666:{}"
RESOURCES = (
    ("AwsS3Bucket", "arn:aws:s3:::example-reports"),
    ("AwsEc2Instance", OWN.format("ec2", "instance/i-0abc")),
    ("AwsEc2SecurityGroup", OWN.format("ec2", "security-group/sg-0abc")),
    ("AwsSqsQueue", OWN.format("sqs", "jobs")),
    ("AwsSnsTopic", OWN.format("sns", "alarms")),
    ("AwsKmsKey", OWN.format("kms", "key/11111111-2222-3333-4444-555555555555")),
    ("AwsLambdaFunction", OWN.format("lambda", "function:example")),
    ("AwsRdsDbInstance", OWN.format("rds", "db:orders")),
    ("AwsRdsDbClusterSnapshot", OWN.format("rds", "cluster-snapshot:orders")),
    ("AwsCloudTrailTrail", OWN.format("cloudtrail", "trail/all")),
    ("AwsIamUser", "arn:aws:iam::444455556666:user/team/ann"),
    ("AwsIamAccessKey", "AWS::IAM::AccessKey:AKIAIOSFODNN7EXAMPLE"),
    ("AwsAccount", "AWS::::Account:444455556666"),
    ("AwsDynamoDbTable", OWN.format("dynamodb", "table/orders")),
    ("AwsWafv2WebAcl", OWN.format("wafv2", "regional/webacl/one/1a2b")),
    ("AwsElbv2LoadBalancer", OWN.format("elasticloadbalancing", "loadbalancer/app/one/1a2b")),
    ("Other", "something else"),
)
FINDINGS = st.builds(
    lambda number, severity, workflow, state, compliance, resources: asff_finding(
        number,
        # The new Security Hub calls each control that passes informational.
        Severity={"Label": "INFORMATIONAL" if compliance == "PASSED" else severity},
        Workflow={"Status": workflow},
        RecordState=state,
        Compliance={"Status": compliance, "SecurityControlId": "S3.8"},
        Resources=[{"Type": type_, "Id": id_, "Tags": {"team": "one"}} for type_, id_ in resources],
    ),
    st.integers(1, 9),
    st.sampled_from(["INFORMATIONAL", "LOW", "MEDIUM", "HIGH", "CRITICAL"]),
    st.sampled_from(["NEW", "NOTIFIED", "SUPPRESSED", "RESOLVED"]),
    st.sampled_from(["ACTIVE", "ARCHIVED"]),
    st.sampled_from(["PASSED", "FAILED", "WARNING", "NOT_AVAILABLE"]),
    st.lists(st.sampled_from(RESOURCES), min_size=1, max_size=3, unique=True),
)


@given(FINDINGS)
@examples(1)
def test_a_finding_is_the_same_in_both_formats(given_finding):
    asff = parse_finding(given_finding)
    ocsf_finding = parse_finding_v2(ocsf.finding_of(given_finding, is_new=True))
    assert {name: getattr(ocsf_finding, name) for name in SAME} == {
        name: getattr(asff, name) for name in SAME
    }
    assert ocsf_finding.identity == asff.identity
    assert [(one.type, one.id) for one in ocsf_finding.resources] == [
        (one.type, one.id) for one in asff.resources
    ]
    for resource in asff.resources:
        assert ocsf_finding.tags_of(resource.id) == asff.tags_of(resource.id)
