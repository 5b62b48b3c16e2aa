from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError

from tests.emulator.delivery.chain import allow, policy

ACCOUNT = "710000000001"


def put(chain, number, document="{}"):
    logs = chain.aws.client("logs", account=ACCOUNT)
    logs.put_resource_policy(policyName=f"policy-{number}", policyDocument=document)


def fill(chain, document):
    """Put policies until there are too many."""
    for number in range(11):
        put(chain, number, document)


def test_a_region_has_ten_resource_policies(chain):
    document = policy(allow("logs:PutLogEvents", "*", chain.rule_arn))
    with pytest.raises(ClientError, match=r"LimitExceededException.*Resource limit exceeded"):
        fill(chain, document)
    put(chain, 3, document)


@pytest.mark.parametrize(("length", "refused"), [(5120, False), (5121, True)])
def test_a_resource_policy_has_5120_characters(chain, length, refused):
    document = policy(allow("logs:PutLogEvents", "*", ""))
    document = policy(allow("logs:PutLogEvents", "*", "x" * (length - len(document))))
    assert len(document) == length
    logs = chain.aws.client("logs", account="710000000002")
    if not refused:
        logs.put_resource_policy(policyName="long", policyDocument=document)
        return
    with pytest.raises(ClientError, match=r"InvalidParameterException.*less than or equal to 5120"):
        logs.put_resource_policy(policyName="long", policyDocument=document)


def test_a_stacks_resource_policy_counts(chain):
    resources = {
        "Policy": {
            "Type": "AWS::Logs::ResourcePolicy",
            "Properties": {"PolicyName": chain.name, "PolicyDocument": json.dumps({"x": "x" * 5120})},
        }
    }
    status, reasons = chain.deploy(resources)
    assert status.startswith("ROLLBACK")
    assert "less than or equal to 5120" in reasons
