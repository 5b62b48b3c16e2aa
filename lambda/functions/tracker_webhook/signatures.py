"""The signatures of webhooks, each over the raw body, as the vendors make them. Pure functions.

Each returns what is signed if the signature is right, and None otherwise. All are HMACs with SHA-256,
compared in constant time with those by each of two secrets, so that one can be replaced without a gap.

Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

MIN_SECRET_CHARACTERS: Final = 16
# How far the clock of a ServiceNow instance, and the way of its request, may be off.
_MAX_SECONDS: Final = 300
_MAX_SIGNATURES: Final = 4
_MAX_DIGITS: Final = 12

Headers = Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request as it arrived.

    Attributes:
        headers: The headers, with names in lower case.
        body: The raw body.
    """

    headers: Headers
    body: bytes


def jira(request: Request, secrets: Sequence[str], now: float) -> bytes | None:  # noqa: ARG001 - the body has a time
    """Check `X-Hub-Signature`, in which Jira Cloud and Jira Data Center sign the body.

    Source: https://developer.atlassian.com/cloud/jira/platform/webhooks/#secure-admin-webhooks
    Source: https://www.w3.org/TR/websub/#signing-content
    """
    given = request.headers.get("x-hub-signature", "")
    return _checked([given], _hex("sha256=", secrets, request.body), request.body)


def pager_duty(request: Request, secrets: Sequence[str], now: float) -> bytes | None:  # noqa: ARG001 - as above
    """Check `X-PagerDuty-Signature`, which has several signatures while the secret is being replaced.

    Source: https://docs.pagerduty.com/developer/verifying-webhook-signatures
    Source: https://github.com/PagerDuty/developer-docs/blob/main/docs/webhooks/04-Signatures.md
    """
    given = request.headers.get("x-pagerduty-signature", "")
    return _checked(given.split(","), _hex("v1=", secrets, request.body), request.body)


def service_now(request: Request, secrets: Sequence[str], now: float) -> bytes | None:
    """Check the headers that the business rule in docs/tickets.md sets. ServiceNow has no webhooks.

    Its function for HMACs returns Base64.

    Source: https://www.servicenow.com/docs/bundle/zurich-api-reference/page/app-store/dev_portal/API_reference/CertificateEncryption/concept/c_CertificateEncryptionAPI.html
    """
    time = request.headers.get("x-securityhub-timestamp", "")
    given = request.headers.get("x-securityhub-signature", "")
    if not _is_recent(time, now) or not given.startswith("v1="):
        return None
    try:
        mac = base64.b64decode(given.removeprefix("v1=").encode(), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        return None
    signed = time.encode() + b"." + request.body
    return _checked([f"v1={mac.hex()}"], _hex("v1=", secrets, signed), signed)


Check = Callable[[Request, Sequence[str], float], bytes | None]
CHECKS: Final[Mapping[str, Check]] = {
    "jira": jira,
    "servicenow": service_now,
    "pagerduty": pager_duty,
}
"""By tracker, what returns the signed content of a request, given the secrets and the current time."""


def secrets_of(members: Mapping[str, str], name: str) -> Sequence[str]:
    """Return the secrets in a secret's members `secret` and, while it's being replaced, `previous`.

    Args:
        members: The members.
        name: The name of the secret, for the message.

    Raises:
        ValueError: There is none, or one is too short. The message doesn't contain it.
    """
    given = [members[key] for key in ("secret", "previous") if members.get(key)]
    if not members.get("secret") or any(
        not isinstance(one, str) or len(one) < MIN_SECRET_CHARACTERS for one in given
    ):
        raise ValueError(
            f"The secret {name} must be a JSON object with the string secret and, if you like, the string "
            f"previous, each of at least {MIN_SECRET_CHARACTERS} characters."
        )
    return given


def _hex(prefix: str, secrets: Sequence[str], signed: bytes) -> list[str]:
    return [prefix + hmac.new(one.encode(), signed, "sha256").hexdigest() for one in secrets]


def _checked(given: Iterable[str], expected: Sequence[str], signed: bytes) -> bytes | None:
    """Return what is signed if a given signature is an expected one. All are compared, however early."""
    pairs = [
        (one.strip().encode("utf-8", "replace"), other.encode())
        for one in list(given)[:_MAX_SIGNATURES]
        for other in expected
    ]
    return signed if sum(hmac.compare_digest(one, other) for one, other in pairs) else None


def _is_recent(time: str, now: float) -> bool:
    """Whether a time in seconds since the epoch is neither old nor in the future, as a replay's would be."""
    is_number = time.isascii() and time.isdecimal() and len(time) <= _MAX_DIGITS
    return is_number and abs(now - int(time)) <= _MAX_SECONDS
