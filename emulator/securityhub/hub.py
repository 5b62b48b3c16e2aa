"""The hub: subscribing an account and Region to Security Hub, and to Security Hub V2."""

from __future__ import annotations

from dataclasses import replace

from ministack.core.responses import get_account_id, new_uuid, now_iso

from emulator.securityhub import state
from emulator.securityhub.model import Document, SecurityHubError
from emulator.securityhub.state import HUB_KEY, Hub


def require() -> Hub:
    """The hub of the request's account and Region.

    Raises:
        SecurityHubError: InvalidAccessException if Security Hub isn't enabled.
    """
    hub: Hub | None = state.hubs.get(HUB_KEY)
    if hub is None:
        raise SecurityHubError(
            "InvalidAccessException", f"Account {get_account_id()} is not subscribed to AWS Security Hub"
        )
    return hub


def require_v2() -> Hub:
    """The account's and Region's hub of the new Security Hub.

    Raises:
        SecurityHubError: AccessDeniedException if it isn't enabled. AWS documents no error for this; among
            those that the model gives the operations on findings, this one comes closest.
    """
    hub: Hub | None = state.hubs_v2.get(HUB_KEY)
    if hub is None:
        raise SecurityHubError(
            "AccessDeniedException",
            f"Account {get_account_id()} has not enabled Security Hub V2: call EnableSecurityHubV2",
        )
    return hub


def enable(request: Document) -> Document:
    """EnableSecurityHub.

    Source: https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_EnableSecurityHub.html
    """
    if HUB_KEY in state.hubs:
        raise SecurityHubError(
            "ResourceConflictException",
            f"Account {get_account_id()} is already subscribed to AWS Security Hub",
        )
    state.hubs[HUB_KEY] = Hub(
        arn=state.arn_of("hub/default"),
        subscribed_at=now_iso(),
        control_finding_generator=request.get("ControlFindingGenerator", "SECURITY_CONTROL"),
    )
    return {}


def update_configuration(request: Document) -> Document:
    """UpdateSecurityHubConfiguration.

    Source: https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_UpdateSecurityHubConfiguration.html
    """
    hub = require()
    state.hubs[HUB_KEY] = replace(
        hub,
        auto_enable_controls=request.get("AutoEnableControls", hub.auto_enable_controls),
        control_finding_generator=request.get("ControlFindingGenerator", hub.control_finding_generator),
    )
    return {}


def describe(request: Document) -> Document:
    """DescribeHub.

    Source: https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_DescribeHub.html
    """
    hub = require()
    if request.get("HubArn", hub.arn) != hub.arn:
        raise SecurityHubError("ResourceNotFoundException", f"Hub {request['HubArn']} does not exist")
    return {
        "HubArn": hub.arn,
        "SubscribedAt": hub.subscribed_at,
        "AutoEnableControls": hub.auto_enable_controls,
        "ControlFindingGenerator": hub.control_finding_generator,
    }


def disable(_request: Document) -> Document:
    """DisableSecurityHub: findings, insights, and actions remain, because AWS keeps them for 90 days.

    Source: https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_DisableSecurityHub.html
    """
    require()
    del state.hubs[HUB_KEY]
    return {}


def enable_v2(_request: Document) -> Document:
    """EnableSecurityHubV2: from now on, each imported finding is also sent in OCSF.

    Source: https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_EnableSecurityHubV2.html
    """
    hub = state.hubs_v2.setdefault(
        HUB_KEY, Hub(arn=state.arn_of(f"hubv2/{new_uuid()}"), subscribed_at=now_iso())
    )
    return {"HubV2Arn": hub.arn}


def describe_v2(_request: Document) -> Document:
    """DescribeSecurityHubV2.

    Source: https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_DescribeSecurityHubV2.html
    """
    hub: Hub | None = state.hubs_v2.get(HUB_KEY)
    if hub is None:
        raise SecurityHubError(
            "ResourceNotFoundException", f"Account {get_account_id()} has not enabled Security Hub V2"
        )
    return {"HubV2Arn": hub.arn, "SubscribedAt": hub.subscribed_at}


def disable_v2(_request: Document) -> Document:
    """DisableSecurityHubV2.

    Source: https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_DisableSecurityHubV2.html
    """
    state.hubs_v2.pop(HUB_KEY, None)
    return {}
