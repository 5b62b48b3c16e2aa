"""Any HTTPS endpoint that accepts JSON as a rule target."""

from __future__ import annotations

from collections.abc import Mapping

from aws_cdk import aws_events as events
from constructs import Construct

from securityhub_actions.arguments import checked
from securityhub_actions.delivery import Delivery
from securityhub_actions.targets.api_destination import ApiDestination, Body
from securityhub_actions.targets.saas.connection import new_api_destination


class Webhook(ApiDestination):
    """Sends a POST request with the event or your own body to an HTTPS endpoint.

    Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-api-destinations.html
    """

    @checked
    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        endpoint: str,
        authorization: events.Authorization,
        body: Body | None = None,
        header_parameters: Mapping[str, str] | None = None,
        rate_limit_per_second: int = 300,
        delivery: Delivery | None = None,
    ) -> None:
        """Create the connection, the API destination and the target.

        Args:
            scope: The parent construct.
            construct_id: The construct ID, unique within the scope.
            endpoint: An HTTPS URL. Everyone who can describe the API destination can see it, so don't use a
                URL that is itself a secret.
            authorization: The credentials, from a secret in Secrets Manager, such as
                `Authorization.api_key("X-Api-Key", secret.secret_value_from_json("key"))`.
            body: See `ApiDestination`. Default: the whole event, with all of its findings.
            header_parameters: Additional headers. Don't put secrets in them. Default: none.
            rate_limit_per_second: Requests per second, 1 to 300. Default: 300.
            delivery: The retry policy and dead-letter queue. Default: the rule's.

        Raises:
            ValueError: The endpoint or the rate isn't valid. At synthesis: a credential isn't from Secrets
                Manager.
        """
        destination = new_api_destination(
            scope,
            construct_id,
            endpoint=endpoint,
            authorization=authorization,
            rate_limit_per_second=rate_limit_per_second,
            description="Webhook",
        )
        super().__init__(destination, body=body, header_parameters=header_parameters, delivery=delivery)
