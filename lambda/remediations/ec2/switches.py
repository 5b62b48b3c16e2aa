"""Settings of instances, subnets, and accounts that have two values.

The actions that describe instances and subnets, and those about encryption by default, have no resource-level
permissions. Filters are used to describe, because they find nothing where an unknown ID would be an error.

Source: https://docs.aws.amazon.com/securityhub/latest/userguide/ec2-controls.html#ec2-7
Source: https://docs.aws.amazon.com/ebs/latest/userguide/encryption-by-default.html
Source: https://docs.aws.amazon.com/securityhub/latest/userguide/ec2-controls.html#ec2-8
Source: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-IMDS-existing-instances.html
Source: https://docs.aws.amazon.com/securityhub/latest/userguide/ec2-controls.html#ec2-15
Source: https://docs.aws.amazon.com/vpc/latest/userguide/subnet-public-ip.html
"""

from __future__ import annotations

from typing import Final

from remediations.switch import Row

SWITCHES: Final[tuple[Row, ...]] = (
    {
        # Existing volumes stay as they are.
        "name": "ebs_default_encryption",
        "control_ids": ("EC2.7",),
        "resource_types": ("AwsAccount",),
        "description": "Turns on EBS encryption by default in the account and Region",
        "service": "ec2",
        "resource": "*",
        "identifier": ("", "", ""),
        "read": ("GetEbsEncryptionByDefault", {}, "*"),
        "at": ("EbsEncryptionByDefault",),
        "gone": ((), ""),
        "wanted": (True, "EnableEbsEncryptionByDefault", {}),
        "other": (False, "DisableEbsEncryptionByDefault", {}),
        "plan": "Turn on EBS encryption by default in {region}",
        "already": "EBS encryption by default is already on in {region}",
    },
    {
        # Requests for metadata without a token are rejected from then on. The other options stay: EC2 takes
        # HttpTokens only with HttpEndpoint, which would open an endpoint that is disabled.
        "name": "ec2_require_imdsv2",
        "control_ids": ("EC2.8",),
        "resource_types": ("AwsEc2Instance",),
        "description": "Requires IMDSv2 on an instance, so that its metadata can't be read without a token",
        "service": "ec2",
        "resource": "arn:${Partition}:ec2:${Region}:${Account}:instance/*",
        "identifier": (
            "InstanceId",
            "(?:arn:.+[:/])?(i-(?:[0-9a-f]{8}|[0-9a-f]{17}))",
            "the ARN or ID of an instance, such as i-0123456789abcdef0",
        ),
        "read": (
            "DescribeInstances",
            {
                "Filters": [
                    {"Name": "instance-id", "Values": ["{id}"]},
                    # Those that are shutting down or terminated count as gone.
                    {"Name": "instance-state-name", "Values": ["pending", "running", "stopping", "stopped"]},
                ]
            },
            "*",
        ),
        "at": ("Reservations", 0, "Instances", 0, "MetadataOptions", "HttpTokens"),
        "gone": ((), "The instance"),
        "unchangeable": (
            "HttpEndpoint",
            "disabled",
            "The metadata of the instance can't be read, because the endpoint is disabled, and EC2 changes "
            "HttpTokens only if it's enabled. Leave it disabled and suppress the finding, or enable it and "
            "press again.",
        ),
        "wanted": (
            "required",
            "ModifyInstanceMetadataOptions",
            {"InstanceId": "{id}", "HttpTokens": "required", "HttpEndpoint": "enabled"},
        ),
        "other": (
            "optional",
            "ModifyInstanceMetadataOptions",
            {"InstanceId": "{id}", "HttpTokens": "optional", "HttpEndpoint": "enabled"},
        ),
        "plan": "Require IMDSv2",
        "already": "IMDSv2 is already required",
    },
    {
        # Existing network interfaces keep their public addresses. The control fails for a subnet that assigns
        # IPv6 addresses, too. That is for people to decide, because a subnet can have no others.
        "name": "subnet_public_ip",
        "control_ids": ("EC2.15",),
        "resource_types": ("AwsEc2Subnet",),
        "description": "Stops a subnet from assigning public IPv4 addresses to new network interfaces",
        "service": "ec2",
        "resource": "arn:${Partition}:ec2:${Region}:${Account}:subnet/*",
        "identifier": (
            "SubnetId",
            "(?:arn:.+[:/])?(subnet-(?:[0-9a-f]{8}|[0-9a-f]{17}))",
            "the ARN or ID of a subnet, such as subnet-0123456789abcdef0",
        ),
        "read": ("DescribeSubnets", {"Filters": [{"Name": "subnet-id", "Values": ["{id}"]}]}, "*"),
        "at": ("Subnets", 0, "MapPublicIpOnLaunch"),
        "gone": ((), "The subnet"),
        "remains": (
            "AssignIpv6AddressOnCreation",
            "Decide manually if the subnet has to assign IPv6 addresses, for which the control also fails",
        ),
        "wanted": (
            False,
            "ModifySubnetAttribute",
            {"SubnetId": "{id}", "MapPublicIpOnLaunch": {"Value": False}},
        ),
        "other": (
            True,
            "ModifySubnetAttribute",
            {"SubnetId": "{id}", "MapPublicIpOnLaunch": {"Value": True}},
        ),
        "plan": "Stop the subnet from assigning public IPv4 addresses",
        "already": "The subnet doesn't assign public IPv4 addresses",
    },
)
