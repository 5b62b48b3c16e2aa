"""Administrator and member accounts, and the administrator that an organization designates.

Members of an organization's administrator are enabled at once; others would have to accept an invitation, and
stay created here.

Source: https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-accounts.html
"""

from __future__ import annotations

from typing import Final

from ministack.core.responses import get_account_id, get_region, now_iso

from emulator.securityhub import paging, state
from emulator.securityhub.model import Document

_CSPM: Final = "SecurityHub"
_ENABLED: Final = "Enabled"


def create_members(request: Document) -> Document:
    """CreateMembers.

    Source: https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_CreateMembers.html
    """
    admin, now = get_account_id(), now_iso()
    is_of_organization = admin in state.organization_admins.values()
    for account in request["AccountDetails"]:
        state.members[admin, get_region(), account["AccountId"]] = {
            **account,
            "AdministratorId": admin,
            "MasterId": admin,
            "MemberStatus": _ENABLED if is_of_organization else "Created",
            "UpdatedAt": now,
        }
    return {"UnprocessedAccounts": []}


def list_members(request: Document) -> Document:
    """ListMembers: by default only those that are associated.

    Source: https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_ListMembers.html
    """
    own = [
        member
        for (admin, region, _), member in state.members.items()
        if (admin, region) == (get_account_id(), get_region())
        and (member["MemberStatus"] == _ENABLED or request.get("OnlyAssociated") is False)
    ]
    page, more = paging.page("members", own, request)
    return {"Members": list(page), **more}


def get_administrator(_request: Document) -> Document:
    """GetAdministratorAccount.

    Source: https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_GetAdministratorAccount.html
    """
    for (admin, region, account), member in state.members.items():
        if (region, account) == (get_region(), get_account_id()) and member["MemberStatus"] == _ENABLED:
            return {"Administrator": {"AccountId": admin, "MemberStatus": _ENABLED}}
    return {}


def enable_organization_admin(request: Document) -> Document:
    """EnableOrganizationAdminAccount.

    Source: https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_EnableOrganizationAdminAccount.html
    """
    feature = request.get("Feature", _CSPM)
    state.organization_admins[get_account_id(), get_region(), feature] = request["AdminAccountId"]
    return {"AdminAccountId": request["AdminAccountId"], "Feature": feature}


def list_organization_admins(request: Document) -> Document:
    """ListOrganizationAdminAccounts.

    Source: https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_ListOrganizationAdminAccounts.html
    """
    feature = request.get("Feature", _CSPM)
    admin = state.organization_admins.get((get_account_id(), get_region(), feature))
    found = [] if admin is None else [{"AccountId": admin, "Status": "ENABLED"}]
    page, more = paging.page("administrators", found, request)
    return {"AdminAccounts": list(page), "Feature": feature, **more}
