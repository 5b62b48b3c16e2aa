"""Can EventBridge call the endpoints of third parties, and with the present secrets?

EventBridge copies a secret when a deployment changes the connection, and doesn't read it again. After a 401
or 407 it calls nothing more with the connection until that is updated.

Sources:
    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-target-connection-deauthorize.html
    https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_DescribeConnection.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from securityhub_actions.cli.aws import code_of
from securityhub_actions.cli.doctor.model import Check, denied, fault, ok, skipped, warning
from securityhub_actions.cli.doctor.patient import Patient, stack_name
from securityhub_actions.cli.doctor.secrets import secrets_in

_CONNECTION: Final = "AWS::Events::Connection"
_REFUSED: Final = frozenset({"DEAUTHORIZED", "DEAUTHORIZING", "FAILED_CONNECTIVITY"})


def connections(patient: Patient) -> Iterator[Check]:
    """What is sent with a connection that isn't authorized only reaches the dead-letter queue."""
    found = patient.resources(_CONNECTION)
    if not found:
        yield skipped("No deployed stack has a connection of EventBridge.")
    secrets = _secrets_of_templates(patient)
    for stack, one in found:
        name = one.physical_id
        client = patient.aws.client("events")
        try:
            connection = client.describe_connection(Name=name)
        except client.exceptions.ResourceNotFoundException:
            yield fault(
                f"The connection {name} was deleted, although it belongs to the stack {stack}.",
                "Delete the stack and deploy it again.",
            )
        except client.exceptions.ClientError as error:
            yield denied(error, f"The connection {name}")
        else:
            yield _of_connection(patient, stack, connection, secrets.get((stack, one.logical_id), []))


def _secrets_of_templates(patient: Patient) -> Mapping[tuple[str, str], list[str]]:
    """The names of the secrets of each connection, by its stack and logical ID."""
    return {
        (stack_name(stack.name), logical_id): list(dict.fromkeys(name for name, _ in secrets_in(properties)))
        for stack in patient.stacks
        for logical_id, properties in stack.of_type(_CONNECTION)
    }


def _of_connection(patient: Patient, stack: str, connection: Mapping[str, Any], secrets: list[str]) -> Check:
    name, state = connection["Name"], connection["ConnectionState"]
    if state in _REFUSED:
        reason = connection.get("StateReason") or "EventBridge gives no reason."
        return fault(
            f"EventBridge sends nothing with the connection {name} of the stack {stack}, which is {state}: "
            f"{reason}",
            f"Make sure that the secret is valid. {_deploy(stack)} Then replay the dead letters.",
        )
    outdated = [one for one in secrets if _is_newer(patient, one, connection)]
    if outdated:
        return warning(
            f"The connection {name} of the stack {stack} sends a former value of the secret "
            f"{', '.join(outdated)}, which changed after it was deployed.",
            _deploy(stack),
        )
    return ok(f"The connection {name} is {state}.")


def _is_newer(patient: Patient, secret: str, connection: Mapping[str, Any]) -> bool:
    """Whether the value of a secret is newer than a connection. One that can't be read is in `secrets`.

    Source: https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html
    """
    client = patient.aws.client("secretsmanager")
    try:
        value = client.get_secret_value(SecretId=secret)
    except client.exceptions.ClientError as error:
        if code_of(error) not in {
            "AccessDeniedException",
            "InvalidRequestException",
            "ResourceNotFoundException",
        }:
            raise
        return False
    return bool(value["CreatedDate"] > connection["LastModifiedTime"])


def _deploy(stack: str) -> str:
    return (
        f"Deploy {stack} with `-c securityhub-actions:secretsAsOf=DATE`, where DATE is today's date: only a "
        "connection that changes gets the present secret."
    )
