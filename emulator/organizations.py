"""Invitations to an organization, for accounts with IDs of your choice: MiniStack creates random ones.

The IDs of an organization and what belongs to it are the same in each server that gets the same calls, as an
organization of AWS keeps its own. What was synthesized for them fits the next server too.

Source: https://docs.aws.amazon.com/organizations/latest/APIReference/API_InviteAccountToOrganization.html
"""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Mapping
from typing import Any

from ministack.core.responses import error_response_json, get_account_id, get_region, request_scope
from ministack.services import organizations

# Open handshakes by their IDs, of all organizations.
_open: dict[str, Mapping[str, Any]] = {}


def register() -> None:
    """Add the operations to MiniStack, and let it draw the IDs from a sequence of its own."""
    drawn = random.Random(0)  # noqa: S311 - no secrets
    organizations.new_uuid = lambda: str(uuid.UUID(int=drawn.getrandbits(128), version=4))
    organizations._DISPATCH["InviteAccountToOrganization"] = _invite  # noqa: SLF001
    organizations._DISPATCH["AcceptHandshake"] = _accept  # noqa: SLF001


def child_arn(child_id: str | None) -> str | None:
    """The ARN of an account or organizational unit of the caller's organization, or None."""
    child = organizations._accounts.get(child_id) or organizations._ous.get(child_id)  # noqa: SLF001
    return child["Arn"] if child else None


def _invite(payload: Mapping[str, Any]) -> Any:  # noqa: ANN401 - MiniStack is untyped
    organizations._ensure_org()  # noqa: SLF001
    organization = organizations._orgs["self"]["Id"]  # noqa: SLF001
    target = payload.get("Target") or {}
    if target.get("Type") != "ACCOUNT":
        return error_response_json("InvalidInputException", "Only accounts can be invited here.", 400)
    if target["Id"] in organizations._accounts:  # noqa: SLF001
        return error_response_json("DuplicateAccountException", "The account is a member already.", 400)
    handshake = f"h-{organizations.new_uuid().replace('-', '')}"
    _open[handshake] = {
        "Id": handshake,
        "Arn": f"arn:aws:organizations::{get_account_id()}:handshake/{organization}/invite/{handshake}",
        "Parties": [{"Id": organization.removeprefix("o-"), "Type": "ORGANIZATION"}, target],
        "Resources": [
            {"Type": "ORGANIZATION", "Value": organization},
            {"Type": "ACCOUNT", "Value": target["Id"]},
        ],
        "State": "OPEN",
        "Action": "INVITE",
    }
    return organizations._json(200, {"Handshake": _open[handshake]})  # noqa: SLF001


def _accept(payload: Mapping[str, Any]) -> Any:  # noqa: ANN401
    handshake = _open.get(payload.get("HandshakeId", ""))
    account = get_account_id()
    if handshake is None or handshake["Parties"][1]["Id"] != account:
        return error_response_json("HandshakeNotFoundException", "There is no such handshake.", 400)
    del _open[handshake["Id"]]
    management, organization = handshake["Arn"].split(":")[4], handshake["Resources"][0]["Value"]
    with request_scope(management, get_region()):
        organizations._accounts[account] = {  # noqa: SLF001
            "Id": account,
            "Arn": f"arn:aws:organizations::{management}:account/{organization}/{account}",
            "Email": f"{account}@example.com",
            "Name": account,
            "Status": "ACTIVE",
            "JoinedMethod": "INVITED",
            "JoinedTimestamp": int(time.time()),
            "Path": "/",
            "_ParentId": next(iter(organizations._roots)),  # noqa: SLF001
        }
    return organizations._json(200, {"Handshake": {**handshake, "State": "ACCEPTED"}})  # noqa: SLF001
