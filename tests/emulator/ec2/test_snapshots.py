from __future__ import annotations


def test_only_a_snapshot_shared_with_everybody_is_found_as_public(embedded_aws):
    ec2 = embedded_aws.client("ec2", account="222233334466", region="eu-west-1")
    volume = ec2.create_volume(AvailabilityZone="eu-west-1a", Size=1)["VolumeId"]
    public, private = (ec2.create_snapshot(VolumeId=volume)["SnapshotId"] for _ in range(2))

    def share(snapshot, **with_whom):
        ec2.modify_snapshot_attribute(SnapshotId=snapshot, Attribute="createVolumePermission", **with_whom)

    def found():
        snapshots = ec2.describe_snapshots(OwnerIds=["self"], RestorableByUserIds=["all"])["Snapshots"]
        return [snapshot["SnapshotId"] for snapshot in snapshots]

    share(private, OperationType="add", UserIds=["111122223333"])
    assert found() == []
    share(public, OperationType="add", GroupNames=["all"])
    assert found() == [public]
    share(public, OperationType="remove", GroupNames=["all"])
    assert found() == []
