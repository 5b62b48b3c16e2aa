"""What all third parties need: an endpoint that may stand in a template, and a secret that may not."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from aws_cdk import SecretValue, Stack, Token
from aws_cdk import aws_events as events
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from securityhub_actions.checks import Validation

MAX_ENDPOINT_LENGTH: Final = 2048
MAX_RATE_LIMIT: Final = 300
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
) -> events.ApiDestination:
    """Create a connection and an API destination that uses it, for POST requests.

    Args:
        scope: The construct that they belong to.
        construct_id: The id in that scope.
        endpoint: An https URL without secrets.
        authorization: The credentials.
        rate_limit_per_second: At most so many requests, 1 to 300; more events wait, for up to a day.
        description: What is behind the endpoint.
        body_parameters: Secret members of every body. Default: none.
        query_string_parameters: Secret parameters of every query. Default: none.

    Raises:
        ValueError: The endpoint is not such a URL, or the rate is out of range. At synthesis: a credential is
            not from Secrets Manager.

    Source: https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_CreateApiDestination.html
    """
    check_endpoint(endpoint)
    if not Token.is_unresolved(rate_limit_per_second) and not 1 <= rate_limit_per_second <= MAX_RATE_LIMIT:
        raise ValueError(
            f"rate_limit_per_second is {rate_limit_per_second}. EventBridge allows 1 to {MAX_RATE_LIMIT}."
        )
    parent = Construct(scope, construct_id)
    connection = events.Connection(
        parent,
        "Connection",
        description=description,
        authorization=authorization,
        body_parameters=dict(body_parameters) if body_parameters else None,
        query_string_parameters=dict(query_string_parameters) if query_string_parameters else None,
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
    """Raise ValueError unless the endpoint is an https URL of at most 2,048 characters and without a user."""
    if Token.is_unresolved(endpoint):
        return
    if not _ENDPOINT.fullmatch(endpoint) or len(endpoint) > MAX_ENDPOINT_LENGTH:
        raise ValueError(
            f"{endpoint!r} is not an endpoint of an API destination. It must be an https URL with a host, of "
            f"at most {MAX_ENDPOINT_LENGTH} characters, without a fragment, and without a user name or "
            "password, which belong into a secret: for example 'https://example.com/hook'."
        )


def joined_url(base_url: str, path: str) -> str:
    """The URL of a path below a base URL that may or may not end with a slash."""
    return f"{base_url.rstrip('/')}{path}"


def secret_header(
    name: str, secret: secretsmanager.ISecret, key: str, *, prefix: str = ""
) -> events.Authorization:
    """Authorize with a header that holds a secret.

    Args:
        name: The header.
        secret: The secret.
        key: The member of its JSON object that is sent.
        prefix: What stands before it, such as `Bearer ` with its space. Default: nothing.
    """
    value = secret.secret_value_from_json(key)
    if prefix:
        # The value is a reference that CloudFormation resolves; nothing is unwrapped but its text.
        value = SecretValue.unsafe_plain_text(f"{prefix}{value.unsafe_unwrap()}")
    return events.Authorization.api_key(name, value)


def no_credentials() -> events.Authorization:
    """Authorize where the secret travels elsewhere: a connection must have some header, so a harmless one."""
    return events.Authorization.api_key("X-Event-Source", SecretValue.unsafe_plain_text(_HARMLESS))


def _plain_secrets(connection: events.Connection) -> list[str]:
    resources = [child for child in connection.node.children if isinstance(child, events.CfnConnection)]
    parameters = Stack.of(connection).resolve([resource.auth_parameters for resource in resources])
    return [
        f"The connection {connection.node.path} has a {name} that is not from Secrets Manager and would "
        "stand in the template. Store it there and pass secret.secret_value_from_json(...)."
        for name, value in _members(parameters)
        if name in _SECRETS and value != _HARMLESS and _REFERENCE not in str(value)
    ]


def _members(value: Any) -> Iterator[tuple[str, Any]]:  # noqa: ANN401 - JSON
    if isinstance(value, dict):
        yield from value.items()
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for part in parts:
        yield from _members(part)
