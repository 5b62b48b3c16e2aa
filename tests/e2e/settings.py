"""Settings that several end-to-end tests start from."""

from __future__ import annotations

from emulator.server import DEFAULT_ACCOUNT
from tests.shipped_settings import load_shipped_settings


def remediation_at_home(aws, *remediations):
    """The values of [remediation] for an administrator account that remediates only its own findings."""
    return load_shipped_settings().remediation.model_dump() | {
        "enabled": True,
        "administrator_account": DEFAULT_ACCOUNT,
        "organization_id": aws.client("organizations").describe_organization()["Organization"]["Id"],
        "remediations": list(remediations),
        "accounts": {"allow": [DEFAULT_ACCOUNT], "deny": []},
    }
