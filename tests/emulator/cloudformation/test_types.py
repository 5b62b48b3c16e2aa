"""CloudFormation says which resource types there are in a Region."""

from __future__ import annotations

import pytest

ACTION_TARGET = "AWS::SecurityHub::ActionTarget"


@pytest.mark.parametrize(("name", "region"), [("AWS::SQS::Queue", "eu-west-1"), (ACTION_TARGET, "us-east-1")])
def test_a_type_that_there_is_is_described(embedded_aws, name, region):
    client = embedded_aws.client("cloudformation", region=region)
    found = client.describe_type(Type="RESOURCE", TypeName=name)
    assert (found["TypeName"], found["Type"], region in found["Arn"]) == (name, "RESOURCE", True)


@pytest.mark.parametrize(("name", "region"), [("AWS::No::Type", "us-east-1"), (ACTION_TARGET, "eu-west-1")])
def test_a_type_that_there_is_not_is_not_found(embedded_aws, name, region):
    client = embedded_aws.client("cloudformation", region=region)
    with pytest.raises(client.exceptions.TypeNotFoundException):
        client.describe_type(Type="RESOURCE", TypeName=name)
