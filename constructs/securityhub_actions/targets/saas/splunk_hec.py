"""The Splunk HTTP Event Collector as a rule target."""

from __future__ import annotations

from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from securityhub_actions.arguments import checked
from securityhub_actions.delivery import Delivery
from securityhub_actions.targets.api_destination import ApiDestination
from securityhub_actions.targets.json_input import InputPath, Json
from securityhub_actions.targets.saas.connection import (
    joined_url,
    new_api_destination,
    secret_header,
)


class SplunkHec(ApiDestination):
    """Sends the whole event, with all of its findings, to the Splunk HTTP Event Collector.

    It works with all Security Hub events. The collector must have a certificate from a public certificate
    authority and a token without indexer acknowledgment.

    Source: https://help.splunk.com/en/splunk-enterprise/get-data-in/collect-http-event-data/format-events-for-http-event-collector
    """

    @checked
    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        base_url: str,
        secret: secretsmanager.ISecret,
        index: str | None = None,
        source_type: str = "aws:securityhub",
        token_key: str = "hec_token",  # noqa: S107 - the name of a JSON member
        rate_limit_per_second: int = 100,
        delivery: Delivery | None = None,
    ) -> None:
        """Create the connection, the API destination and the target.

        Args:
            scope: The parent construct.
            construct_id: The construct ID, unique within the scope.
            base_url: The URL of the collector, such as `https://http-inputs-example.splunkcloud.com`.
            secret: A JSON object with the collector's token.
            index: The index, which the token must allow. Default: the token's default index.
            source_type: The source type of the event. Default: `aws:securityhub`.
            token_key: The member of the secret that contains the token. Default: `hec_token`.
            rate_limit_per_second: Requests per second, 1 to 300. Default: 100.
            delivery: The retry policy and dead-letter queue. Default: the rule's.

        Raises:
            ValueError: The base URL or the rate isn't valid.
        """
        destination = new_api_destination(
            scope,
            construct_id,
            endpoint=joined_url(base_url, "/services/collector/event"),
            authorization=secret_header("Authorization", secret, token_key, prefix="Splunk "),
            rate_limit_per_second=rate_limit_per_second,
            description="Splunk, HTTP Event Collector",
        )
        body: dict[str, Json] = {
            "source": "aws.securityhub",
            "sourcetype": source_type,
            "event": InputPath("$"),
        }
        if index is not None:
            body["index"] = index
        super().__init__(destination, body=body, delivery=delivery)
