"""Reads secrets in AWS Secrets Manager that contain a JSON object, and caches them for some minutes."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final, Protocol

from invocation.clients import create_client

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager.client import SecretsManagerClient

KEPT_SECONDS: Final = 300
# Shorter than for other services, so that trackers whose secrets are cached still get their turn if Secrets
# Manager hangs.
_READ_SECONDS: Final = 5


Secret = Mapping[str, str]
"""The members of a secret."""


class GetSecret(Protocol):
    """Returns the members of a secret, as `Secrets.get` does."""

    def __call__(self, name: str, /, *, fresh: bool = False) -> Secret:
        """Return the members of the secret with this name or ARN. With `fresh`, it's read now."""


def members_of(name: str, value: str | None) -> Secret:
    """Return the members of a secret.

    Args:
        name: The secret's name or ARN, for the error.
        value: Its `SecretString`; None if it has a binary value.

    Raises:
        ValueError: It isn't a JSON object. The error doesn't contain its value.
    """
    try:
        members = json.loads(value or "")
    except ValueError:
        members = None
    if not isinstance(members, dict):
        # Not `from error`, which would show the value.
        raise ValueError(f"The secret {name} must hold a JSON object.") from None  # noqa: TRY004
    return members


class Secrets:
    """Reads secrets when they are needed. The values stay in memory, and never appear in an error or a log.

    Source: https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html
    """

    def __init__(
        self, client: SecretsManagerClient | None = None, *, now: Callable[[], float] = time.monotonic
    ) -> None:
        """Prepare to read secrets.

        Args:
            client: Secrets Manager. Default: a client that is created when the first secret is needed.
            now: Returns a time in seconds, from any starting point.
        """
        self._client = client
        self._now = now
        self._kept: dict[str, tuple[float, Mapping[str, str]]] = {}

    def get(self, name: str, *, fresh: bool = False) -> Mapping[str, str]:
        """Return the members of a secret, at most `KEPT_SECONDS` old.

        Args:
            name: The secret's name or ARN.
            fresh: Whether to read the secret now, because the cached one was refused. Default: False.

        Raises:
            ValueError: The secret isn't a JSON object. The error doesn't contain its value.
            ClientError: Secrets Manager refused the request.
            BotoCoreError: Secrets Manager didn't respond.
        """
        expires, members = self._kept.get(name, (0.0, {}))
        if fresh or expires <= self._now():
            members = self._read(name)
            self._kept[name] = (self._now() + KEPT_SECONDS, members)
        return members

    def _read(self, name: str) -> Mapping[str, str]:
        if self._client is None:
            self._client = create_client("secretsmanager", read_seconds=_READ_SECONDS)
        return members_of(name, self._client.get_secret_value(SecretId=name).get("SecretString"))
