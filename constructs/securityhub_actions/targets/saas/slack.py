"""A channel of Slack as the target of a rule."""

from __future__ import annotations

from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from securityhub_actions.delivery import Delivery
from securityhub_actions.targets.api_destination import ApiDestination
from securityhub_actions.targets.finding_paths import FindingPaths
from securityhub_actions.targets.json_input import Json
from securityhub_actions.targets.saas.connection import (
    joined_url,
    new_api_destination,
    secret_header,
)


class Slack(ApiDestination):
    """Posts a finding into a Slack channel, as a bot with the scope `chat:write` that is in the channel.

    Not through an incoming webhook: its URL is the secret, and EventBridge shows the endpoint of an API
    destination to everyone who may describe it.

    Slack answers 200 also to a request that it refuses, such as one with a revoked token, and EventBridge
    takes that for success. Give the rule a second target where no finding may go unseen.

    Source: https://docs.slack.dev/reference/methods/chat.postMessage
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        channel: str,
        secret: secretsmanager.ISecret,
        token_key: str = "bot_token",  # noqa: S107 - the name of a JSON member
        base_url: str = "https://slack.com",
        rate_limit_per_second: int = 1,
        delivery: Delivery | None = None,
    ) -> None:
        """Create the connection, the API destination and the target.

        Args:
            scope: The construct that they belong to.
            construct_id: The id in that scope.
            channel: The id of the channel, such as `C024BE91L`.
            secret: A JSON object with the bot's token, which starts with `xoxb-`.
            token_key: The member of that object. Default: `bot_token`.
            base_url: Default: `https://slack.com`; GovSlack is at `https://slack-gov.com`.
            rate_limit_per_second: Requests a second, 1 to 300. Default: 1, Slack's limit for a channel.
            delivery: Retry policy and dead-letter queue. Default: those of the rule.

        Raises:
            ValueError: The base URL or the rate is not allowed.
        """
        destination = new_api_destination(
            scope,
            construct_id,
            endpoint=joined_url(base_url, "/api/chat.postMessage"),
            authorization=secret_header("Authorization", secret, token_key, prefix="Bearer "),
            rate_limit_per_second=rate_limit_per_second,
            description="Slack, chat.postMessage",
        )
        super().__init__(destination, body=lambda finding: _message(channel, finding), delivery=delivery)


def _message(channel: str, finding: FindingPaths) -> Json:
    # plain_text, so that nothing in a finding mentions people or makes links.
    facts: list[tuple[Json, Json]] = [
        ("Severity", finding.severity),
        ("Account", finding.account),
        (finding.resource_type, finding.resource),
        ("Finding", finding.finding_id),
    ]
    return {
        "channel": channel,
        "text": finding.title,
        "mrkdwn": False,
        "blocks": [
            {"type": "section", "text": _plain(finding.title)},
            {"type": "section", "text": _plain(finding.description)},
            {"type": "section", "fields": [_plain(text) for fact in facts for text in fact]},
        ],
    }


def _plain(text: Json) -> Json:
    return {"type": "plain_text", "text": text, "emoji": False}
