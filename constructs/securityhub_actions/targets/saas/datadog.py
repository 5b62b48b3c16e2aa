"""Datadog Logs as a rule target."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from securityhub_actions.arguments import checked
from securityhub_actions.delivery import Delivery
from securityhub_actions.targets.api_destination import ApiDestination
from securityhub_actions.targets.finding_paths import FindingPaths
from securityhub_actions.targets.json_input import InputPath, Json
from securityhub_actions.targets.saas.connection import new_api_destination, secret_header

_SITES: Final = (
    "datadoghq.com",
    "us3.datadoghq.com",
    "us5.datadoghq.com",
    "datadoghq.eu",
    "ap1.datadoghq.com",
    "ap2.datadoghq.com",
    "uk1.datadoghq.com",
    "ddog-gov.com",
    "us2.ddog-gov.com",
)


class Datadog(ApiDestination):
    """Sends a finding to Datadog as a log, with the HTTP API v2 for logs.

    The log has the whole finding in the attribute `securityhub`. Datadog accepts a log that is larger than
    1 MB and truncates it. It answers 403 to an invalid key; such an event goes to the dead-letter queue.

    Source: https://docs.datadoghq.com/api/latest/logs/send-logs/
    """

    @checked
    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        secret: secretsmanager.ISecret,
        site: str = "datadoghq.com",
        service: str = "security-hub",
        tags: Sequence[str] = (),
        api_key_key: str = "api_key",
        rate_limit_per_second: int = 100,
        delivery: Delivery | None = None,
    ) -> None:
        """Create the connection, the API destination and the target.

        Args:
            scope: The parent construct.
            construct_id: The construct ID, unique within the scope.
            secret: A JSON object with an API key.
            site: The Datadog site, such as `datadoghq.eu`. Default: `datadoghq.com`.
            service: The service of the logs. Default: `security-hub`.
            tags: Tags without commas, such as `env:prod`. Default: none.
            api_key_key: The member of the secret that contains the key. Default: `api_key`.
            rate_limit_per_second: Requests per second, 1 to 300. Default: 100.
            delivery: The retry policy and dead-letter queue. Default: the rule's.

        Raises:
            ValueError: The site isn't one of Datadog's, a tag has a comma or is empty, or the rate isn't
                valid.
        """
        if site not in _SITES:
            raise ValueError(f"site {site!r} is not a site of Datadog. Use one of {', '.join(_SITES)}.")
        if wrong := [tag for tag in tags if not tag.strip() or "," in tag]:
            raise ValueError(f"The tag {wrong[0]!r} is empty or has a comma, which separates tags. Use two.")
        destination = new_api_destination(
            scope,
            construct_id,
            endpoint=f"https://http-intake.logs.{site}/api/v2/logs",
            authorization=secret_header("DD-API-KEY", secret, api_key_key),
            rate_limit_per_second=rate_limit_per_second,
            description="Datadog, logs",
        )
        super().__init__(destination, body=lambda finding: _log(service, tags, finding), delivery=delivery)


def _log(service: str, tags: Sequence[str], finding: FindingPaths) -> Json:
    log: dict[str, Json] = {
        "ddsource": "aws.securityhub",
        "service": service,
        "message": finding.title,
        "description": finding.description,
        "severity": finding.severity,
        "account": finding.account,
        "resource": finding.resource,
        **{label.lower().replace(" ", "_"): value for label, value in finding.facts},
        "securityhub": InputPath("$.detail"),
    }
    if tags:
        log["ddtags"] = ",".join(tags)
    return log if finding.link is None else {**log, "link": finding.link}
