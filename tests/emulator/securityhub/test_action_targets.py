from __future__ import annotations

import pytest

from tests.emulator.securityhub.account import REGION, Account, refused


@pytest.mark.parametrize(
    ("region", "partition"), [("us-gov-west-1", "aws-us-gov"), ("cn-north-1", "aws-cn"), (REGION, "aws")]
)
def test_the_arn_is_of_the_regions_partition(embedded_aws, region, partition):
    account = Account(embedded_aws, region)
    account.hub.enable_security_hub()
    arn = account.action("Open_ticket-1")
    assert arn == f"arn:{partition}:securityhub:{region}:{account.id}:action/custom/Open_ticket-1"


@pytest.mark.parametrize(
    "change",
    [
        {"Name": "x" * 21},
        {"Name": " "},
        {"Description": "  "},
        {"action_id": "x" * 21},
        {"action_id": "with space"},
        {"action_id": "ümlaut"},
    ],
)
def test_invalid_input_is_refused(account, change):
    response = refused("InvalidInputException", account.action, **change)
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 400


def test_the_longest_name_and_id_are_taken(account):
    assert account.action("x" * 20, Name="y" * 20).endswith(f"/{'x' * 20}")


def test_an_id_taken_is_a_conflict(account):
    account.action()
    response = refused("ResourceConflictException", account.action, Name="Other")
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 409


def test_the_51st_action_exceeds_the_quota(account):
    for number in range(50):
        account.action(f"action{number}")
    response = refused("LimitExceededException", account.action, action_id="another")
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 429


def test_the_same_id_in_another_region_is_another_action(account):
    elsewhere = account.elsewhere("us-east-1")
    elsewhere.hub.enable_security_hub()
    assert account.action() != elsewhere.action()


def test_update_changes_only_what_is_given(account):
    arn = account.action()
    account.hub.update_action_target(ActionTargetArn=arn, Name="Renamed")
    (action,) = account.hub.describe_action_targets(ActionTargetArns=[arn])["ActionTargets"]
    assert (action["Name"], action["Description"]) == ("Renamed", "Suppress the finding")


def test_a_missing_action_is_not_found(account):
    arn = account.action()
    assert account.hub.delete_action_target(ActionTargetArn=arn)["ActionTargetArn"] == arn
    for operation in (account.hub.update_action_target, account.hub.delete_action_target):
        response = refused("ResourceNotFoundException", operation, ActionTargetArn=arn)
        assert response["ResponseMetadata"]["HTTPStatusCode"] == 404
    refused("ResourceNotFoundException", account.hub.describe_action_targets, ActionTargetArns=[arn])


def test_pages_together_hold_every_action_once(account):
    created = [account.action(f"action{number}") for number in range(5)]
    pages = account.hub.get_paginator("describe_action_targets").paginate(PaginationConfig={"PageSize": 2})
    assert [action["ActionTargetArn"] for page in pages for action in page["ActionTargets"]] == created


def test_a_token_of_another_request_is_refused(account):
    for number in range(3):
        account.imported(f"finding-{number}")
    token = account.hub.get_findings(MaxResults=2)["NextToken"]
    refused("InvalidInputException", account.hub.describe_action_targets, NextToken=token)
    refused("InvalidInputException", account.hub.describe_action_targets, NextToken="nonsense")
