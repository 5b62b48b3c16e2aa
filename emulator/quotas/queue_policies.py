"""SQS: the size of a queue's policy.

Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-policies.html
Source: https://github.com/aws/aws-cdk/issues/16303 (the errors)
"""

from __future__ import annotations

import functools
import json
from typing import Any, Final

from ministack.services import sqs

from emulator.quotas.wrapping import Document, Refusal, check_resource, compact

MAX_BYTES: Final = 8192
MAX_STATEMENTS: Final = 20
MAX_ACTIONS: Final = 7
"""Actions of a statement."""

_OVER_LIMIT: Final = "OverLimit"
_STATUS: Final = 403


def register() -> None:
    """Check CreateQueue, SetQueueAttributes, AddPermission, and the queue policies of stacks."""
    for operation in ("CreateQueue", "SetQueueAttributes"):
        _check_attributes(operation)
    sqs._HANDLERS["AddPermission"] = _add_permission  # noqa: SLF001
    check_resource("AWS::SQS::QueuePolicy", _refusal_of_resource)


_original_add_permission = sqs._act_add_permission  # noqa: SLF001 - see tests/emulator/contract


def _add_permission(request: Document, queue_url: str) -> Any:  # noqa: ANN401 - MiniStack is untyped
    attributes = sqs._get_q(request.get("QueueUrl", queue_url))["attributes"]  # noqa: SLF001
    before = attributes.get("Policy")
    answer = _original_add_permission(request, queue_url)
    try:
        _raise_if_refused(refusal_of(attributes["Policy"]))
    except sqs._Err:  # noqa: SLF001
        attributes["Policy"] = before
        raise
    return answer


def _check_attributes(operation: str) -> None:
    original = sqs._HANDLERS[operation]  # noqa: SLF001

    @functools.wraps(original)
    def checked(request: Document, queue_url: str) -> Any:  # noqa: ANN401 - MiniStack is untyped
        policy = (request.get("Attributes") or {}).get("Policy")
        if policy:
            _raise_if_refused(refusal_of(policy))
        return original(request, queue_url)

    sqs._HANDLERS[operation] = checked  # noqa: SLF001


def _raise_if_refused(refusal: Refusal | None) -> None:
    if refusal is not None:
        raise sqs._Err(refusal.code, refusal.message, _STATUS)  # noqa: SLF001


def _refusal_of_resource(_name: str, _old: Document, properties: Document) -> Refusal | None:
    return refusal_of(compact(properties.get("PolicyDocument") or {}))


def refusal_of(policy: str) -> Refusal | None:
    """Why SQS doesn't take a policy, or None if it does, or if it isn't JSON, which is another error."""
    if len(policy.encode()) > MAX_BYTES:
        return Refusal(_OVER_LIMIT, "Submitted policy is over max allowed size.")
    try:
        statements = _listed(json.loads(policy).get("Statement"))
    except (AttributeError, ValueError):
        return None
    if len(statements) > MAX_STATEMENTS:
        count = f"{len(statements)} statements were found in the submitted policy"
        return Refusal(_OVER_LIMIT, f"{count}, max allowed is {MAX_STATEMENTS}")
    actions = max((len(_listed(statement.get("Action"))) for statement in statements), default=0)
    if actions > MAX_ACTIONS:
        count = f"{actions} actions were found in a statement from the submitted policy"
        return Refusal(_OVER_LIMIT, f"{count}, max allowed is {MAX_ACTIONS}")
    return None


def _listed(value: Any) -> list[Any]:  # noqa: ANN401 - JSON
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
