"""What became of each finding: the event bus on which functions report it, and where the events go."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

from aws_cdk import Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from constructs import Construct

from securityhub_actions import LoggedFunction, targets
from securityhub_actions.event_names import OUTCOME_BUS
from stacks.alarms import watch
from stacks.outcome_alarms import watch_outcomes
from stacks.outcome_audit import keep_outcomes
from stacks.settings.outcomes import OutcomesSettings, TopicSettings
from stacks.topics import topic_for_people

SOURCE: Final = "securityhub-actions.outcomes"
DETAIL_TYPE: Final = "Security Hub Action Outcome"
"""As in lambda/securityhub/outcomes/reporting.py."""


class OutcomesStack(Stack):
    """The event bus for lambda/securityhub/outcomes, an SNS topic with its events, and a record of them.

    It has a stack of its own, so that none of the stacks that report to it depends on another one.

    Attributes:
        bus_name: The name of the event bus.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: OutcomesSettings,
        **stack_settings: Any,  # noqa: ANN401 - Stack's
    ) -> None:
        """Create the stack.

        Args:
            scope: The app or stage.
            construct_id: The construct ID, which is also the stack's name.
            settings: Who gets the events.
            stack_settings: The settings of `aws_cdk.Stack`, such as `env`.
        """
        super().__init__(scope, construct_id, **stack_settings)
        self.settings = settings
        # A name that is known, so that the functions' stacks import nothing of this one.
        self.bus_name = self.stack_name
        self._bus = events.EventBus(
            self,
            "Bus",
            event_bus_name=self.bus_name,
            description="What became of Security Hub findings that this app was to act on",
        )
        if settings.topic.enabled:
            self._topic(settings.topic)
        if settings.audit.enabled:
            keep_outcomes(self, self._bus, _pattern(), settings=settings.audit)
        watch(self)

    def _topic(self, settings: TopicSettings) -> None:
        topic = topic_for_people(
            self,
            "Topic",
            display_name="Security Hub outcomes",
            output="The topic to subscribe to for outcomes",
            emails=settings.emails,
            from_services="outcomes for Security Hub findings",
        )
        events.Rule(
            self,
            "ToTopic",
            description="Sends outcomes to the topic",
            event_bus=self._bus,
            event_pattern=_pattern(settings.outcomes),
            targets=[targets.SnsTopic(topic, message=events.RuleTargetInput.from_event_path("$.detail"))],
        )


def report_outcomes(function: LoggedFunction, outcomes: OutcomesStack | None, *, name: str) -> None:
    """Let a function report outcomes, and watch what it reports.

    Args:
        function: The function.
        outcomes: The bus; None if there is none.
        name: The folder of the function, by which its metrics are called.
    """
    if outcomes is None:
        return
    stack, settings = Stack.of(function), outcomes.settings
    stack.add_stack_dependency(outcomes, reason="The function reports on its event bus.")
    function.add_environment(OUTCOME_BUS, outcomes.bus_name)
    function.add_environment("OUTCOME_METRICS", "on" if settings.metrics else "off")
    if settings.account_groups:
        function.add_environment("ACCOUNT_GROUPS", json.dumps(settings.account_groups))
    if settings.metrics:
        watch_outcomes(stack, name)
    # https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-conditions.html
    function.add_to_role_policy(
        iam.PolicyStatement(
            actions=["events:PutEvents"],
            resources=[
                stack.format_arn(service="events", resource="event-bus", resource_name=outcomes.bus_name)
            ],
            conditions={"StringEquals": {"events:source": SOURCE, "events:detail-type": DETAIL_TYPE}},
        )
    )


def _pattern(outcomes: Sequence[str] = ()) -> events.EventPattern:
    """Return the pattern of all outcomes, or of some."""
    chosen = {"outcome": list(outcomes)} if outcomes else None
    return events.EventPattern(source=[SOURCE], detail_type=[DETAIL_TYPE], detail=chosen)
