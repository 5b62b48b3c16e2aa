"""A webhook feed of Google Security Operations as a rule target."""

from __future__ import annotations

from aws_cdk import aws_events as events
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from securityhub_actions.arguments import checked
from securityhub_actions.delivery import Delivery
from securityhub_actions.targets.api_destination import ApiDestination
from securityhub_actions.targets.saas.connection import new_api_destination, secret_header


class GoogleSecOps(ApiDestination):
    """Sends the whole event, with all of its findings, to a webhook feed of Google SecOps.

    It works with all Security Hub events. Create a feed with the source type *Webhook*, and an API key of the
    Google Cloud project that is limited to the Chronicle API. A request can have up to 4 MB.

    Source: https://docs.cloud.google.com/chronicle/docs/ingestion/setup-siem-webhook
    """

    @checked
    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        endpoint: str,
        secret: secretsmanager.ISecret,
        api_key_key: str = "api_key",
        feed_secret_key: str = "feed_secret",  # noqa: S107 - the name of a JSON member
        rate_limit_per_second: int = 100,
        delivery: Delivery | None = None,
    ) -> None:
        """Create the connection, the API destination and the target.

        Args:
            scope: The parent construct.
            construct_id: The construct ID, unique within the scope.
            endpoint: The endpoint of the feed, from its details, without `key` and `secret` as parameters.
            secret: A JSON object with the API key and the secret key of the feed.
            api_key_key: The member of the secret that contains the API key. Default: `api_key`.
            feed_secret_key: The member of the secret that contains the feed's key. Default: `feed_secret`.
            rate_limit_per_second: Requests per second, 1 to 300. Default: 100.
            delivery: The retry policy and dead-letter queue. Default: the rule's.

        Raises:
            ValueError: The endpoint or the rate isn't valid, or the endpoint contains a key.
        """
        if "?" in endpoint:
            # The message doesn't repeat the URL, which can contain keys.
            raise ValueError(
                "endpoint has parameters after '?'. The keys are secrets and must not appear in a template. "
                "Store them in Secrets Manager, pass secret=..., and remove the parameters from the endpoint."
            )
        feed_secret = events.HttpParameter.from_secret(secret.secret_value_from_json(feed_secret_key))
        destination = new_api_destination(
            scope,
            construct_id,
            endpoint=endpoint,
            authorization=secret_header("X-goog-api-key", secret, api_key_key),
            header_parameters={"X-Webhook-Access-Key": feed_secret},
            rate_limit_per_second=rate_limit_per_second,
            description="Google SecOps, webhook feed",
        )
        super().__init__(destination, delivery=delivery)
