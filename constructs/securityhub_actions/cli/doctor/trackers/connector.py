"""Connectors of the new Security Hub to Jira Cloud or ServiceNow.

Source: https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_GetConnectorV2.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from securityhub_actions.cli.aws import Aws
from securityhub_actions.cli.doctor.model import Check, denied, fault, ok, warning

_KEY: Final = "ticketing.connector"
_CONNECTED: Final = "CONNECTED"
_PENDING: Final = {
    "PENDING_AUTHORIZATION": "Authorize it: open the integration in Security Hub's console.",
    "PENDING_CONFIGURATION": "Specify its project: open the integration in Security Hub's console.",
}
_TEST: Final = (
    "Open the integration in Security Hub's console, and create a test ticket, which says what is wrong."
)


def examine(aws: Aws, variables: Mapping[str, str], settings: Mapping[str, Any]) -> Iterator[Check]:
    """Every connector exists, and is connected.

    Args:
        aws: The account and Region.
        variables: The function's variables of the tracker, without its name.
        settings: The rules.
    """
    wanted = {f"{_KEY}.connector_id": variables["ID"]}
    for number, rule in enumerate(settings.get("rules", ())):
        wanted[f"{_KEY}.rules[{number}].connector_id"] = rule["connector_id"]
    # The first key of each, which is the one to correct.
    keys = {connector: key for key, connector in reversed(wanted.items())}
    for connector, key in keys.items():
        yield _of_connector(aws, connector, key)


def _of_connector(aws: Aws, connector: str, key: str) -> Check:
    client = aws.client("securityhub")
    try:
        found = client.get_connector_v2(ConnectorId=connector)
    except client.exceptions.ResourceNotFoundException:
        return fault(
            f"There is no connector {connector} in this account and Region.",
            f"Correct {key} in settings.toml; `aws securityhub list-connectors-v2` lists them.",
        )
    except client.exceptions.ClientError as error:
        return denied(error, f"The connector {connector}")
    health = found["Health"]
    status = health["ConnectorStatus"]
    if status == _CONNECTED:
        return ok(f"The connector {found['Name']} is connected.")
    said = f" ({health['Message']})" if health.get("Message") else ""
    text = f"The connector {found['Name']} is {status}{said}."
    return (warning if status == "DEGRADED" else fault)(text, _PENDING.get(status, _TEST))
