from __future__ import annotations


def test_only_the_groups_of_the_given_interface_change(embedded_aws):
    ec2 = embedded_aws.client("ec2", account="222233334477", region="eu-west-1")
    instance = ec2.run_instances(ImageId="ami-1", MinCount=1, MaxCount=1)["Instances"][0]
    second = ec2.create_network_interface(SubnetId=instance["SubnetId"])["NetworkInterface"]
    ec2.attach_network_interface(
        NetworkInterfaceId=second["NetworkInterfaceId"], InstanceId=instance["InstanceId"], DeviceIndex=1
    )
    group = ec2.create_security_group(GroupName="g", Description="d")["GroupId"]

    def groups():
        found = ec2.describe_instances(InstanceIds=[instance["InstanceId"]])["Reservations"][0]["Instances"]
        return [[one["GroupId"] for one in each["Groups"]] for each in found[0]["NetworkInterfaces"]]

    primary = instance["NetworkInterfaces"][0]["NetworkInterfaceId"]
    before = groups()
    ec2.modify_network_interface_attribute(NetworkInterfaceId=primary, Groups=[group])
    assert groups() == [[group], before[1]]
    ec2.modify_network_interface_attribute(NetworkInterfaceId=second["NetworkInterfaceId"], Groups=[group])
    assert groups() == [[group], [group]]
