"""Keep what a user has set for AWS, the AWS CDK and these tools out of the tests."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Final

_PREFIXES: Final = ("AWS_", "CDK_", "POWERTOOLS_")
_NAMES: Final = {"LOG_LEVEL", "NO_COLOR", "FORCE_COLOR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"}
_LOCAL: Final = "127.0.0.1,localhost"


def without_users_settings(environment: Mapping[str, str]) -> dict[str, str]:
    """Return an environment in which tests give the same results for every user.

    Proxies stay, since pip may need them, but not for the servers that the tests start on this machine.
    """
    kept = {
        name: value
        for name, value in environment.items()
        if not name.startswith(_PREFIXES) and name not in _NAMES
    }
    proxied = kept.get("no_proxy") or kept.get("NO_PROXY")
    direct = f"{proxied},{_LOCAL}" if proxied else _LOCAL
    return kept | {
        # A user's files would be read from the home folder.
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        # Of the two spellings, libraries differ in which one they prefer.
        "NO_PROXY": direct,
        "no_proxy": direct,
    }
