"""A Slack channel as a rule target."""

from __future__ import annotations

from typing import Final

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
    secret_header,
)

_PAIRS_OF_FIELDS: Final = 5
"""A section has up to 10 fields. Source: https://docs.slack.dev/reference/block-kit/blocks/section-block"""


class Slack(ApiDestination):
    """Posts a finding to a Slack channel, as a bot that is a member of it and has the scope `chat:write`.

    It doesn't use an incoming webhook, because the webhook's URL is a secret, and everyone who can describe
    an API destination can see its endpoint.

    Slack responds with 200 even if it rejects a request, for example because the token is revoked, and
    EventBridge treats that as a success. If no finding must be missed, add a second target to the rule.

    Source: https://docs.slack.dev/reference/methods/chat.postMessage
    """

    @checked
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
            scope: The parent construct.
            construct_id: The construct ID, unique within the scope.
            channel: The ID of the channel, such as `C024BE91L`.
            secret: A JSON object with the bot token, which starts with `xoxb-`.
            token_key: The member of the secret that contains the token. Default: `bot_token`.
            base_url: The URL of Slack. For GovSlack, use `https://slack-gov.com`.
                Default: `https://slack.com`.
            rate_limit_per_second: Requests per second, 1 to 300. Default: 1, Slack's limit for a channel.
            delivery: The retry policy and dead-letter queue. Default: the rule's.

        Raises:
            ValueError: The base URL or the rate isn't valid.
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
    # plain_text, so that text in a finding can't mention people or create links.
    facts: list[tuple[Json, Json]] = [
        ("Severity", _plain(finding.severity)),
        ("Account", _plain(finding.account)),
        *((label, _plain(value)) for label, value in finding.facts),
        (finding.resource_type, _plain(finding.resource)),
        ("Finding", _plain(finding.finding_id)),
    ]
    if finding.link is not None:
        # Slack makes a link of a URL only here, and this one has no characters of the findings' texts.
        facts.append(("Console", {"type": "mrkdwn", "text": finding.link}))
    fields = [(_plain(label), value) for label, value in facts]
    return {
        "channel": channel,
        "text": finding.title,
        "mrkdwn": False,
        "blocks": [
            {"type": "section", "text": _plain(finding.title)},
            {"type": "section", "text": _plain(finding.description)},
            *(
                {
                    "type": "section",
                    "fields": [text for pair in fields[start : start + _PAIRS_OF_FIELDS] for text in pair],
                }
                for start in range(0, len(fields), _PAIRS_OF_FIELDS)
            ),
        ],
    }


def _plain(text: Json) -> Json:
    return {"type": "plain_text", "text": text, "emoji": False}
