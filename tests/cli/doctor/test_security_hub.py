"""Whether Security Hub is set up as the app needs it."""

from __future__ import annotations

import pytest

from securityhub_actions.cli.doctor import State
from tests.cli.doctor.conftest import ACCOUNT, HUB, REGION, refusal

NOT_SUBSCRIBED = refusal("InvalidAccessException", f"Account {ACCOUNT} is not subscribed")
OCSF_RULE = {
    "Type": "AWS::Events::Rule",
    "Properties": {"EventPattern": {"source": ["aws.securityhub"], "detail-type": ["Findings Imported V2"]}},
}


def test_an_account_without_security_hub_gets_the_command_that_enables_it(doctor):
    (found,) = doctor("security-hub", securityhub__DescribeHub=NOT_SUBSCRIBED)
    assert found.state == State.FAULT
    assert f"enable-security-hub --region {REGION}" in found.cure


def test_what_needs_security_hub_is_skipped_without_it(doctor):
    (found,) = doctor("action-quota", securityhub__DescribeActionTargets=NOT_SUBSCRIBED)
    assert found.state == State.SKIPPED


@pytest.mark.parametrize(("resources", "state"), [({}, State.OK), ({"Ocsf": OCSF_RULE}, State.FAULT)])
def test_the_new_security_hub_is_missed_only_by_rules_that_need_it(doctor, resources, state):
    missing = refusal("ResourceNotFoundException")
    (found,) = doctor("security-hub-v2", resources, securityhub__DescribeSecurityHubV2=missing)
    assert found.state == state


@pytest.mark.parametrize(
    ("home", "mode", "regions", "state"),
    [
        (REGION, "ALL_REGIONS", [], State.OK),
        ("eu-west-1", "ALL_REGIONS", [], State.WARNING),
        ("eu-west-1", "SPECIFIED_REGIONS", [REGION], State.WARNING),
        ("eu-west-1", "SPECIFIED_REGIONS", ["eu-north-1"], State.OK),
        ("eu-west-1", "ALL_REGIONS_EXCEPT_SPECIFIED", [REGION], State.OK),
        ("eu-west-1", "ALL_REGIONS_EXCEPT_SPECIFIED", ["eu-north-1"], State.WARNING),
        ("eu-west-1", "NO_REGIONS", [], State.OK),
    ],
)
def test_a_region_that_is_linked_to_another_is_a_warning(doctor, home, mode, regions, state):
    arn = f"{HUB.replace(REGION, home)}:finding-aggregator/1"
    (found,) = doctor(
        "aggregation",
        securityhub__ListFindingAggregators={"FindingAggregators": [{"FindingAggregatorArn": arn}]},
        securityhub__GetFindingAggregator={
            "FindingAggregationRegion": home,
            "RegionLinkingMode": mode,
            "Regions": regions,
        },
    )
    assert found.state == state
    assert home in found.text


def test_a_member_account_is_a_warning_that_names_its_administrator(doctor):
    (found,) = doctor(
        "administrator",
        securityhub__GetAdministratorAccount={"Administrator": {"AccountId": "444455556666"}},
    )
    assert found.state == State.WARNING
    assert "444455556666" in found.cure


def test_a_management_account_is_told_the_administrator_of_its_organization(doctor):
    admins = {"AdminAccounts": [{"AccountId": "444455556666", "Status": "ENABLED"}]}
    (found,) = doctor("administrator", securityhub__ListOrganizationAdminAccounts=admins)
    assert (found.state, "444455556666" in found.cure) == (State.WARNING, True)


@pytest.mark.parametrize(
    "answer",
    [refusal("AccessDeniedException"), {"AdminAccounts": [{"AccountId": ACCOUNT, "Status": "ENABLED"}]}],
)
def test_an_account_that_stands_alone_is_skipped(doctor, answer):
    (found,) = doctor("administrator", securityhub__ListOrganizationAdminAccounts=answer)
    assert found.state == State.SKIPPED


@pytest.mark.parametrize(("home", "state"), [(REGION, State.OK), ("eu-west-1", State.WARNING)])
def test_the_home_region_of_the_new_security_hub_is_its_own(doctor, home, state):
    arn = f"{HUB.replace(REGION, home)}:aggregatorv2/1"
    (found,) = doctor(
        "aggregation-v2",
        securityhub__ListAggregatorsV2={"AggregatorsV2": [{"AggregatorV2Arn": arn}]},
        securityhub__GetAggregatorV2={"AggregationRegion": home, "RegionLinkingMode": "ALL_REGIONS"},
    )
    assert (found.state, home in found.text) == (state, True)


def test_an_administrator_account_is_ok_with_the_number_of_its_members(doctor):
    members = [{"AccountId": f"{number:012}"} for number in range(3)]
    (found,) = doctor("administrator", securityhub__ListMembers={"Members": members})
    assert (found.state, "3 member accounts" in found.text) == (State.OK, True)


@pytest.mark.parametrize(
    "message", ["", "User: a is not authorized to perform: securityhub:DescribeHub on b"]
)
def test_a_denied_call_is_a_warning_that_names_the_action(doctor, message):
    (found,) = doctor("security-hub", securityhub__DescribeHub=refusal("AccessDeniedException", message))
    assert found.state == State.WARNING
    assert "DescribeHub" in found.cure
