"""What all third-party targets share: an endpoint, and a secret that must not appear in the template."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from aws_cdk import SecretValue, Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from securityhub_actions.checks import Validation
from securityhub_actions.tokens import is_token

MAX_ENDPOINT_LENGTH: Final = 2048
MAX_RATE_LIMIT: Final = 300
SECRETS_AS_OF: Final = "securityhub-actions:secretsAsOf"
"""The context value that makes connections read their secrets again: a date, or a date and a time."""
_SECRETS: Final = frozenset({"apiKeyValue", "password", "clientSecret"})
_REFERENCE: Final = "{{resolve:secretsmanager:"
_HARMLESS: Final = "aws.securityhub"
_ENDPOINT: Final = re.compile(
    r"https://[A-Za-z0-9.-]+(:\d{1,5})?(/(%[0-9A-Fa-f]{2}|[-()_.!~*';/?:@&=+$,A-Za-z0-9])*)?"
)


def new_api_destination(
    scope: Construct,
    construct_id: str,
    *,
    endpoint: str,
    authorization: events.Authorization,
    rate_limit_per_second: int,
    description: str,
    body_parameters: Mapping[str, events.HttpParameter] | None = None,
    query_string_parameters: Mapping[str, events.HttpParameter] | None = None,
    header_parameters: Mapping[str, events.HttpParameter] | None = None,
) -> events.ApiDestination:
    """Create a connection and an API destination that uses it, for POST requests.

    Args:
        scope: The parent construct.
        construct_id: The construct ID, unique within the scope.
        endpoint: An HTTPS URL without secrets.
        authorization: The credentials.
        rate_limit_per_second: The maximum number of requests per second, 1 to 300. Further events wait for up
            to 24 hours.
        description: The description of the connection and the API destination.
        body_parameters: Secret members to add to every body. Default: none.
        query_string_parameters: Secret parameters to add to every query string. Default: none.
        header_parameters: Secret headers in addition to that of the credentials. Default: none.

    Raises:
        ValueError: The endpoint isn't a valid URL, the rate is out of range, or the context value
            `SECRETS_AS_OF` isn't a date. At synthesis: a credential isn't from Secrets Manager.

    Source: https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_CreateApiDestination.html
    """
    check_endpoint(endpoint)
    if not is_token(rate_limit_per_second) and not 1 <= rate_limit_per_second <= MAX_RATE_LIMIT:
        raise ValueError(
            f"rate_limit_per_second is {rate_limit_per_second}. EventBridge allows 1 to {MAX_RATE_LIMIT}."
        )
    parent = Construct(scope, construct_id)
    connection = events.Connection(
        parent,
        "Connection",
        description=description + _as_of(parent),
        authorization=authorization,
        body_parameters=dict(body_parameters) if body_parameters else None,
        query_string_parameters=dict(query_string_parameters) if query_string_parameters else None,
        header_parameters=dict(header_parameters) if header_parameters else None,
    )
    connection.node.add_validation(Validation(lambda: _plain_secrets(connection)))
    return events.ApiDestination(
        parent,
        "Destination",
        description=description,
        connection=connection,
        endpoint=endpoint,
        http_method=events.HttpMethod.POST,
        rate_limit_per_second=rate_limit_per_second,
    )


def check_endpoint(endpoint: str) -> None:
    """Raise ValueError unless the endpoint is an HTTPS URL with up to 2,048 characters and no user name."""
    if is_token(endpoint):
        return
    if not _ENDPOINT.fullmatch(endpoint) or len(endpoint) > MAX_ENDPOINT_LENGTH:
        raise ValueError(
            f"{endpoint!r} is not a valid endpoint of an API destination. Use an HTTPS URL with a host and "
            f"up to {MAX_ENDPOINT_LENGTH} characters, such as 'https://example.com/hook'. It can't have a "
            "fragment, a user name, or a password. Credentials belong in a secret."
        )


def joined_url(base_url: str, path: str) -> str:
    """The URL of a path below a base URL, with or without a trailing slash."""
    return f"{base_url.rstrip('/')}{path}"


def secret_header(
    name: str, secret: secretsmanager.ISecret, key: str, *, prefix: str = ""
) -> events.Authorization:
    """Authorize with a header that contains a secret.

    Args:
        name: The name of the header.
        secret: The secret, a JSON object.
        key: The member of the secret to send.
        prefix: The prefix of the value, such as `Bearer ` with a trailing space. Default: none.
    """
    value = secret.secret_value_from_json(key)
    if prefix:
        # The value is a dynamic reference that CloudFormation resolves. Only the reference is unwrapped.
        value = SecretValue.unsafe_plain_text(f"{prefix}{value.unsafe_unwrap()}")
    return events.Authorization.api_key(name, value)


def no_credentials() -> events.Authorization:
    """Add a header without a secret, which a connection requires if the secret is sent elsewhere."""
    return events.Authorization.api_key("X-Event-Source", SecretValue.unsafe_plain_text(_HARMLESS))


def _as_of(scope: Construct) -> str:
    """What changes the description of a connection, and so makes CloudFormation read its secrets again.

    Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/dynamic-references-secretsmanager.html
    """
    given = scope.node.try_get_context(SECRETS_AS_OF)
    if given is None:
        return ""
    try:
        datetime.fromisoformat(str(given))
    except ValueError:
        # Without the value, which may be the secret itself.
        raise ValueError(
            f"The context value {SECRETS_AS_OF!r} must be a date such as '2026-11-30', or a date and a time "
            "such as '2026-11-30T14:05'. The secret itself belongs in Secrets Manager."
        ) from None
    return f", secrets as of {given}"


def _plain_secrets(connection: events.Connection) -> list[str]:
    resources = [child for child in connection.node.children if isinstance(child, events.CfnConnection)]
    parameters = Stack.of(connection).resolve([resource.auth_parameters for resource in resources])
    return [
        f"The connection {connection.node.path} has the value {name}, which is not from Secrets Manager "
        "and would appear in the template. Store it in Secrets Manager, and pass "
        "secret.secret_value_from_json(...)."
        for name, value in _members(parameters)
        if name in _SECRETS and value != _HARMLESS and _REFERENCE not in str(value)
    ]


def _members(value: Any) -> Iterator[tuple[str, Any]]:  # noqa: ANN401 - JSON
    if isinstance(value, dict):
        yield from value.items()
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for part in parts:
        yield from _members(part)
