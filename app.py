"""The CDK app: reads the context and instantiates the stacks.

Context: `settings`, the path of a file with what differs from settings.toml, as in
`cdk deploy -c settings=production.toml`.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from aws_cdk import App, Environment, Stack
from aws_cdk import aws_dynamodb as dynamodb

from stacks.alarms import send_alarms
from stacks.analyst_actions import AnalystActionsStack
from stacks.dashboards import add_dashboard
from stacks.encryption import encrypt_stacks
from stacks.finding_turns import FindingTurnsStack
from stacks.findings_routing import FindingsRoutingStack
from stacks.member_role import MemberRoleStack
from stacks.outcomes import OutcomesStack
from stacks.remediation import RemediationStack
from stacks.settings import Settings, SettingsError, load_settings
from stacks.slack_tokens import SlackTokensStack
from stacks.stop_switch import StopSwitchStack
from stacks.summary import SummaryStack
from stacks.suppressions import SuppressionsStack
from stacks.template_checks import check_templates
from stacks.ticketing import TicketingStack


def main() -> None:
    """Synthesize the app. A mistake in the settings is a message without a traceback."""
    try:
        _synthesize(App())
    except SettingsError as error:
        sys.exit(str(error))


def _synthesize(app: App) -> None:
    """Synthesize all stacks for the account and Region that the CDK CLI resolved from the credentials."""
    environment = Environment(
        account=os.environ.get("CDK_DEFAULT_ACCOUNT"), region=os.environ.get("CDK_DEFAULT_REGION")
    )
    overlay = app.node.try_get_context("settings")
    settings = load_settings(overlay=Path(str(overlay)) if overlay else None)
    tracing = settings.tracing.enabled
    routing, remediation, ticketing = settings.routing, settings.remediation, settings.ticketing
    turns, stop_switch = _shared(app, settings, environment)
    insight_results = settings.insight_results
    outcomes = _outcomes(app, settings, environment)
    analysts = AnalystActionsStack(
        app,
        "SecurityHubAnalystActions",
        turns=turns,
        stop_switch=stop_switch,
        outcomes=outcomes,
        press=settings.press,
        insight_results=insight_results,
        tracing=tracing,
        env=environment,
        description="Security Hub custom actions for analysts, with their rules and Lambda functions",
    )
    if routing.enabled:
        FindingsRoutingStack(
            app,
            "SecurityHubFindingsRouting",
            settings=routing,
            hub=settings.hubs.routing,
            env=environment,
            description="Archives imported Security Hub findings, and sends them to subscribers and a queue",
        )
    remediator = None
    if remediation.enabled:
        remediator = RemediationStack(
            app,
            "SecurityHubRemediation",
            settings=remediation,
            hub=settings.hubs.remediation,
            turns=turns,
            stop_switch=stop_switch,
            outcomes=outcomes,
            press=settings.press,
            insight_results=insight_results,
            notices=analysts.digest_topic,
            tracing=tracing,
            env=environment,
            description="Remediates Security Hub findings in the accounts that they name",
        )
        MemberRoleStack(
            app,
            "SecurityHubRemediationMember",
            settings=remediation,
            env=environment,
            description="Lets the Security Hub administrator account remediate findings of this account",
        )
    if ticketing.enabled:
        TicketingStack(
            app,
            "SecurityHubTicketing",
            settings=ticketing,
            hub=settings.hubs.ticketing,
            turns=turns,
            stop_switch=stop_switch,
            outcomes=outcomes,
            press=settings.press,
            insight_results=insight_results,
            notices=analysts.digest_topic,
            tracing=tracing,
            env=environment,
            description="Opens tickets and incidents for Security Hub findings, and resolves them",
        )
    _rotate_slack_tokens(app, settings, environment)
    if settings.suppressions:
        SuppressionsStack(
            app,
            "SecurityHubSuppressions",
            settings=settings.suppressions,
            notices=analysts.digest_topic,
            env=environment,
            description="Suppresses Security Hub findings that are accepted, until a date",
        )
    if settings.summary.enabled:
        SummaryStack(
            app,
            "SecurityHubSummary",
            settings=settings.summary,
            watched=[stack for stack in app.node.children if isinstance(stack, Stack)],
            remediation_log_group=remediator.function.log_group if remediator else None,
            tracing=tracing,
            env=environment,
            description="Sends a summary of all Security Hub findings on a schedule",
        )
    _watch(app, settings)
    encrypt_stacks(app, settings.encryption, environment)
    check_templates(app)
    app.synth()


def _watch(app: App, settings: Settings) -> None:
    """Show the alarms of all stacks, and send them to the topic of the settings."""
    for stack in [one for one in app.node.children if isinstance(one, Stack)]:
        if settings.dashboards.enabled:
            add_dashboard(stack)
        if topic_arn := settings.alarms.topic_arn:
            send_alarms(stack, topic_arn)


def _rotate_slack_tokens(app: App, settings: Settings, environment: Environment) -> None:
    """Create the stack that renews the tokens of Slack apps with token rotation, if there are any."""
    if secrets := settings.rotated_slack_secrets:
        SlackTokensStack(
            app,
            "SecurityHubSlackTokens",
            secrets=secrets,
            tracing=settings.tracing.enabled,
            env=environment,
            description="Renews the tokens of the Slack apps that tickets and summaries use",
        )


def _outcomes(app: App, settings: Settings, environment: Environment) -> OutcomesStack | None:
    """Create what the functions report outcomes to."""
    if not settings.outcomes.enabled:
        return None
    return OutcomesStack(
        app,
        "SecurityHubOutcomes",
        settings=settings.outcomes,
        env=environment,
        description="Tells what became of Security Hub findings that the app was to act on",
    )


def _shared(
    app: App, settings: Settings, environment: Environment
) -> tuple[dynamodb.Table | None, StopSwitchStack | None]:
    """Create what the functions of several stacks share, where there are several that write to findings.

    The analysts' actions write to findings, and nothing else does unless one of the others is enabled.
    """
    if not (settings.remediation.enabled or settings.ticketing.enabled):
        return None, None
    stop_switch = None
    if settings.stop_switch.enabled:
        stop_switch = StopSwitchStack(
            app,
            "SecurityHubStopSwitch",
            settings=settings.stop_switch,
            env=environment,
            description="Stops all changes, or some, without a deployment",
        )
    turns = FindingTurnsStack(
        app,
        "SecurityHubFindingTurns",
        env=environment,
        description="Lets functions take turns at writing to a Security Hub finding",
    )
    return turns.table, stop_switch


if __name__ == "__main__":
    main()
