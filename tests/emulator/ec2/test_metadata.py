from __future__ import annotations

import pytest
from botocore.exceptions import ClientError


@pytest.fixture
def ec2(embedded_aws):
    return embedded_aws.client("ec2", account="222233334455", region="eu-west-1")


def test_only_the_given_metadata_option_changes(ec2):
    instance = ec2.run_instances(ImageId="ami-1", MinCount=1, MaxCount=1)["Instances"][0]
    assert instance["MetadataOptions"]["HttpTokens"] == "optional"
    ec2.modify_instance_metadata_options(InstanceId=instance["InstanceId"], HttpPutResponseHopLimit=2)
    ec2.modify_instance_metadata_options(InstanceId=instance["InstanceId"], HttpTokens="required")
    found = ec2.describe_instances(InstanceIds=[instance["InstanceId"]])["Reservations"][0]["Instances"][0]
    assert found["MetadataOptions"] == {
        "HttpTokens": "required",
        "HttpPutResponseHopLimit": 2,
        "HttpEndpoint": "enabled",
    }


def test_an_instance_that_does_not_exist_has_no_metadata_options(ec2):
    with pytest.raises(ClientError, match=r"InvalidInstanceID\.NotFound"):
        ec2.modify_instance_metadata_options(InstanceId="i-00000000000000000", HttpTokens="required")
