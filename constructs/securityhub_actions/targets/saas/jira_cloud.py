"""A project of Jira Cloud as the target of a rule."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import aws_events as events
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from securityhub_actions.delivery import Delivery
from securityhub_actions.targets.api_destination import ApiDestination
from securityhub_actions.targets.finding_paths import FindingPaths
from securityhub_actions.targets.json_input import Json
from securityhub_actions.targets.saas.connection import joined_url, new_api_destination


class JiraCloud(ApiDestination):
    """Creates an issue in Jira Cloud, with REST API v3.

    Every event creates an issue, also a repeated one: let the rule match new findings only. Jira refuses a
    title with a line break or with more than 255 characters; such an event ends in the dead-letter queue.

    Source: https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issues/#api-rest-api-3-issue-post
    """

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
            scope: The construct that they belong to.
            construct_id: The id in that scope.
            base_url: The site, such as `https://example.atlassian.net`.
            project_key: The project, such as `SEC`.
            secret: A JSON object with the e-mail address and the API token of an account that may create
                issues.
            issue_type: The name of an issue type that needs no other fields than these. Default: `Task`.
            labels: Labels without spaces. Default: `security-hub`.
            email_key: The member of the secret with the address. Default: `email`.
            api_token_key: The member of the secret with the token. Default: `api_token`.
            rate_limit_per_second: Requests a second, 1 to 300. Default: 5.
            delivery: Retry policy and dead-letter queue. Default: those of the rule.

        Raises:
            ValueError: The base URL, a label or the rate is not allowed.
        """
        if spaced := [label for label in labels if label.split() != [label]]:
            raise ValueError(
                f"The label {spaced[0]!r} is empty or has a space, which Jira does not allow: use '-'."
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
    """The description in Atlassian's document format.

    Source: https://developer.atlassian.com/cloud/jira/platform/apis/document/structure/
    """
    paragraphs: list[list[Json]] = [
        [finding.description],
        ["Severity: ", finding.severity],
        ["Account: ", finding.account],
        ["Resource: ", finding.resource_type, " ", finding.resource],
        ["Finding: ", finding.finding_id],
    ]
    return {"type": "doc", "version": 1, "content": [_paragraph(texts) for texts in paragraphs]}


def _paragraph(texts: Sequence[Json]) -> Json:
    return {"type": "paragraph", "content": [{"type": "text", "text": text} for text in texts]}
