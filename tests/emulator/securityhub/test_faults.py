from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from emulator.launching import EmulatorError
from tests.emulator.securityhub.account import Account, refused


def test_the_next_calls_of_an_operation_fail_and_then_no_more(account):
    account.fault(operation="DescribeActionTargets", error="LimitExceededException", message="Slow down")
    response = refused("LimitExceededException", account.hub.describe_action_targets)
    assert response["Error"]["Message"] == "Slow down"
    assert account.hub.describe_action_targets()["ActionTargets"] == []


def test_a_fault_is_of_its_account_alone(account, embedded_aws):
    other = Account(embedded_aws)
    other.hub.enable_security_hub()
    account.fault(operation="DescribeHub", error="AccessDeniedException", count=1)
    assert other.hub.describe_hub()
    with pytest.raises(ClientError, match="AccessDeniedException"):
        account.hub.describe_hub()


def test_a_marked_finding_stays_unprocessed(account):
    finding = account.imported()
    account.fault(finding=finding, error="InternalException", message="Try again")
    (unprocessed,) = account.update(finding, Workflow={"Status": "NOTIFIED"})["UnprocessedFindings"]
    assert (unprocessed["ErrorCode"], unprocessed["ErrorMessage"]) == ("InternalException", "Try again")
    assert account.stored()["Workflow"] == {"Status": "NEW"}


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ({"operation": "Nonsense", "error": "InternalException"}, "operation must be"),
        ({"operation": "DescribeHub", "error": "Nonsense"}, "error must be one of"),
        ({"operation": "DescribeHub", "error": "InternalException", "count": -1}, "count must be 0"),
        (
            {"operation": "DescribeHub", "error": "InternalException", "count": "1"},
            "count must be a whole",
        ),
    ],
)
def test_a_fault_that_cannot_be_is_refused(account, fault, reason):
    with pytest.raises(EmulatorError, match=reason):
        account.fault(**fault)
