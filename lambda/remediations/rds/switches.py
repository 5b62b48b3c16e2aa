"""Settings of a DB instance that are on or off.

ApplyImmediately isn't set: these settings take effect immediately anyway, but everything else that is pending
until the maintenance window would, too, perhaps with an outage.

Source: https://docs.aws.amazon.com/securityhub/latest/userguide/rds-controls.html#rds-2
Source: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_VPC.WorkingWithRDSInstanceinaVPC.html
Source: https://docs.aws.amazon.com/securityhub/latest/userguide/rds-controls.html#rds-13
Source: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_UpgradeDBInstance.Upgrading.html
Source: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_StopInstance.html
"""

from __future__ import annotations

from typing import Final

from remediations.switch import Row

SWITCHES: Final[tuple[Row, ...]] = (
    {
        # Clients that connect over the internet lose the connection. The instance doesn't restart.
        "name": "rds_instance_public_access",
        "control_ids": ("RDS.2",),
        "resource_types": ("AwsRdsDbInstance",),
        "description": "Turns off public access to a DB instance, so that its name resolves to a "
        "private address",
        "service": "rds",
        "resource": "arn:${Partition}:rds:${Region}:${Account}:db:*",
        "identifier": (
            "DBInstanceIdentifier",
            "arn:aws[a-z-]*:rds:${Region}:${Account}:db:([A-Za-z][A-Za-z0-9-]*)",
            "the ARN of a DB instance, such as arn:aws:rds:REGION:ACCOUNT:db:NAME",
        ),
        "read": (
            "DescribeDBInstances",
            {"DBInstanceIdentifier": "{id}"},
            "arn:${Partition}:rds:${Region}:${Account}:db:*",
        ),
        "at": ("DBInstances", 0, "PubliclyAccessible"),
        # An instance that isn't found can have been renamed, and then lives on as it was.
        # https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_RenameInstance.html
        "gone": (("DBInstanceNotFound",), ""),
        "unique": "DbiResourceId",
        "unchangeable": (
            "DBInstanceStatus",
            "stopped",
            "The database is stopped, and Amazon RDS changes none that is. Start it, wait until it's "
            "available, and press again.",
        ),
        "wanted": (False, "ModifyDBInstance", {"DBInstanceIdentifier": "{id}", "PubliclyAccessible": False}),
        "other": (True, "ModifyDBInstance", {"DBInstanceIdentifier": "{id}", "PubliclyAccessible": True}),
        "plan": "Turn off PubliclyAccessible",
        "already": "PubliclyAccessible is already off",
    },
    {
        # Nothing is upgraded before the next maintenance window. An undo reverts no upgrade.
        "name": "rds_minor_version_upgrade",
        "control_ids": ("RDS.13",),
        "resource_types": ("AwsRdsDbInstance",),
        "description": "Turns on automatic minor version upgrades of a DB instance, in its maintenance "
        "window",
        "service": "rds",
        "resource": "arn:${Partition}:rds:${Region}:${Account}:db:*",
        "identifier": (
            "DBInstanceIdentifier",
            "arn:aws[a-z-]*:rds:${Region}:${Account}:db:([A-Za-z][A-Za-z0-9-]*)",
            "the ARN of a DB instance, such as arn:aws:rds:REGION:ACCOUNT:db:NAME",
        ),
        "read": (
            "DescribeDBInstances",
            {"DBInstanceIdentifier": "{id}"},
            "arn:${Partition}:rds:${Region}:${Account}:db:*",
        ),
        "at": ("DBInstances", 0, "AutoMinorVersionUpgrade"),
        # An instance that isn't found can have been renamed, and then lives on as it was.
        # https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_RenameInstance.html
        "gone": (("DBInstanceNotFound",), ""),
        "unique": "DbiResourceId",
        "unchangeable": (
            "DBInstanceStatus",
            "stopped",
            "The database is stopped, and Amazon RDS changes none that is. Start it, wait until it's "
            "available, and press again.",
        ),
        "wanted": (
            True,
            "ModifyDBInstance",
            {"DBInstanceIdentifier": "{id}", "AutoMinorVersionUpgrade": True},
        ),
        "other": (
            False,
            "ModifyDBInstance",
            {"DBInstanceIdentifier": "{id}", "AutoMinorVersionUpgrade": False},
        ),
        "plan": "Turn on AutoMinorVersionUpgrade",
        "already": "AutoMinorVersionUpgrade is already on",
    },
)
