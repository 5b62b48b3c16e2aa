"""ServiceNow incidents as a rule target."""

from __future__ import annotations

from enum import IntEnum

from aws_cdk import aws_events as events
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from securityhub_actions.arguments import checked
from securityhub_actions.delivery import Delivery
from securityhub_actions.targets.api_destination import ApiDestination
from securityhub_actions.targets.finding_paths import FindingPaths
from securityhub_actions.targets.json_input import Json
from securityhub_actions.targets.saas.connection import joined_url, new_api_destination


class ServiceNowLevel(IntEnum):
    """The urgency or impact of an incident. ServiceNow derives the priority from both."""

    HIGH = 1
    MEDIUM = 2
    LOW = 3


class ServiceNow(ApiDestination):
    """Creates an incident with the ServiceNow Table API.

    Every event creates an incident, whose correlation ID is the ID of the event; with `EachFinding`, it's the
    key of the finding in the event. ServiceNow truncates values that are too long: it keeps 160 characters of
    a title as the short description.

    Sources:
        https://www.servicenow.com/docs/bundle/zurich-api-reference/page/integrate/inbound-rest/concept/c_TableAPI.html
        https://www.servicenow.com/docs/r/platform-security/authentication/basic-auth-restriction.html
    """

    @checked
    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        base_url: str,
        secret: secretsmanager.ISecret,
        urgency: ServiceNowLevel,
        impact: ServiceNowLevel,
        username_key: str = "username",
        password_key: str = "password",  # noqa: S107 - the name of a JSON member
        rate_limit_per_second: int = 5,
        delivery: Delivery | None = None,
    ) -> None:
        """Create the connection, the API destination and the target.

        Args:
            scope: The parent construct.
            construct_id: The construct ID, unique within the scope.
            base_url: The URL of the instance, such as `https://example.service-now.com`.
            secret: A JSON object with the user name and password of a user with the role `itil`, whom the
                instance's basic authentication restriction lets in.
            urgency: The urgency of every incident. EventBridge can't derive it from the finding.
            impact: The impact of every incident.
            username_key: The member of the secret that contains the user name. Default: `username`.
            password_key: The member of the secret that contains the password. Default: `password`.
            rate_limit_per_second: Requests per second, 1 to 300. Default: 5.
            delivery: The retry policy and dead-letter queue. Default: the rule's.

        Raises:
            ValueError: The base URL or the rate isn't valid.
        """
        destination = new_api_destination(
            scope,
            construct_id,
            endpoint=joined_url(base_url, "/api/now/table/incident"),
            authorization=events.Authorization.basic(
                secret.secret_value_from_json(username_key).unsafe_unwrap(),
                secret.secret_value_from_json(password_key),
            ),
            rate_limit_per_second=rate_limit_per_second,
            description="ServiceNow, create incident",
        )
        super().__init__(
            destination,
            body=lambda finding: _incident(urgency, impact, finding),
            header_parameters={"Accept": "application/json"},
            delivery=delivery,
        )


def _incident(urgency: ServiceNowLevel, impact: ServiceNowLevel, finding: FindingPaths) -> Json:
    return {
        "short_description": finding.title,
        "description": finding.text or finding.description,
        "urgency": str(urgency.value),
        "impact": str(impact.value),
        "correlation_id": finding.event_key,
        "correlation_display": "AWS Security Hub",
        "comments": finding.resource,
        "work_notes": finding.finding_id,
    }
