"""Any HTTPS endpoint that takes JSON as the target of a rule."""

from __future__ import annotations

from collections.abc import Mapping

from aws_cdk import aws_events as events
from constructs import Construct

from securityhub_actions.delivery import Delivery
from securityhub_actions.targets.api_destination import ApiDestination, Body
from securityhub_actions.targets.saas.connection import new_api_destination


class Webhook(ApiDestination):
    """Sends a POST request with the event, or a body of one's own, to an HTTPS endpoint.

    Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-api-destinations.html
    """

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
            scope: The construct that they belong to.
            construct_id: The id in that scope.
            endpoint: An https URL. It can be read by everyone who may describe the API destination, so a URL
                that is itself a secret does not belong here.
            authorization: The credentials, with `secret.secret_value_from_json(...)` of a secret in Secrets
                Manager, such as `Authorization.api_key("X-Api-Key", secret.secret_value_from_json("key"))`.
            body: See `ApiDestination`. Default: the whole event, with all of its findings.
            header_parameters: More headers; no secrets. Default: none.
            rate_limit_per_second: Requests a second, 1 to 300. Default: 300.
            delivery: Retry policy and dead-letter queue. Default: those of the rule.

        Raises:
            ValueError: The endpoint or the rate is not allowed. At synthesis: a credential is not from
                Secrets Manager.
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
