from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remediations.contract import CannotRemediateError
from remediations.rds.databases import identifier_of
from remediations.registry import all_remediations
from securityhub.events import Finding, Resource

ACCOUNT, REGION = "111122223333", "eu-west-1"
KINDS = {
    "AwsRdsDbCluster": "cluster",
    "AwsRdsDbClusterSnapshot": "cluster-snapshot",
    "AwsRdsDbInstance": "db",
    "AwsRdsDbSnapshot": "snapshot",
}


def identified(resource_type, resource_id):
    resource = Resource(type=resource_type, id=resource_id, region=REGION)
    finding = Finding(
        id="1",
        product_arn=f"arn:aws:securityhub:{REGION}::product/aws/securityhub",
        aws_account_id=ACCOUNT,
        region=REGION,
        generator_id=None,
        title=None,
        severity_label=None,
        workflow_status=None,
        record_state=None,
        compliance_status=None,
        resources=(resource,),
        updated_at=None,
        raw={},
    )
    return identifier_of(finding, resource)


@pytest.mark.parametrize("resource_type", KINDS)
@given(
    partition=st.sampled_from(["aws", "aws-cn", "aws-us-gov", "aws-eusc"]),
    name=st.from_regex(r"[a-z][a-z0-9-]{0,40}(:[a-z0-9-]{1,20})?", fullmatch=True),
)
def test_the_identifier_is_all_that_follows_the_type(resource_type, partition, name):
    arn = f"arn:{partition}:rds:{REGION}:{ACCOUNT}:{KINDS[resource_type]}:{name}"
    assert identified(resource_type, arn) == name


@pytest.mark.parametrize(
    "given_id",
    [
        "shop",
        "",
        f"arn:aws:rds:{REGION}:{ACCOUNT}:db:",
        f"arn:aws:rds:{REGION}:{ACCOUNT}:db:shop\n",
        f"arn:aws:rds:{REGION}:{ACCOUNT}:cluster:shop",
        f"arn:aws:rds:{REGION}:999988887777:db:shop",
        f"arn:aws:rds:us-east-1:{ACCOUNT}:db:shop",
        f"arn:aws:ec2:{REGION}:{ACCOUNT}:db:shop",
    ],
)
def test_an_id_that_is_no_arn_of_the_findings_account_region_and_type_is_refused(given_id):
    with pytest.raises(
        CannotRemediateError, match=rf"must be an ARN such as arn:aws:rds:{REGION}:{ACCOUNT}:db:NAME"
    ):
        identified("AwsRdsDbInstance", given_id)


INSTANCE_CONTROLS = {
    "rds_deletion_protection": "RDS.8",
    "rds_instance_public_access": "RDS.2",
    "rds_minor_version_upgrade": "RDS.13",
    "rds_multi_az": "RDS.5",
}
CLUSTER_CONTROLS = {
    "documentdb_backup_retention": ("DocumentDB.2", "docdb"),
    "neptune_backup_retention": ("Neptune.5", "neptune"),
    "rds_deletion_protection": ("RDS.7", "aurora-mysql"),
}


def finding_with(member, control, resource_type, arn, details):
    resource = {"Type": resource_type, "Id": arn, "Details": {resource_type: details}}
    raw = {"Compliance": {"SecurityControlId": control}, "Resources": [resource]}
    return member.finding(control, resource_type, arn, raw=raw)


@pytest.mark.parametrize(("name", "control"), INSTANCE_CONTROLS.items())
def test_an_instance_that_took_over_the_name_of_the_findings_is_not_remediated_in_its_place(
    member, rds, make_shop, name, control
):
    arn, plan = make_shop(PubliclyAccessible=True), all_remediations()[name].plan
    own = rds.describe_db_instances(DBInstanceIdentifier="shop")["DBInstances"][0]["DbiResourceId"]
    for details in ({}, {"DbiResourceId": own}):
        plan(finding_with(member, control, "AwsRdsDbInstance", arn, details), member.session)
    with pytest.raises(CannotRemediateError, match="is another resource by now: its DbiResourceId is db-"):
        plan(
            finding_with(member, control, "AwsRdsDbInstance", arn, {"DbiResourceId": "db-OF-ANOTHER"}),
            member.session,
        )


@pytest.mark.parametrize(("name", "control", "engine"), [(k, *v) for k, v in CLUSTER_CONTROLS.items()])
def test_a_cluster_that_took_over_the_name_of_the_findings_is_not_remediated_in_its_place(
    member, rds, name, control, engine
):
    made = rds.create_db_cluster(
        DBClusterIdentifier="shops", Engine=engine, MasterUsername="root", MasterUserPassword="a-test's-own"
    )["DBCluster"]
    plan = all_remediations()[name].plan
    for details in ({}, {"DbClusterResourceId": made["DbClusterResourceId"]}):
        plan(finding_with(member, control, "AwsRdsDbCluster", made["DBClusterArn"], details), member.session)
    other = {"DbClusterResourceId": "cluster-OF-ANOTHER"}
    with pytest.raises(CannotRemediateError, match="is another resource by now: its DbClusterResourceId is"):
        plan(finding_with(member, control, "AwsRdsDbCluster", made["DBClusterArn"], other), member.session)
