"""Elasticsearch as a rule target."""

from __future__ import annotations

import re
from typing import Final

from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from securityhub_actions.arguments import checked
from securityhub_actions.delivery import Delivery
from securityhub_actions.targets.api_destination import ApiDestination
from securityhub_actions.targets.json_input import InputPath, Json
from securityhub_actions.targets.saas.connection import joined_url, new_api_destination, secret_header
from securityhub_actions.tokens import is_token

_INDEX: Final = re.compile(r"(?![-_+.])[a-z0-9._-]{1,255}")


class Elastic(ApiDestination):
    """Adds the whole event, with all of its findings, to an index or a data stream of Elasticsearch.

    It works with all Security Hub events. The document has `@timestamp` and `event` of the Elastic Common
    Schema, and the event in `aws.securityhub`; map that as `flattened`, because findings have many fields,
    with `ignore_above`, because a value of more than 32,766 bytes would otherwise refuse the document.
    An event that is sent again is another document with the same `aws.securityhub.id`.

    Sources:
        https://www.elastic.co/docs/api/doc/elasticsearch/operation/operation-index
        https://www.elastic.co/docs/reference/ecs/ecs-event
        https://www.elastic.co/docs/reference/elasticsearch/security-privileges
        https://www.elastic.co/docs/reference/elasticsearch/mapping-reference/ignore-above
    """

    @checked
    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        base_url: str,
        secret: secretsmanager.ISecret,
        index: str = "logs-aws.securityhub-default",
        api_key_key: str = "api_key",
        rate_limit_per_second: int = 100,
        delivery: Delivery | None = None,
    ) -> None:
        """Create the connection, the API destination and the target.

        Args:
            scope: The parent construct.
            construct_id: The construct ID, unique within the scope.
            base_url: The URL of Elasticsearch, such as `https://example.es.eu-west-1.aws.elastic.cloud`.
            secret: A JSON object with an encoded API key that has the privileges `create_doc` and
                `auto_configure` for the index. The second one is for an index or fields that are new.
            index: The index or data stream, in small letters. Default: `logs-aws.securityhub-default`.
            api_key_key: The member of the secret that contains the key. Default: `api_key`.
            rate_limit_per_second: Requests per second, 1 to 300. Default: 100.
            delivery: The retry policy and dead-letter queue. Default: the rule's.

        Raises:
            ValueError: The base URL, the index, or the rate isn't valid.
        """
        if not is_token(index) and not _INDEX.fullmatch(index):
            raise ValueError(
                f"index {index!r} is not the name of an index. Elasticsearch allows 1 to 255 small letters, "
                "digits, '.', '-', and '_', and not '.', '-', '_', or '+' as the first."
            )
        destination = new_api_destination(
            scope,
            construct_id,
            endpoint=joined_url(base_url, f"/{index}/_doc"),
            authorization=secret_header("Authorization", secret, api_key_key, prefix="ApiKey "),
            rate_limit_per_second=rate_limit_per_second,
            description="Elasticsearch, index a document",
        )
        body: dict[str, Json] = {
            "@timestamp": InputPath("$.time"),
            "event": {"kind": "alert", "module": "aws", "dataset": "aws.securityhub"},
            "aws": {"securityhub": InputPath("$")},
        }
        super().__init__(destination, body=body, delivery=delivery)
