"""A database that is stopped is left to a person: Amazon RDS changes none, however often that's tried."""

from __future__ import annotations

import pytest

from remediations.contract import CannotRemediateError
from remediations.registry import all_remediations

LOGIN = {"MasterUsername": "root", "MasterUserPassword": "a-test's-own"}
INSTANCE, CLUSTER = "AwsRdsDbInstance", "AwsRdsDbCluster"
CASES = {
    "rds_deletion_protection": ("RDS.8", INSTANCE, {}),
    "rds_instance_public_access": ("RDS.2", INSTANCE, {"PubliclyAccessible": True}),
    "rds_minor_version_upgrade": ("RDS.13", INSTANCE, {"AutoMinorVersionUpgrade": False}),
    "rds_multi_az": ("RDS.5", INSTANCE, {}),
    "documentdb_backup_retention": ("DocumentDB.2", CLUSTER, {"Engine": "docdb", "BackupRetentionPeriod": 2}),
    "neptune_backup_retention": ("Neptune.5", CLUSTER, {"Engine": "neptune", "BackupRetentionPeriod": 2}),
}


class Database:
    """The instance or cluster `shop`, with a finding about it."""

    def __init__(self, member, rds, name, make_shop):
        control, kind, settings = CASES[name]
        self._rds, self._is_cluster = rds, kind == CLUSTER
        self._place = {"DBClusterIdentifier" if self._is_cluster else "DBInstanceIdentifier": "shop"}
        if self._is_cluster:
            arn = rds.create_db_cluster(**self._place, **settings, **LOGIN)["DBCluster"]["DBClusterArn"]
        else:
            arn = make_shop(**settings)
        self.finding = member.finding(control, kind, arn)

    def stop(self):
        stop = self._rds.stop_db_cluster if self._is_cluster else self._rds.stop_db_instance
        stop(**self._place)

    def start(self):
        start = self._rds.start_db_cluster if self._is_cluster else self._rds.start_db_instance
        start(**self._place)


@pytest.mark.parametrize("name", CASES)
def test_a_stopped_database_is_left_to_a_person_until_it_is_started(
    member, rds, make_shop, with_automation_role, name
):
    remediation = all_remediations()[name]
    if remediation.runbook:
        with_automation_role(name)
    shop = Database(member, rds, name, make_shop)
    shop.stop()
    with pytest.raises(CannotRemediateError, match="The database is stopped, and Amazon RDS changes none"):
        remediation.plan(shop.finding, member.session)

    shop.start()
    change = remediation.apply(remediation.plan(shop.finding, member.session), member.session)
    shop.stop()
    # Whether it's still so can be said of a stopped one as well.
    assert not remediation.plan(shop.finding, member.session).is_needed
    with pytest.raises(CannotRemediateError, match="Start it, wait until it's available, and press again"):
        remediation.look(change, member.session)

    shop.start()
    remediation.undo(change, member.session, remediation.look(change, member.session))
    shop.stop()
    assert [one.is_restored for one in remediation.look(change, member.session)] == [True]


def test_a_stopped_cluster_is_left_to_a_person(member, rds):
    remediation = all_remediations()["rds_deletion_protection"]
    made = rds.create_db_cluster(DBClusterIdentifier="shops", Engine="aurora-postgresql", **LOGIN)
    finding = member.finding("RDS.7", CLUSTER, made["DBCluster"]["DBClusterArn"])
    rds.stop_db_cluster(DBClusterIdentifier="shops")
    with pytest.raises(CannotRemediateError, match="The database is stopped"):
        remediation.plan(finding, member.session)
