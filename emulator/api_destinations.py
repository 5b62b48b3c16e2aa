"""API destinations in CloudFormation, and local servers in place of the hosts that they call.

A template keeps the vendor's real HTTPS URL. ``POST /_emulator/hosts`` maps hosts to local servers::

    {"events.pagerduty.com": "http://127.0.0.1:8080"}

Requests to any other host fail. No request leaves your machine.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from ministack.services import eventbridge, kms
from ministack.services.cloudformation import provisioners

from emulator.asgi import AsgiApp, Message, Receive, Send, answer_json, read_body

CONNECTION: Final = "AWS::Events::Connection"
API_DESTINATION: Final = "AWS::Events::ApiDestination"
HOSTS_PATH: Final = "/_emulator/hosts"
_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
_SECRETS: Final = frozenset({"ApiKeyValue", "Password", "ClientSecret"})
_KEY_TAG: Final = {"TagKey": "EventBridgeApiDestinations", "TagValue": "true"}

Document = dict[str, Any]
Properties = Mapping[str, Any]
Provisioned = tuple[str, Document]
"""A resource's physical ID and the attributes that Fn::GetAtt returns."""
Answer = tuple[int, dict[str, str], bytes]
Operation = Callable[[Document], Answer]

_servers: dict[str, str] = {}
_open = eventbridge._http_open  # noqa: SLF001 - MiniStack's only way out; see tests/emulator/contract
_describe_connection = eventbridge._describe_connection  # noqa: SLF001
_update_connection = eventbridge._update_connection  # noqa: SLF001


def register() -> None:
    """Add the resource types to MiniStack's CloudFormation and direct its requests to local servers.

    Calling it again changes nothing.
    """
    for resource_type, kind in ((CONNECTION, "Connection"), (API_DESTINATION, "ApiDestination")):
        provisioners._RESOURCE_HANDLERS[resource_type] = _handlers(kind)  # noqa: SLF001 - there is no public way
        provisioners._REPLACING_PROPERTIES[resource_type] = ("Name",)  # noqa: SLF001
    eventbridge._http_open = _open_locally  # noqa: SLF001
    eventbridge._describe_connection = _describe_without_secrets  # noqa: SLF001
    eventbridge._update_connection = _authorize_again  # noqa: SLF001


def _handlers(kind: str) -> Document:
    """CloudFormation's handlers for one of the two types, both of which are known by their name."""

    def create(logical_id: str, properties: Properties, stack_name: str) -> Provisioned:
        name = properties.get("Name") or provisioners._physical_name(  # noqa: SLF001
            stack_name, logical_id, max_len=64
        )
        return name, _attributes(kind, _call(f"Create{kind}", {**properties, "Name": name}))

    def update(name: str, _old: Properties, new: Properties, _stack_name: str) -> Provisioned:
        return name, _attributes(kind, _call(f"Update{kind}", {**new, "Name": name}))

    def delete(name: str, _properties: Properties) -> None:
        try:
            _call(f"Delete{kind}", {"Name": name})
        except _NotFoundError:
            return

    return {"create": create, "update": update, "delete": delete}


def _attributes(kind: str, answer: Document) -> Document:
    arn = answer[f"{kind}Arn"]
    return {"Arn": arn, "ArnForPolicy": arn}


class _NotFoundError(ValueError):
    """The resource is gone already."""


def _authorize_again(request: Document) -> Answer:
    """UpdateConnection, after which nothing is left of a refusal."""
    answer: Answer = _update_connection(request)
    if connection := eventbridge._connections.get(request.get("Name", "")):  # noqa: SLF001
        connection.pop("StateReason", None)
    return answer


_OPERATIONS: Final[dict[str, Operation]] = {
    "CreateConnection": eventbridge._create_connection,  # noqa: SLF001
    "UpdateConnection": _authorize_again,
    "DeleteConnection": eventbridge._delete_connection,  # noqa: SLF001
    "CreateApiDestination": eventbridge._create_api_destination,  # noqa: SLF001
    "UpdateApiDestination": eventbridge._update_api_destination,  # noqa: SLF001
    "DeleteApiDestination": eventbridge._delete_api_destination,  # noqa: SLF001
}


def _check_key(request: Document) -> None:
    """Refuse a key that EventBridge may not use for the credentials of a connection.

    Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/encryption-connections.html
    Source: https://docs.aws.amazon.com/aws-managed-policy/latest/reference/AmazonEventBridgeApiDestinationsServiceRolePolicy.html

    Raises:
        ValueError: It doesn't exist, or lacks the tag.
    """
    if not (name := request.get("KmsKeyIdentifier")):
        return
    key = kms._resolve_key(name)  # noqa: SLF001 - see tests/emulator/contract
    if key is None or _KEY_TAG not in key.get("Tags", ()):
        raise ValueError(
            f"EventBridge can't use the key {name} for connections: it doesn't exist, or has no tag "
            f"{_KEY_TAG['TagKey']} with the value {_KEY_TAG['TagValue']}."
        )


def _call(operation: str, request: Document) -> Document:
    _check_key(request)
    status, _headers, body = _OPERATIONS[operation](request)
    answer: Document = json.loads(body or b"{}")
    if status >= 400:  # noqa: PLR2004 - HTTP's first error
        code = str(answer.get("__type", "")).rpartition("#")[2]
        problem = f"{operation}: {code}: {answer.get('message', '')}"
        raise (_NotFoundError if code == "ResourceNotFoundException" else ValueError)(problem)
    return answer


def _describe_without_secrets(request: Document) -> Answer:
    """DescribeConnection, which returns no credentials on AWS."""
    status, headers, body = _describe_connection(request)
    return status, headers, json.dumps(_without_secrets(json.loads(body))).encode()


def _without_secrets(value: Any) -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, list):
        return [_without_secrets(item) for item in value]
    if not isinstance(value, dict):
        return value
    hidden = _SECRETS | ({"Value"} if value.get("IsValueSecret") else set())
    return {key: _without_secrets(item) for key, item in value.items() if key not in hidden}


def _open_locally(request: urllib.request.Request, timeout: int = 5) -> Any:  # noqa: ANN401 - urllib's response
    """Send a request to the local server of its host. Replaces `eventbridge._http_open`."""
    url = urlsplit(request.full_url)
    if url.hostname in _LOOPBACK:
        return _open(request, timeout)
    server = _servers.get(url.hostname or "")
    if server is None:
        raise urllib.error.URLError(
            f"no local server stands for {url.hostname}; POST {HOSTS_PATH} with "
            f'{{"{url.hostname}": "http://127.0.0.1:PORT"}}'
        )
    request.full_url = server + request.full_url.partition(url.netloc)[2]
    request.add_unredirected_header("Host", url.netloc)
    return _open(request, timeout)


def hosts_app(inner_app: AsgiApp) -> AsgiApp:
    """An ASGI application that takes `POST /_emulator/hosts` and passes everything else on."""

    async def app(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != HOSTS_PATH:
            await inner_app(scope, receive, send)
            return
        problem = _take_hosts(await read_body(receive) if scope["method"] == "POST" else b"")
        answer = {"message": problem} if problem else {"hosts": _servers}
        await answer_json(send, 400 if problem else 200, answer)

    return app


def _take_hosts(content: bytes) -> str | None:
    """Record the local server of each host, unless one of them is invalid."""
    try:
        hosts = json.loads(content or b"{}")
    except ValueError as error:
        return f"The body is not JSON: {error}."
    if not isinstance(hosts, dict):
        return "The body must be an object with a local server for each host."
    for host, server in hosts.items():
        url = urlsplit(str(server))
        if url.scheme != "http" or url.hostname not in _LOOPBACK or url.path.strip("/"):
            return (
                f"{server!r} cannot stand for {host}: give a local server, such as 'http://127.0.0.1:8080'."
            )
    _servers.update({host: str(server).rstrip("/") for host, server in hosts.items()})
    return None
