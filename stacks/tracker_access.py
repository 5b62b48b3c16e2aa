"""What the function for tickets needs to reach the trackers: environment variables, and permissions."""

from __future__ import annotations

from collections.abc import Mapping

from aws_cdk import Stack
from aws_cdk import aws_iam as iam

from securityhub_actions import LoggedFunction
from stacks.secret_values import allow_secret_value
from stacks.settings import TicketingSettings
from stacks.settings.trackers import (
    ConnectorSettings,
    SecretTrackerSettings,
    ServiceNowSettings,
    TrackerSettings,
)


def allow_trackers(function: LoggedFunction, settings: TicketingSettings) -> None:
    """Allow a function to read the secrets of the enabled trackers, and to create tickets by connectors."""
    for _, tracker in _enabled(settings):
        if isinstance(tracker, SecretTrackerSettings):
            allow_secret_value(function, tracker.secret_name)
        if isinstance(tracker, ServiceNowSettings) and tracker.jwt_key_id:
            _allow_signing(function, tracker.jwt_key_id)
        if isinstance(tracker, ConnectorSettings):
            _allow_connectors(function, tracker)


def _allow_signing(function: LoggedFunction, key_id: str) -> None:
    """Allow a function to sign with a key of its account and Region, and only as RS256 does.

    Source: https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html#conditions-kms-signing-algorithm
    """
    function.add_to_role_policy(
        iam.PolicyStatement(
            actions=["kms:Sign"],
            resources=[Stack.of(function).format_arn(service="kms", resource="key", resource_name=key_id)],
            conditions={"StringEquals": {"kms:SigningAlgorithm": "RSASSA_PKCS1_V1_5_SHA_256"}},
        )
    )


def _allow_connectors(function: LoggedFunction, settings: ConnectorSettings) -> None:
    """Allow a function to create tickets by connectors of its account and Region.

    Source: https://docs.aws.amazon.com/service-authorization/latest/reference/list_awssecurityhub.html
    """
    arns = [
        Stack.of(function).format_arn(service="securityhub", resource="connectorv2", resource_name=one)
        for one in dict.fromkeys(settings.connector_ids)
    ]
    function.add_to_role_policy(iam.PolicyStatement(actions=["securityhub:CreateTicketV2"], resources=arns))


def tracker_environment(settings: TicketingSettings) -> Mapping[str, str]:
    """Return the variables that lambda/functions/tickets/trackers reads, with the names of the secrets."""
    jira, service_now, pager_duty, slack = (
        settings.jira,
        settings.service_now,
        settings.pager_duty,
        settings.slack,
    )
    variables = {
        "jira": {
            "JIRA_URL": jira.url,
            "JIRA_PROJECT": jira.project,
            "JIRA_ISSUE_TYPE": jira.issue_type,
            "JIRA_DONE_TRANSITION": jira.done_transition,
            "JIRA_SECRET": jira.secret_name,
        },
        "servicenow": {
            "SERVICENOW_URL": service_now.url,
            "SERVICENOW_CLOSE_CODE": service_now.close_code,
            "SERVICENOW_SECRET": service_now.secret_name,
            **({"SERVICENOW_JWT_KEY": service_now.jwt_key_id} if service_now.jwt_key_id else {}),
        },
        "pagerduty": {
            "PAGERDUTY_URL": pager_duty.url,
            "PAGERDUTY_SERVICE_ID": pager_duty.service_id,
            "PAGERDUTY_FROM": pager_duty.from_email,
            "PAGERDUTY_SECRET": pager_duty.secret_name,
        },
        "slack": {
            "SLACK_URL": slack.url,
            "SLACK_CHANNEL": slack.channel,
            "SLACK_SECRET": slack.secret_name,
        },
        "teams": {
            "TEAMS_CHANNEL_URL": settings.teams.channel_url,
            "TEAMS_SECRET": settings.teams.secret_name,
        },
        "connector": {"CONNECTOR_ID": settings.connector.connector_id},
    }
    enabled = _enabled(settings)
    return {
        "TRACKERS": ",".join(name for name, _ in enabled),
        "TICKETS_PER_ACCOUNT_AND_HOUR": ",".join(
            str(tracker.tickets_per_account_and_hour) for _, tracker in enabled
        ),
        **{key: value for name, _ in enabled for key, value in variables[name].items()},
    }


def _enabled(settings: TicketingSettings) -> list[tuple[str, TrackerSettings]]:
    """The enabled trackers, by their names in the environment."""
    return [(name, tracker) for name, tracker in settings.trackers.items() if tracker.enabled]
