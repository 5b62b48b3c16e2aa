from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from emulator.server import EmbeddedAws

MANAGEMENT, INVITED = "222233334477", "222233334488"


@pytest.fixture
def organizations(embedded_aws):
    return embedded_aws.client("organizations", account=MANAGEMENT)


@pytest.fixture
def invited(embedded_aws):
    return embedded_aws.client("organizations", account=INVITED)


def test_an_account_is_in_the_organization_once_it_has_accepted(organizations, invited):
    handshake = organizations.invite_account_to_organization(Target={"Id": INVITED, "Type": "ACCOUNT"})
    with pytest.raises(organizations.exceptions.ChildNotFoundException):
        organizations.list_parents(ChildId=INVITED)

    accepted = invited.accept_handshake(HandshakeId=handshake["Handshake"]["Id"])

    (root,) = organizations.list_roots()["Roots"]
    assert accepted["Handshake"]["State"] == "ACCEPTED"
    assert organizations.list_parents(ChildId=INVITED)["Parents"] == [{"Id": root["Id"], "Type": "ROOT"}]
    with pytest.raises(ClientError, match="a member already"):
        organizations.invite_account_to_organization(Target={"Id": INVITED, "Type": "ACCOUNT"})


def test_nobody_else_can_accept_an_invitation(organizations):
    handshake = organizations.invite_account_to_organization(Target={"Id": "222233334499", "Type": "ACCOUNT"})
    with pytest.raises(organizations.exceptions.HandshakeNotFoundException):
        organizations.accept_handshake(HandshakeId=handshake["Handshake"]["Id"])
    with pytest.raises(organizations.exceptions.ChildNotFoundException):
        organizations.list_parents(ChildId="222233334499")


def test_only_accounts_can_be_invited(organizations):
    with pytest.raises(organizations.exceptions.InvalidInputException, match="Only accounts"):
        organizations.invite_account_to_organization(Target={"Id": "a@example.com", "Type": "EMAIL"})


def test_each_server_gives_the_same_ids():
    def ids():
        with EmbeddedAws.start() as aws:
            organizations = aws.client("organizations")
            organization = organizations.describe_organization()["Organization"]
            (root,) = organizations.list_roots()["Roots"]
            unit = organizations.create_organizational_unit(Name="Workloads", ParentId=root["Id"])
            return organization["Id"], root["Id"], unit["OrganizationalUnit"]["Id"]

    assert ids() == ids()
