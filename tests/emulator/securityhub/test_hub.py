from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from tests.emulator.securityhub.account import refused


def test_every_call_before_enabling_says_that_the_account_is_not_subscribed(unsubscribed):
    for operation in (unsubscribed.hub.describe_hub, unsubscribed.hub.get_findings):
        response = refused("InvalidAccessException", operation)
        assert response["ResponseMetadata"]["HTTPStatusCode"] == 401
        expected = f"Account {unsubscribed.id} is not subscribed to AWS Security Hub"
        assert response["Error"]["Message"] == expected


def test_enabling_twice_is_a_conflict(account):
    response = refused("ResourceConflictException", account.hub.enable_security_hub)
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 409


def test_the_hub_is_the_regions_own(account):
    elsewhere = account.elsewhere("us-east-1")
    refused("InvalidAccessException", elsewhere.hub.describe_hub)


def test_actions_and_findings_outlive_disabling(account):
    arn = account.action()
    account.imported()
    account.hub.disable_security_hub()
    refused("InvalidAccessException", account.hub.describe_action_targets)
    account.hub.enable_security_hub()
    (action,) = account.hub.describe_action_targets()["ActionTargets"]
    assert action["ActionTargetArn"] == arn
    assert account.stored()["Id"] == "finding-1"


def test_configuration_is_updated(account):
    account.hub.update_security_hub_configuration(AutoEnableControls=False)
    assert account.hub.describe_hub()["AutoEnableControls"] is False


def test_an_operation_that_is_not_emulated_says_so(account):
    with pytest.raises(ClientError, match="GetFindingHistory is not emulated") as caught:
        account.hub.get_finding_history(FindingIdentifier={"Id": "a", "ProductArn": "b"})
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501
