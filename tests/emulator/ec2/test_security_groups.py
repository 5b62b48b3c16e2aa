from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

RULE = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}
OTHER = {**RULE, "FromPort": 80, "ToPort": 80}


@pytest.mark.parametrize("direction", ["ingress", "egress"])
def test_a_rule_that_is_there_is_refused_together_with_the_others_of_its_request(embedded_aws, direction):
    ec2 = embedded_aws.client("ec2")
    group = ec2.create_security_group(GroupName=f"example-{direction}", Description="A test's")["GroupId"]
    authorize = getattr(ec2, f"authorize_security_group_{direction}")
    authorize(GroupId=group, IpPermissions=[RULE])

    with pytest.raises(ClientError, match=r"InvalidPermission\.Duplicate"):
        authorize(GroupId=group, IpPermissions=[OTHER, RULE])

    rules = ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [group]}])
    ports = {rule["FromPort"] for rule in rules["SecurityGroupRules"]}
    assert 22 in ports
    assert 80 not in ports
