"""The CDK app: reads the context and instantiates the stacks.

Context: `settings`, the path of a file with what differs from settings.toml, as in
`cdk deploy -c settings=production.toml`.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from aws_cdk import App, Environment, Stack

from stacks.alarms import send_alarms
from stacks.analyst_actions import AnalystActionsStack
from stacks.finding_turns import FindingTurnsStack
from stacks.findings_routing import FindingsRoutingStack
from stacks.member_role import MemberRoleStack
from stacks.remediation import RemediationStack
from stacks.settings import SettingsError, load_settings
from stacks.template_checks import check_templates
from stacks.ticketing import TicketingStack


def main() -> None:
    """Synthesize all stacks for the account and Region that the CDK CLI resolved from the credentials."""
    app = App()
    environment = Environment(
        account=os.environ.get("CDK_DEFAULT_ACCOUNT"), region=os.environ.get("CDK_DEFAULT_REGION")
    )
    try:
        overlay = app.node.try_get_context("settings")
        settings = load_settings(overlay=Path(str(overlay)) if overlay else None)
    except SettingsError as error:
        sys.exit(str(error))
    tracing = settings.tracing.enabled
    routing, remediation, ticketing = settings.routing, settings.remediation, settings.ticketing
    turns = None
    # The analysts' actions write to findings as well, and nothing else does where neither is enabled.
    if remediation.enabled or ticketing.enabled:
        turns = FindingTurnsStack(
            app,
            "SecurityHubFindingTurns",
            env=environment,
            description="Lets functions take turns at writing to a Security Hub finding",
        ).table
    insight_results = settings.insight_results
    analysts = AnalystActionsStack(
        app,
        "SecurityHubAnalystActions",
        turns=turns,
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
            description="Routes imported Security Hub findings to an archive, a topic, a chat and a queue",
        )
    if remediation.enabled:
        RemediationStack(
            app,
            "SecurityHubRemediation",
            settings=remediation,
            hub=settings.hubs.remediation,
            turns=turns,
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
            press=settings.press,
            insight_results=insight_results,
            notices=analysts.digest_topic,
            tracing=tracing,
            env=environment,
            description="Opens tickets and incidents for Security Hub findings, and resolves them",
        )
    if topic_arn := settings.alarms.topic_arn:
        for stack in app.node.children:
            if isinstance(stack, Stack):
                send_alarms(stack, topic_arn)
    check_templates(app)
    app.synth()


if __name__ == "__main__":
    main()
