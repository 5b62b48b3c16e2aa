from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError

CODE = "def handle(event, context):\n    return None\n"


def permit(chain, number, **changes):
    chain.aws.client("lambda").add_permission(
        FunctionName=chain.name,
        StatementId=f"statement-{number:03}",
        Action="lambda:InvokeFunction",
        Principal="events.amazonaws.com",
        SourceArn=f"{chain.rule_arn}-{'x' * 800}-{number:03}",
        **changes,
    )


def fill(chain):
    """Add permissions until there are too many."""
    for number in range(30):
        permit(chain, number)


def policy_of(chain, **qualifier):
    return chain.aws.client("lambda").get_policy(FunctionName=chain.name, **qualifier)["Policy"]


def test_a_permission_past_the_quota_is_refused_and_not_stored(chain):
    chain.function(CODE, allow_rule=False)
    with pytest.raises(ClientError, match=r"The final policy size \(2\d{4}\) is bigger than") as refused:
        fill(chain)
    assert refused.value.response["Error"]["Code"] == "PolicyLengthExceededException"
    policy = json.loads(policy_of(chain))
    size = len(json.dumps(policy, separators=(",", ":")))
    assert 19_000 < size <= 20_480
    # There is still room for a shorter statement.
    chain.aws.client("lambda").add_permission(
        FunctionName=chain.name, StatementId="short", Action="lambda:InvokeFunction", Principal=chain.name
    )


def test_a_version_has_a_policy_of_its_own(chain):
    chain.function(CODE, allow_rule=False)
    version = chain.aws.client("lambda").publish_version(FunctionName=chain.name)["Version"]
    with pytest.raises(ClientError, match="bigger than the limit"):
        fill(chain)
    permit(chain, 99, Qualifier=version)


def test_a_stack_that_adds_a_permission_past_the_quota_fails(chain):
    chain.function(CODE, allow_rule=False)
    permissions = {
        f"Permission{number}": {
            "Type": "AWS::Lambda::Permission",
            "Properties": {
                "FunctionName": chain.name,
                "Action": "lambda:InvokeFunction",
                "Principal": "events.amazonaws.com",
                "SourceArn": f"{chain.rule_arn}-{'x' * 800}-{number}",
            },
        }
        for number in range(30)
    }
    status, reasons = chain.deploy(permissions)
    assert status.startswith("ROLLBACK")
    assert "PolicyLengthExceeded" in reasons
