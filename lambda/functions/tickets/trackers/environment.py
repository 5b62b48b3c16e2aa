"""The environment variables with the trackers' URLs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from invocation.environment import required, wrong

_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost"})


def base_url(environment: Mapping[str, str], name: str, *, default: str = "") -> str:
    """Return a variable with the URL of a tracker's API, without a trailing slash.

    It has to use https, because each request contains a credential. The exception is the loopback address,
    for tests.

    Raises:
        ValueError: The variable isn't set, or isn't such a URL.
    """
    value = required(environment, name, default=default)
    parts = urlsplit(value)
    secure = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
    if not secure or not parts.hostname or "@" in parts.netloc or parts.query or parts.fragment:
        raise wrong(
            name, value, "a URL such as https://example.com, without a user name, query string, or fragment"
        )
    return value.rstrip("/")
