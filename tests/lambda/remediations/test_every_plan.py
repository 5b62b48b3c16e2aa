"""What holds for the plan of every remediation, whatever the finding names and whatever AWS answers.

The clients are botocore's own; only what would be sent is answered here instead.
"""

from __future__ import annotations

import re
from types import SimpleNamespace

import boto3
import botocore.session
import pytest
from botocore.loaders import create_loader
from hypothesis import given
from hypothesis import strategies as st

from remediations.contract import CannotRemediateError
from remediations.registry import all_remediations, enabled_remediations
from securityhub.events import Finding, Resource
from tests.hypothesis_profiles import examples

ACCOUNT, REGION = "444455556666", "eu-west-1"
KEY = "1234abcd-12ab-34cd-56ef-1234567890ab"
USER_ID = "AIDACKCEVSQ6C2EXAMPLE"
# For each type, an ID that names a resource of the finding's account and Region for certain, and one that
# does not: a bare ID or name can be of another account or Region, or of another resource of that name.
EXACT = {
    "AwsAccount": f"AWS::::Account:{ACCOUNT}",
    "AwsCloudTrailTrail": f"arn:aws:cloudtrail:{REGION}:{ACCOUNT}:trail/name",
    "AwsEc2Instance": f"arn:aws:ec2:{REGION}:{ACCOUNT}:instance/i-0123456789abcdef0",
    "AwsEc2SecurityGroup": f"arn:aws:ec2:{REGION}:{ACCOUNT}:security-group/sg-0123456789abcdef0",
    "AwsEc2Subnet": f"arn:aws:ec2:{REGION}:{ACCOUNT}:subnet/subnet-0123456789abcdef0",
    "AwsIamUser": f"arn:aws:iam::{ACCOUNT}:user/people/ann",
    "AwsKmsKey": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/{KEY}",
    "AwsLambdaFunction": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:name",
    "AwsRdsDbCluster": f"arn:aws:rds:{REGION}:{ACCOUNT}:cluster:name",
    "AwsRdsDbClusterSnapshot": f"arn:aws:rds:{REGION}:{ACCOUNT}:cluster-snapshot:name",
    "AwsRdsDbInstance": f"arn:aws:rds:{REGION}:{ACCOUNT}:db:name",
    "AwsRdsDbSnapshot": f"arn:aws:rds:{REGION}:{ACCOUNT}:snapshot:name",
    "AwsS3Bucket": "arn:aws:s3:::Legacy_Reports",
    "AwsSnsTopic": f"arn:aws:sns:{REGION}:{ACCOUNT}:name",
    "AwsSqsQueue": f"arn:aws:sqs:{REGION}:{ACCOUNT}:name",
}
INEXACT = {
    "AwsAccount": f"arn:aws:autoscaling:{REGION}:{ACCOUNT}:autoScalingGroup:1:autoScalingGroupName/name",
    "AwsCloudTrailTrail": "name",
    "AwsEc2Instance": "i-0123456789abcdef0",
    "AwsEc2SecurityGroup": "sg-0123456789abcdef0",
    "AwsEc2Subnet": "subnet-0123456789abcdef0",
    "AwsIamAccessKey": "AWS::IAM::AccessKey:AKIAIOSFODNN7EXAMPLE",
    "AwsIamUser": "ann",
    "AwsKmsKey": KEY,
    "AwsLambdaFunction": "name",
    "AwsRdsDbCluster": f"arn:aws:rds:{REGION}:{ACCOUNT}:dbcluster/cluster-EXAMPLE",
    "AwsRdsDbClusterSnapshot": "name",
    "AwsRdsDbInstance": "name",
    "AwsRdsDbSnapshot": "name",
    "AwsS3Bucket": "name",
    "AwsSnsTopic": "name",
    "AwsSqsQueue": "name",
}
PARAMETERS = {name: {"kms_key": "alias/mine"} for name in ("cloudtrail_encryption", "sns_topic_encryption")}
REMEDIATIONS = enabled_remediations(all_remediations(), PARAMETERS)
SERVED = [
    pytest.param(name, control, kind, id=f"{name}-{control.rpartition('/')[2]}-{kind}")
    for name, one in REMEDIATIONS.items()
    for control in one.control_ids
    for kind in one.resource_types
]
# How each service says that it does not find something, beyond what its model has, and that what it was
# given is no identifier.
NOT_FOUND = {
    "ec2": ["InvalidInstanceID.NotFound", "InvalidGroup.NotFound", "InvalidSubnetID.NotFound"],
    "s3": ["NoSuchBucket", "NoSuchBucketPolicy", "NoSuchPublicAccessBlockConfiguration"],
    "rds": [],
}
MALFORMED = [
    "InvalidInstanceID.Malformed",
    "InvalidGroupId.Malformed",
    "InvalidParameterValue",
    "ValidationError",
    "ValidationException",
    "InvalidArnException",
    "InvalidParameterValueException",
    "InvalidBucketName",
    "InvalidParameter",
    "InvalidAddress",
    "CloudTrailARNInvalidException",
    "InvalidTrailNameException",
]


class Answers:
    """Stands for a session in a member account in which nothing is.

    Attributes:
        answer: "nothing" for empty lists where there are lists, "not found", or the code of an error.
        calls: The operations called since it was cleared, each with its parameters.
    """

    def __init__(self):
        core = botocore.session.Session()
        core.register_component("data_loader", create_loader())
        core.set_credentials("a", "b")
        self._session = boto3.Session(
            botocore_session=core,
            region_name=REGION,
        )
        self._session.events.register("before-parameter-build", self._note)
        self._session.events.register("before-call", self._answer)
        self._clients = {}
        self.answer, self.variant, self.calls = "nothing", 0, []

    def client(self, service, region_name=REGION):
        key = (service, region_name)
        if key not in self._clients:
            self._clients[key] = self._session.client(service, region_name=region_name)
        return self._clients[key]

    def _note(self, params, model, **_):
        self.calls.append((model.name, dict(params)))

    def _answer(self, model, **_):
        lists = _empty_lists(model.output_shape)
        if self.answer == "nothing" and lists:
            return SimpleNamespace(status_code=200), lists
        codes = [self.answer]
        if self.answer in {"nothing", "not found"}:
            service = model.service_model
            codes = [
                *NOT_FOUND.get(service.service_name, ()),
                *(
                    shape.error_code
                    for shape in service.error_shapes
                    if re.search("NotFound|NoSuch|DoesNotExist", shape.name)
                ),
            ] or ["NoSuchPublicAccessBlockConfiguration"]
        error = {"Code": codes[self.variant % len(codes)], "Message": "There is none."}
        return SimpleNamespace(status_code=404), {"Error": error, "ResponseMetadata": {}}


def _empty_lists(shape):
    """What an operation that lists answers where there is nothing; empty for other operations."""
    members = shape.members.items() if shape else ()
    kinds = {"list": [], "map": {}}
    return {name: kinds[member.type_name] for name, member in members if member.type_name in kinds}


@pytest.fixture(scope="module")
def answers():
    return Answers()


def finding_about(control, kind, resource_id, *, details=None):
    product = control if control.startswith("product/") else "product/aws/securityhub"
    return Finding(
        id="finding",
        product_arn=f"arn:aws:securityhub:{REGION}::{product}",
        aws_account_id=ACCOUNT,
        region=REGION,
        generator_id=None,
        title=None,
        severity_label=None,
        workflow_status=None,
        record_state=None,
        compliance_status=None,
        resources=(Resource(type=kind, id=resource_id, region=REGION),),
        updated_at=None,
        raw={
            "Compliance": {"SecurityControlId": control},
            "Resources": [{"Id": resource_id, "Type": kind, "Details": {kind: details or {}}}],
        },
    )


def planned(answers, name, finding):
    """The plan of a remediation, or None where it refuses."""
    answers.calls.clear()
    try:
        return REMEDIATIONS[name].plan(finding, answers)
    except CannotRemediateError:
        return None


def test_every_type_of_resource_has_its_ids():
    kinds = {kind for one in REMEDIATIONS.values() for kind in one.resource_types}
    assert kinds == INEXACT.keys()
    assert kinds - EXACT.keys() == {"AwsIamAccessKey"}


def variants(answer):
    return [(answer, number) for number in range(12 if answer == "not found" else 1)]


@pytest.mark.parametrize(("name", "control", "kind"), SERVED)
@pytest.mark.parametrize("details", [None, {"PrincipalName": "ann"}, {"UserName": "ann"}])
def test_what_is_not_found_under_an_id_that_does_not_name_it_for_certain_is_never_settled(
    answers, *, name, control, kind, details
):
    finding = finding_about(control, kind, INEXACT[kind], details=details)
    for answers.answer, answers.variant in (*variants("nothing"), *variants("not found")):
        plan = planned(answers, name, finding)
        assert plan is None or plan.is_needed, (answers.answer, answers.variant)


def name_in(resource_id):
    return re.split("[:/]", resource_id)[-1]


@pytest.mark.parametrize(("name", "control", "kind"), SERVED)
def test_nothing_is_settled_without_looking_at_the_resource_of_the_finding(answers, *, name, control, kind):
    finding = finding_about(control, kind, EXACT.get(kind, INEXACT[kind]))
    for answers.answer, answers.variant in (*variants("nothing"), *variants("not found")):
        plan = planned(answers, name, finding)
        if plan is not None and not plan.is_needed:
            given = repr(answers.calls)
            # What is the account's is read with the account's credentials.
            assert answers.calls if kind == "AwsAccount" else name_in(finding.resources[0].id) in given


def ids(kind):
    """Any text, and what is nearly an ID of that kind."""
    exact = EXACT.get(kind, INEXACT[kind])
    texts = st.text(max_size=60)
    near = st.builds(
        lambda cut, text: exact[:cut] + text, st.integers(min_value=0, max_value=len(exact)), texts
    )
    return (
        texts | near | st.builds(lambda text: exact + text, texts) | st.sampled_from([exact, INEXACT[kind]])
    )


@pytest.mark.parametrize(("name", "control", "kind"), SERVED)
@given(data=st.data())
@examples(0.25)
def test_any_text_as_the_id_is_refused_or_planned_for_and_fails_nothing(
    answers, *, name, control, kind, data
):
    resource_id = data.draw(ids(kind))
    answers.answer = data.draw(st.sampled_from(["nothing", "not found", *MALFORMED]))
    answers.variant = data.draw(st.integers(min_value=0, max_value=11))
    details = data.draw(st.sampled_from([{}, {"PrincipalName": "ann", "PrincipalId": USER_ID}]))
    plan = planned(answers, name, finding_about(control, kind, resource_id, details=details))
    assert plan is None or plan.resource == resource_id


def test_what_a_retry_can_cure_is_not_refused(answers):
    answers.answer = "ThrottlingException"
    (kms,) = [one for name, one in REMEDIATIONS.items() if name == "kms_key_rotation"]
    with pytest.raises(answers.client("kms").exceptions.ClientError, match="ThrottlingException"):
        kms.plan(finding_about("KMS.4", "AwsKmsKey", EXACT["AwsKmsKey"]), answers)
