"""A Microsoft Teams channel or chat as a rule target."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

from aws_cdk import aws_events as events
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from securityhub_actions.arguments import checked
from securityhub_actions.delivery import Delivery
from securityhub_actions.targets.api_destination import ApiDestination
from securityhub_actions.targets.finding_paths import FindingPaths
from securityhub_actions.targets.json_input import Json
from securityhub_actions.targets.saas.connection import new_api_destination, no_credentials
from securityhub_actions.tokens import is_token


class MicrosoftTeams(ApiDestination):
    """Posts a finding as an Adaptive Card with a workflow of type "When a Teams webhook request is received".

    The secret part of the workflow's URL is the query parameter `sig`. Store it in the secret, and pass the
    rest of the URL as the endpoint. The workflow accepts a request (202) before it posts the message. Whether
    it succeeds shows only in its run history.

    Sources:
        https://learn.microsoft.com/en-us/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using
        https://learn.microsoft.com/troubleshoot/power-platform/power-automate/flow-run-issues/triggers-troubleshoot
    """

    @checked
    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        workflow_url: str,
        secret: secretsmanager.ISecret,
        signature_key: str = "sig",
        rate_limit_per_second: int = 4,
        delivery: Delivery | None = None,
    ) -> None:
        """Create the connection, the API destination and the target.

        Args:
            scope: The parent construct.
            construct_id: The construct ID, unique within the scope.
            workflow_url: The URL of the workflow without the parameter `sig`.
            secret: A JSON object with the URL-decoded value of `sig`, which contains `/`, `+`, and `=`
                instead of `%2F`, `%2B`, and `%3D`.
            signature_key: The member of the secret that contains the signature. Default: `sig`.
            rate_limit_per_second: Requests per second, 1 to 300. Default: 4, the limit of Teams.
            delivery: The retry policy and dead-letter queue. Default: the rule's.

        Raises:
            ValueError: The URL contains the signature or isn't valid, or the rate isn't valid.
        """
        _check_unsigned(workflow_url)
        signature = events.HttpParameter.from_secret(secret.secret_value_from_json(signature_key))
        destination = new_api_destination(
            scope,
            construct_id,
            endpoint=workflow_url,
            authorization=no_credentials(),
            query_string_parameters={"sig": signature},
            rate_limit_per_second=rate_limit_per_second,
            description="Microsoft Teams, a workflow that posts Adaptive Cards",
        )
        super().__init__(destination, body=_message, delivery=delivery)


def _check_unsigned(workflow_url: str) -> None:
    if is_token(workflow_url):
        return
    if "sig" in dict(parse_qsl(urlsplit(workflow_url).query, keep_blank_values=True)):
        # The message doesn't repeat the URL, because anyone who has it can post.
        raise ValueError(
            "workflow_url contains the parameter 'sig', which is a secret and must not appear in a template. "
            "Store its value in Secrets Manager, pass secret=..., and remove '&sig=...' from the URL."
        )


def _message(finding: FindingPaths) -> Json:
    card: dict[str, Json] = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": [
            _paragraph({"text": finding.title, "weight": "Bolder", "size": "Large"}),
            _paragraph({"text": finding.description}),
            _fact("Severity", finding.severity),
            _fact("Account", finding.account),
            *(_fact(label, value) for label, value in finding.facts),
            _fact("Resource type", finding.resource_type),
            _fact("Resource", finding.resource),
            _fact("Finding", finding.finding_id),
        ],
    }
    if finding.link is not None:
        open_url: Json = {"type": "Action.OpenUrl", "title": "Open in Security Hub", "url": finding.link}
        card["actions"] = [open_url]
    attachment: Json = {"contentType": "application/vnd.microsoft.card.adaptive", "content": card}
    return {"type": "message", "attachments": [attachment]}


def _fact(label: str, value: Json) -> Json:
    return _paragraph({"text": f"{label}: ", "weight": "Bolder"}, {"text": value})


def _paragraph(*runs: dict[str, Json]) -> Json:
    # Text runs instead of a TextBlock, which would render Markdown in the finding's text.
    return {"type": "RichTextBlock", "inlines": [{"type": "TextRun", **run} for run in runs]}
