from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from botocore.stub import Stubber

from functions.remediate import organization as module
from functions.remediate.organization import Organization, OrganizationError, create_client

NOW = datetime(2026, 1, 31, 9, tzinfo=UTC)
ACCOUNT, NEIGHBOUR = "444455556666", "777788889999"
UNIT, INNER, ROOT = "ou-abcd-11111111", "ou-abcd-22222222", "r-abcd"


@pytest.fixture
def clock():
    return [NOW]


@pytest.fixture
def client():
    return create_client("eu-west-1")


@pytest.fixture
def stubber(client):
    with Stubber(client) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


@pytest.fixture
def organization(client, clock):
    return Organization(client, now=lambda: clock[0])


def answer(stubber, child, *parents):
    found = [
        {"Id": parent, "Type": "ROOT" if parent == ROOT else "ORGANIZATIONAL_UNIT"} for parent in parents
    ]
    stubber.add_response("list_parents", {"Parents": found}, {"ChildId": child})


def test_the_containers_are_found_up_to_the_root(organization, stubber):
    answer(stubber, ACCOUNT, INNER)
    answer(stubber, INNER, UNIT)
    answer(stubber, UNIT, ROOT)
    assert organization.containers_of(ACCOUNT) == (INNER, UNIT, ROOT)


def test_an_empty_page_is_not_the_end(organization, stubber):
    stubber.add_response("list_parents", {"Parents": [], "NextToken": "more"}, {"ChildId": ACCOUNT})
    stubber.add_response(
        "list_parents",
        {"Parents": [{"Id": ROOT, "Type": "ROOT"}]},
        {"ChildId": ACCOUNT, "NextToken": "more"},
    )
    assert organization.containers_of(ACCOUNT) == (ROOT,)


def test_no_step_is_asked_for_twice_within_five_minutes(organization, stubber, clock):
    answer(stubber, ACCOUNT, UNIT)
    answer(stubber, UNIT, ROOT)
    answer(stubber, NEIGHBOUR, UNIT)
    for account in (ACCOUNT, NEIGHBOUR):
        assert organization.containers_of(account) == (UNIT, ROOT)
    clock[0] = NOW + timedelta(minutes=4)
    assert organization.containers_of(ACCOUNT) == (UNIT, ROOT)


def test_an_account_that_was_moved_is_found_where_it_is_after_five_minutes(organization, stubber, clock):
    answer(stubber, ACCOUNT, ROOT)
    assert organization.containers_of(ACCOUNT) == (ROOT,)
    clock[0] = NOW + timedelta(minutes=5)
    answer(stubber, ACCOUNT, UNIT)
    answer(stubber, UNIT, ROOT)
    assert organization.containers_of(ACCOUNT) == (UNIT, ROOT)


def test_only_the_latest_accounts_are_kept(organization, stubber, monkeypatch):
    monkeypatch.setattr(module, "_MOST_KEPT", 1)
    for account in (ACCOUNT, NEIGHBOUR, ACCOUNT):
        answer(stubber, account, ROOT)
        assert [organization.containers_of(account) for _ in range(2)] == [(ROOT,)] * 2


@pytest.mark.parametrize(
    "code", ["AccessDeniedException", "TooManyRequestsException", "ChildNotFoundException"]
)
def test_an_error_says_what_to_check_and_is_not_remembered(organization, stubber, code):
    stubber.add_client_error("list_parents", code, "no")
    with pytest.raises(OrganizationError, match=rf"What {ACCOUNT} belongs to .*{code}.*delegated"):
        organization.containers_of(ACCOUNT)
    answer(stubber, ACCOUNT, ROOT)
    assert organization.containers_of(ACCOUNT) == (ROOT,)


@pytest.mark.parametrize("parents", [(), (UNIT, ROOT)])
def test_a_child_without_exactly_one_parent_is_an_error(organization, stubber, parents):
    answer(stubber, ACCOUNT, *parents)
    with pytest.raises(OrganizationError, match=f"{ACCOUNT} has {len(parents)} parents"):
        organization.containers_of(ACCOUNT)


def test_a_circle_is_an_error(organization, stubber):
    answer(stubber, ACCOUNT, UNIT)
    answer(stubber, UNIT, INNER)
    answer(stubber, INNER, UNIT)
    with pytest.raises(OrganizationError, match="No root was found above account"):
        organization.containers_of(ACCOUNT)


def test_the_embedded_aws_answers_the_same(embedded_aws):
    organizations = embedded_aws.client("organizations", account="222233334400")
    (root,) = organizations.list_roots()["Roots"]
    unit = organizations.create_organizational_unit(ParentId=root["Id"], Name="Unit")["OrganizationalUnit"]
    account = organizations.create_account(Email="a@example.com", AccountName="A")["CreateAccountStatus"]
    organizations.move_account(
        AccountId=account["AccountId"], SourceParentId=root["Id"], DestinationParentId=unit["Id"]
    )
    organization = Organization(organizations)
    assert organization.containers_of(account["AccountId"]) == (unit["Id"], root["Id"])
    with pytest.raises(OrganizationError, match="ChildNotFoundException"):
        organization.containers_of("222233334401")


def test_no_client_is_created_before_one_is_needed(monkeypatch, client, stubber):
    created = []
    monkeypatch.setattr(
        "functions.remediate.organization.create_client", lambda: created.append(client) or client
    )
    organization = Organization()
    assert created == []
    answer(stubber, ACCOUNT, UNIT)
    answer(stubber, UNIT, ROOT)
    assert organization.containers_of(ACCOUNT) == (UNIT, ROOT)
    assert created == [client]
