from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

LOGIN = {"MasterUsername": "root", "MasterUserPassword": "a-test's-own"}
PARTNER = "444455556666"


@pytest.fixture
def rds(embedded_aws):
    return embedded_aws.client("rds", account="555566667777", region="eu-west-1")


@pytest.fixture
def instance(rds):
    rds.create_db_instance(
        DBInstanceIdentifier="shop",
        DBInstanceClass="db.t3.micro",
        Engine="mysql",
        AllocatedStorage=20,
        **LOGIN,
    )
    yield "shop"
    rds.delete_db_instance(DBInstanceIdentifier="shop", SkipFinalSnapshot=True)


def test_automatic_minor_version_upgrade_is_kept_and_stays_when_something_else_is_modified(rds, instance):
    for modified, expected in (
        ({"AutoMinorVersionUpgrade": False}, False),
        ({"DeletionProtection": False}, False),
        ({"AutoMinorVersionUpgrade": True}, True),
    ):
        answer = rds.modify_db_instance(DBInstanceIdentifier=instance, **modified)
        assert answer["DBInstance"]["AutoMinorVersionUpgrade"] is expected


def test_whom_a_snapshot_of_an_instance_is_shared_with_ends_with_the_snapshot(rds, instance):
    place = {"DBSnapshotIdentifier": "shared"}
    rds.create_db_snapshot(**place, DBInstanceIdentifier=instance)
    rds.modify_db_snapshot_attribute(**place, AttributeName="restore", ValuesToAdd=["all", PARTNER])
    left = rds.modify_db_snapshot_attribute(**place, AttributeName="restore", ValuesToRemove=["all"])
    kept = rds.describe_db_snapshot_attributes(**place)
    expected = {
        "DBSnapshotIdentifier": "shared",
        "DBSnapshotAttributes": [{"AttributeName": "restore", "AttributeValues": [PARTNER]}],
    }
    assert left["DBSnapshotAttributesResult"] == kept["DBSnapshotAttributesResult"] == expected
    rds.delete_db_snapshot(**place)
    with pytest.raises(ClientError, match="DBSnapshotNotFound"):
        rds.describe_db_snapshot_attributes(**place)


def test_whom_a_snapshot_of_a_cluster_is_shared_with_ends_with_the_snapshot(rds):
    rds.create_db_cluster(DBClusterIdentifier="shops", Engine="aurora-postgresql", **LOGIN)
    place = {"DBClusterSnapshotIdentifier": "shared"}
    rds.create_db_cluster_snapshot(**place, DBClusterIdentifier="shops")
    rds.modify_db_cluster_snapshot_attribute(**place, AttributeName="restore", ValuesToAdd=["all", PARTNER])
    left = rds.modify_db_cluster_snapshot_attribute(**place, AttributeName="restore", ValuesToRemove=["all"])
    kept = rds.describe_db_cluster_snapshot_attributes(**place)
    expected = {
        "DBClusterSnapshotIdentifier": "shared",
        "DBClusterSnapshotAttributes": [{"AttributeName": "restore", "AttributeValues": [PARTNER]}],
    }
    assert left["DBClusterSnapshotAttributesResult"] == kept["DBClusterSnapshotAttributesResult"] == expected
    rds.delete_db_cluster_snapshot(**place)
    with pytest.raises(ClientError, match="DBClusterSnapshotNotFoundFault"):
        rds.describe_db_cluster_snapshot_attributes(**place)


def test_a_stopped_instance_is_not_modified(rds, instance):
    rds.stop_db_instance(DBInstanceIdentifier=instance)
    with pytest.raises(ClientError, match=r"InvalidDBInstanceState.*can't modify a stopped DB instance"):
        rds.modify_db_instance(DBInstanceIdentifier=instance, DeletionProtection=True)
    rds.start_db_instance(DBInstanceIdentifier=instance)
    assert rds.modify_db_instance(DBInstanceIdentifier=instance, DeletionProtection=False)


def test_a_stopped_cluster_is_not_modified(rds):
    place = {"DBClusterIdentifier": "stopped"}
    rds.create_db_cluster(**place, Engine="aurora-postgresql", **LOGIN)
    rds.stop_db_cluster(**place)
    with pytest.raises(ClientError, match="InvalidDBClusterStateFault"):
        rds.modify_db_cluster(**place, DeletionProtection=True)
    rds.start_db_cluster(**place)
    assert rds.modify_db_cluster(**place, DeletionProtection=False)
    rds.delete_db_cluster(**place, SkipFinalSnapshot=True)
