"""Aggregators, administrator accounts, and member accounts."""

from __future__ import annotations

import pytest

from tests.emulator.securityhub.account import Account, refused


def detail(account):
    return {"AccountId": account.id, "Email": "a@example.com"}


@pytest.fixture
def member(embedded_aws):
    account = Account(embedded_aws)
    account.hub.enable_security_hub()
    return account


def test_an_account_without_an_aggregator_lists_none(account):
    assert account.hub.list_finding_aggregators()["FindingAggregators"] == []


def test_the_aggregator_of_the_home_region_is_listed_in_every_region(account):
    made = account.hub.create_finding_aggregator(
        RegionLinkingMode="SPECIFIED_REGIONS", Regions=["eu-north-1"]
    )
    other = account.elsewhere("eu-north-1")
    other.hub.enable_security_hub()
    (listed,) = other.hub.list_finding_aggregators()["FindingAggregators"]
    assert listed == {"FindingAggregatorArn": made["FindingAggregatorArn"]}
    found = account.hub.get_finding_aggregator(FindingAggregatorArn=made["FindingAggregatorArn"])
    assert (found["FindingAggregationRegion"], found["Regions"]) == (account.region, ["eu-north-1"])
    account.hub.delete_finding_aggregator(FindingAggregatorArn=made["FindingAggregatorArn"])
    assert account.hub.list_finding_aggregators()["FindingAggregators"] == []


def test_the_new_security_hub_has_an_aggregator_of_its_own(account):
    account.hub.enable_security_hub_v2()
    made = account.hub.create_aggregator_v2(RegionLinkingMode="ALL_REGIONS")
    (listed,) = account.hub.list_aggregators_v2()["AggregatorsV2"]
    found = account.hub.get_aggregator_v2(AggregatorV2Arn=listed["AggregatorV2Arn"])
    assert (found["AggregationRegion"], found["AggregatorV2Arn"]) == (account.region, made["AggregatorV2Arn"])
    assert account.hub.list_finding_aggregators()["FindingAggregators"] == []


def test_there_is_one_aggregator_of_each_kind(account):
    account.hub.enable_security_hub_v2()
    account.hub.create_finding_aggregator(RegionLinkingMode="ALL_REGIONS")
    account.hub.create_aggregator_v2(RegionLinkingMode="ALL_REGIONS")
    refused("LimitExceededException", account.hub.create_finding_aggregator, RegionLinkingMode="ALL_REGIONS")
    refused("ConflictException", account.hub.create_aggregator_v2, RegionLinkingMode="ALL_REGIONS")


@pytest.mark.parametrize(
    "request_", [{"RegionLinkingMode": "SOME"}, {"RegionLinkingMode": "SPECIFIED_REGIONS"}]
)
def test_an_aggregator_without_a_mode_or_its_regions_is_refused(account, request_):
    refused("InvalidInputException", account.hub.create_finding_aggregator, **request_)


def test_a_member_of_an_organizations_administrator_knows_it(account, member):
    assert "Administrator" not in member.hub.get_administrator_account()
    account.hub.enable_organization_admin_account(AdminAccountId=account.id)
    account.hub.create_members(AccountDetails=[detail(member)])
    assert member.hub.get_administrator_account()["Administrator"]["AccountId"] == account.id
    (listed,) = account.hub.list_members()["Members"]
    assert (listed["AccountId"], listed["MemberStatus"]) == (member.id, "Enabled")


def test_without_an_organization_a_member_is_only_created(account, member):
    account.hub.create_members(AccountDetails=[detail(member)])
    assert account.hub.list_members()["Members"] == []
    (listed,) = account.hub.list_members(OnlyAssociated=False)["Members"]
    assert listed["MemberStatus"] == "Created"
    assert "Administrator" not in member.hub.get_administrator_account()


def test_the_management_account_lists_the_administrator_of_its_organization(unsubscribed, member):
    assert unsubscribed.hub.list_organization_admin_accounts()["AdminAccounts"] == []
    unsubscribed.hub.enable_organization_admin_account(AdminAccountId=member.id)
    (listed,) = unsubscribed.hub.list_organization_admin_accounts()["AdminAccounts"]
    assert listed == {"AccountId": member.id, "Status": "ENABLED"}
