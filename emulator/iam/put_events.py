"""Who may put which events on an event bus: the bus's own policy, and what the caller's policies allow.

In the account of the bus, either is enough, and a denial in either decides. EventBridge names a source or a
detail type that the bus's policy refuses entry by entry; whoever is refused as such gets no event through.

Sources:
    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-conditions.html
    https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEventsResultEntry.html
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ministack.core import iam_evaluator
from ministack.core.responses import get_account_id, get_region
from ministack.services import eventbridge, iam

from emulator.delivery.buses import policy_of

ACTION: Final = "events:PutEvents"
_BY_KEY: Final = {
    "events:source": ("NotAuthorizedForSourceException", "Not authorized for the source."),
    "events:detail-type": ("NotAuthorizedForDetailTypeException", "Not authorized for the detail type."),
}

Allows = Callable[[str, dict[str, str]], str]
"""Returns what the caller's own policies say of PutEvents on a bus: `Allow`, `Deny`, or `ImplicitDeny`.

Its arguments are the ARN of the bus and the keys of the request.
"""


class NotAuthorizedError(Exception):
    """The caller may not put events on a bus.

    Args:
        resource: The ARN of the bus.
        explicit: Whether a statement of the bus's policy denies it.
    """

    def __init__(self, resource: str, *, explicit: bool) -> None:
        super().__init__(resource)
        self.resource = resource
        self.explicit = explicit


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """An entry that a bus refuses.

    Attributes:
        position: The position in the request.
        code: The error code.
        message: The error message.
    """

    position: int
    code: str
    message: str


def refused_entries(body: bytes, *, caller_arn: str, allows: Allows) -> list[Refused]:
    """Return the entries of a request that their buses refuse.

    Args:
        body: The request.
        caller_arn: The ARN of the role, the user, or the account.
        allows: What the caller's own policies say.

    Raises:
        NotAuthorizedError: The caller may not put any event on one of the buses.
    """
    refused = []
    for position, entry in enumerate(_entries(body)):
        bus_name, problem = eventbridge._event_bus_name_from_ref(  # noqa: SLF001 - see tests/emulator/contract
            entry.get("EventBusName") or "default"
        )
        if problem is None and (found := _refusal(entry, bus_name, caller_arn, allows)) is not None:
            refused.append(Refused(position=position, code=found[0], message=found[1]))
    return refused


def merged(answer: Mapping[str, Any], refused: Sequence[Refused]) -> dict[str, Any]:
    """Return the answer to the entries that weren't refused, with the refusals where they belong."""
    results = list(answer["Entries"])
    for one in refused:
        results.insert(one.position, {"ErrorCode": one.code, "ErrorMessage": one.message})
    return {"FailedEntryCount": answer["FailedEntryCount"] + len(refused), "Entries": results}


def without(body: bytes, refused: Sequence[Refused]) -> bytes:
    """Return a request without the entries that are refused."""
    gone = {one.position for one in refused}
    request = json.loads(body)
    request["Entries"] = [entry for number, entry in enumerate(request["Entries"]) if number not in gone]
    return json.dumps(request).encode()


def role_arn(session_arn: str, name: str) -> str:
    """Return the ARN of a role, which `aws:PrincipalArn` is for its sessions."""
    role = iam._roles.get(name)  # noqa: SLF001
    return str(role["Arn"]) if role else session_arn


def _entries(body: bytes) -> list[dict[str, Any]]:
    try:
        entries = json.loads(body).get("Entries")
    except (ValueError, AttributeError):
        return []
    return [one for one in entries if isinstance(one, dict)] if isinstance(entries, list) else []


def _refusal(
    entry: Mapping[str, Any], bus_name: str, caller_arn: str, allows: Allows
) -> tuple[str, str] | None:
    resource = f"arn:aws:events:{get_region()}:{get_account_id()}:event-bus/{bus_name}"
    keys = {
        "events:source": str(entry.get("Source", "")),
        "events:detail-type": str(entry.get("DetailType", "")),
    }
    context = iam_evaluator.EvalContext(
        principal_arn=caller_arn,
        principal_type="AssumedRole",
        principal_account=caller_arn.split(":")[4],
        action=ACTION,
        resource_arn=resource,
        region=get_region(),
        secure_transport=True,
        service_context=keys,
    )
    statements = (policy_of(bus_name) or {}).get("Statement", [])
    verdicts = [(one, _verdict_of(one, context)) for one in statements]
    denying = [one for one, verdict in verdicts if verdict == "Deny"]
    for key, error in _BY_KEY.items():
        if denying and all(key in json.dumps(one.get("Condition", {})) for one in denying):
            return error
    own = allows(resource, keys)
    if denying or own == "Deny":
        raise NotAuthorizedError(resource, explicit=bool(denying))
    if own != "Allow" and not any(verdict == "Allow" for _, verdict in verdicts):
        raise NotAuthorizedError(resource, explicit=False)
    return None


def _verdict_of(statement: Mapping[str, Any], context: Any) -> str:  # noqa: ANN401 - MiniStack is untyped
    principal = statement.get("Principal")
    if isinstance(principal, str) and principal != "*":
        # PutPermission stores bare account numbers.
        statement = {**statement, "Principal": {"AWS": principal}}
    return str(iam_evaluator.evaluate_resource_policy({"Statement": [statement]}, context).decision)
