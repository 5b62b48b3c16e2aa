"""Microsoft Sentinel as a rule target, through the Logs Ingestion API of Azure Monitor."""

from __future__ import annotations

import re
from typing import Final

from aws_cdk import aws_events as events
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from securityhub_actions.arguments import checked
from securityhub_actions.delivery import Delivery
from securityhub_actions.targets.api_destination import ApiDestination
from securityhub_actions.targets.json_input import InputPath
from securityhub_actions.targets.saas.connection import joined_url, new_api_destination
from securityhub_actions.tokens import is_token

_RULE: Final = re.compile(r"dcr-[0-9a-f]{32}")
_TENANT: Final = re.compile(r"[A-Za-z0-9.-]+")
_STREAM: Final = re.compile(r"(Custom|Microsoft)-\w+")


class MicrosoftSentinel(ApiDestination):
    """Sends the whole event, with all of its findings, to a table of a Log Analytics workspace.

    It works with all Security Hub events. The stream of the data collection rule has the columns
    `TimeGenerated` (datetime) and `Event` (dynamic). An app registration with the role *Monitoring Metrics
    Publisher* on the data collection rule sends. EventBridge gets its token with the OAuth client credentials
    flow, and gets another one after the status codes 401 and 407.

    Azure Monitor accepts requests of up to 1 MB, truncates columns of more than 64 KB, which an event with
    several findings can exceed, and accepts a request (204) before it's in the table: an error of the
    transformation shows only in the rule's own metrics. With `EachFinding`, a column has one finding.

    Sources:
        https://learn.microsoft.com/en-us/azure/azure-monitor/logs/logs-ingestion-api-overview
        https://learn.microsoft.com/en-us/azure/azure-monitor/fundamentals/service-limits#logs-ingestion-api
    """

    @checked
    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        ingestion_url: str,
        rule_id: str,
        stream: str,
        tenant_id: str,
        secret: secretsmanager.ISecret,
        client_id_key: str = "client_id",
        client_secret_key: str = "client_secret",  # noqa: S107 - the name of a JSON member
        rate_limit_per_second: int = 50,
        delivery: Delivery | None = None,
    ) -> None:
        """Create the connection, the API destination and the target.

        Args:
            scope: The parent construct.
            construct_id: The construct ID, unique within the scope.
            ingestion_url: The logs ingestion URL of the data collection rule or endpoint, such as
                `https://example-a1b2.westeurope-1.ingest.monitor.azure.com`.
            rule_id: The immutable ID of the data collection rule: `dcr-` and 32 hexadecimal digits.
            stream: The stream of the rule, such as `Custom-SecurityHub_CL`.
            tenant_id: The ID or domain of the Microsoft Entra tenant.
            secret: A JSON object with the application (client) ID and a client secret.
            client_id_key: The member of the secret that contains the ID. Default: `client_id`.
            client_secret_key: The member of the secret that contains the client secret.
                Default: `client_secret`.
            rate_limit_per_second: Requests per second, 1 to 300. Default: 50.
            delivery: The retry policy and dead-letter queue. Default: the rule's.

        Raises:
            ValueError: A URL, an ID, the stream, or the rate isn't valid.
        """
        for name, value, pattern, allowed in (
            ("rule_id", rule_id, _RULE, "'dcr-' and 32 hexadecimal digits"),
            ("stream", stream, _STREAM, "'Custom-TABLE_CL' or 'Microsoft-TABLE'"),
            ("tenant_id", tenant_id, _TENANT, "a GUID or a domain"),
        ):
            if not is_token(value) and not pattern.fullmatch(value):
                raise ValueError(f"{name} {value!r} is not valid. Use {allowed}.")
        path = f"/dataCollectionRules/{rule_id}/streams/{stream}?api-version=2023-01-01"
        destination = new_api_destination(
            scope,
            construct_id,
            endpoint=joined_url(ingestion_url, path),
            authorization=events.Authorization.oauth(
                authorization_endpoint=f"https://login.microsoftonline.com/{tenant_id}/oauth2/v2.0/token",
                client_id=secret.secret_value_from_json(client_id_key).unsafe_unwrap(),
                client_secret=secret.secret_value_from_json(client_secret_key),
                http_method=events.HttpMethod.POST,
                body_parameters={
                    "grant_type": events.HttpParameter.from_string("client_credentials"),
                    # The two slashes are part of it.
                    "scope": events.HttpParameter.from_string("https://monitor.azure.com//.default"),
                },
            ),
            rate_limit_per_second=rate_limit_per_second,
            description="Microsoft Sentinel, Logs Ingestion API",
        )
        record = {"TimeGenerated": InputPath("$.time"), "Event": InputPath("$")}
        super().__init__(destination, body=[record], delivery=delivery)
