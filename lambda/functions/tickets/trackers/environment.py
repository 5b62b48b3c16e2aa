"""The environment variables that say where the trackers are."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost"})


def variable(environment: Mapping[str, str], name: str, *, default: str = "", allowed: str = r".+") -> str:
    """Return a variable without the spaces around it.

    Args:
        environment: All variables.
        name: The variable's name.
        default: Its value where it isn't set, or empty. Default: it has to be set.
        allowed: Regular expression for the whole value.

    Raises:
        ValueError: It isn't set, or its value is not allowed.
    """
    value = environment.get(name, "").strip() or default
    if not re.fullmatch(allowed, value):
        raise ValueError(
            f"The environment variable {name} must be set and match {allowed}, but is {value!r}. Set it on "
            "the Lambda function, or take its tracker out of TRACKERS."
        )
    return value


def base_url(environment: Mapping[str, str], name: str, *, default: str = "") -> str:
    """Return a variable with the URL of a tracker's API, without a slash at its end.

    It has to be https, because a credential goes there with each request; but for the machine's own address,
    where tests listen.

    Raises:
        ValueError: It isn't set, or not such a URL.
    """
    value = variable(environment, name, default=default)
    parts = urlsplit(value)
    secure = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
    if not secure or not parts.hostname or "@" in parts.netloc or parts.query or parts.fragment:
        raise ValueError(
            f"The environment variable {name} must be a URL such as https://example.com, without user, query "
            "and fragment. Set it on the Lambda function."
        )
    return value.rstrip("/")
