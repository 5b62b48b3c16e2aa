"""A PagerDuty service as a rule target."""

from __future__ import annotations

from enum import StrEnum

from aws_cdk import aws_events as events
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from securityhub_actions.arguments import checked
from securityhub_actions.delivery import Delivery
from securityhub_actions.targets.api_destination import ApiDestination
from securityhub_actions.targets.finding_paths import FindingPaths
from securityhub_actions.targets.json_input import Json
from securityhub_actions.targets.saas.connection import (
    joined_url,
    new_api_destination,
    no_credentials,
)


class PagerDutySeverity(StrEnum):
    """The severity of a PagerDuty alert."""

    CRITICAL = "critical"
    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


class PagerDutyEventAction(StrEnum):
    """What an event does with the finding's alert."""

    TRIGGER = "trigger"
    ACKNOWLEDGE = "acknowledge"
    RESOLVE = "resolve"


class PagerDuty(ApiDestination):
    """Sends an alert with the PagerDuty Events API v2.

    The finding's ID is the deduplication key, so updates to a finding are added to its alert. To resolve the
    alert, use another rule for resolved findings with `event_action=PagerDutyEventAction.RESOLVE`. PagerDuty
    allows 255 characters in the key. It rejects a finding with a longer ID, and the event goes to the
    dead-letter queue; with `EachFinding`, the key of such a finding is a hash of its ID.

    Source: https://developer.pagerduty.com/docs/send-alert-event
    """

    @checked
    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        secret: secretsmanager.ISecret,
        severity: PagerDutySeverity,
        event_action: PagerDutyEventAction = PagerDutyEventAction.TRIGGER,
        routing_key_key: str = "routing_key",
        base_url: str = "https://events.pagerduty.com",
        rate_limit_per_second: int = 2,
        delivery: Delivery | None = None,
    ) -> None:
        """Create the connection, the API destination and the target.

        Args:
            scope: The parent construct.
            construct_id: The construct ID, unique within the scope.
            secret: A JSON object with the integration key of the service.
            severity: The severity of every alert. EventBridge can't map the finding's severity, so use a
                separate rule for each severity.
            event_action: What to do with the alert. Default: trigger it.
            routing_key_key: The member of the secret that contains the key. Default: `routing_key`.
            base_url: The URL of the API. For accounts in the EU, use `https://events.eu.pagerduty.com`.
                Default: `https://events.pagerduty.com`.
            rate_limit_per_second: Requests per second, 1 to 300. Default: 2, PagerDuty's limit for a key.
            delivery: The retry policy and dead-letter queue. Default: the rule's.

        Raises:
            ValueError: The base URL or the rate isn't valid.
        """
        routing_key = events.HttpParameter.from_secret(secret.secret_value_from_json(routing_key_key))
        destination = new_api_destination(
            scope,
            construct_id,
            endpoint=joined_url(base_url, "/v2/enqueue"),
            authorization=no_credentials(),
            body_parameters={"routing_key": routing_key},
            rate_limit_per_second=rate_limit_per_second,
            description="PagerDuty, Events API v2",
        )
        super().__init__(
            destination, body=lambda finding: _alert(severity, event_action, finding), delivery=delivery
        )


def _alert(severity: PagerDutySeverity, event_action: PagerDutyEventAction, finding: FindingPaths) -> Json:
    details: dict[str, Json] = {
        "description": finding.description,
        "severity": finding.severity,
        "product": finding.product,
        **{label.lower().replace(" ", "_"): value for label, value in finding.facts},
    }
    alert: dict[str, Json] = {
        "event_action": event_action,
        "dedup_key": finding.issue_key or finding.finding_id,
        "client": "AWS Security Hub",
        "payload": {
            "summary": finding.title,
            "source": finding.account,
            "severity": severity,
            "component": finding.resource,
            "class": finding.resource_type,
            "custom_details": details,
        },
    }
    if finding.link is not None:
        alert["links"] = [{"href": finding.link, "text": "Open in Security Hub"}]
    return alert
