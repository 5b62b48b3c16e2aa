"""A Jira Cloud project as a rule target."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import aws_events as events
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from securityhub_actions.arguments import checked
from securityhub_actions.delivery import Delivery
from securityhub_actions.targets.api_destination import ApiDestination
from securityhub_actions.targets.finding_paths import FindingPaths
from securityhub_actions.targets.json_input import Json
from securityhub_actions.targets.saas.connection import joined_url, new_api_destination


class JiraCloud(ApiDestination):
    """Creates an issue in Jira Cloud with the REST API v3.

    Every event creates an issue, even for the same finding, so let the rule match only new findings. Jira
    rejects a title with a line break or more than 255 characters. Such an event goes to the dead-letter
    queue.

    Sources:
        https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issues/#api-rest-api-3-issue-post
        https://support.atlassian.com/atlassian-account/docs/manage-api-tokens-for-your-atlassian-account/
    """

    @checked
    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        base_url: str,
        project_key: str,
        secret: secretsmanager.ISecret,
        issue_type: str = "Task",
        labels: Sequence[str] = ("security-hub",),
        email_key: str = "email",
        api_token_key: str = "api_token",  # noqa: S107 - the name of a JSON member
        rate_limit_per_second: int = 5,
        delivery: Delivery | None = None,
    ) -> None:
        """Create the connection, the API destination and the target.

        Args:
            scope: The parent construct.
            construct_id: The construct ID, unique within the scope.
            base_url: The URL of the site, such as `https://example.atlassian.net`. For an API token with
                scopes, `https://api.atlassian.com/ex/jira/CLOUD_ID`.
            project_key: The project key, such as `SEC`.
            secret: A JSON object with the email address and API token of a user who can create issues.
            issue_type: The name of an issue type that requires no other fields. Default: `Task`.
            labels: Labels without spaces. Default: `security-hub`.
            email_key: The member of the secret that contains the email address. Default: `email`.
            api_token_key: The member of the secret that contains the token. Default: `api_token`.
            rate_limit_per_second: Requests per second, 1 to 300. Default: 5.
            delivery: The retry policy and dead-letter queue. Default: the rule's.

        Raises:
            ValueError: The base URL, a label, or the rate isn't valid.
        """
        if spaced := [label for label in labels if label.split() != [label]]:
            raise ValueError(
                f"The label {spaced[0]!r} is empty or contains a space, which Jira doesn't allow. Use '-'."
            )
        destination = new_api_destination(
            scope,
            construct_id,
            endpoint=joined_url(base_url, "/rest/api/3/issue"),
            authorization=events.Authorization.basic(
                secret.secret_value_from_json(email_key).unsafe_unwrap(),
                secret.secret_value_from_json(api_token_key),
            ),
            rate_limit_per_second=rate_limit_per_second,
            description="Jira Cloud, create issue",
        )
        fields: dict[str, Json] = {
            "project": {"key": project_key},
            "issuetype": {"name": issue_type},
            "labels": list(labels),
        }
        super().__init__(
            destination,
            body=lambda finding: {
                "fields": {**fields, "summary": finding.title, "description": _document(finding)}
            },
            header_parameters={"Accept": "application/json"},
            delivery=delivery,
        )


def _document(finding: FindingPaths) -> Json:
    """The description in Atlassian Document Format.

    Source: https://developer.atlassian.com/cloud/jira/platform/apis/document/structure/
    """
    facts: list[list[Json]] = [[f"{label}: ", value] for label, value in finding.facts]
    paragraphs: list[list[Json]] = [
        [finding.description],
        ["Severity: ", finding.severity],
        ["Account: ", finding.account],
        *facts,
        ["Resource: ", finding.resource_type, " ", finding.resource],
        ["Finding: ", finding.finding_id],
    ]
    content = [_paragraph([_text(text) for text in texts]) for texts in paragraphs]
    if finding.link is not None:
        content.append(_paragraph([_text("Console: "), _link(finding.link)]))
    return {"type": "doc", "version": 1, "content": content}


def _paragraph(texts: Sequence[Json]) -> Json:
    return {"type": "paragraph", "content": list(texts)}


def _text(text: Json) -> Json:
    return {"type": "text", "text": text}


def _link(url: Json) -> Json:
    return {"type": "text", "text": url, "marks": [{"type": "link", "attrs": {"href": url}}]}
