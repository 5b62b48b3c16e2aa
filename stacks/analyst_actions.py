"""The custom actions that analysts find in the Actions menu of Security Hub.

To add one, add a CustomActionRule to AnalystActionsStack.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from aws_cdk import Duration, Stack
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from securityhub_actions import CustomActionRule, LoggedFunction, targets
from securityhub_actions.publishing import allow_publishing
from stacks.alarms import watch
from stacks.app_function import app_function
from stacks.done_table import done_table, done_table_statement
from stacks.finding_turns import share_turns
from stacks.insight_results import DEFAULT_INSIGHT_RESULTS, act_on_insight_results
from stacks.outcomes import OutcomesStack, report_outcomes
from stacks.settings import InsightResultsSettings, PressSettings
from stacks.stop_switch import StopSwitchStack, obey
from stacks.terminal_presses import press_bus
from stacks.topics import topic_for_people

# A press on insight results can have 500 findings, whose notes differ: each is then a request of its own, of
# which Security Hub allows ten a second.
# https://docs.aws.amazon.com/securityhub/1.0/APIReference/Welcome.html
_TIMEOUT: Final = Duration.minutes(5)


class AnalystActionsStack(Stack):
    """Custom actions: mark findings as notified, suppress them with a note, send a digest of an insight.

    Attributes:
        digest_topic: The topic with the digests, and with what could not be done for insight results.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        turns: dynamodb.Table | None = None,
        stop_switch: StopSwitchStack | None = None,
        outcomes: OutcomesStack | None = None,
        press: PressSettings | None = None,
        insight_results: InsightResultsSettings = DEFAULT_INSIGHT_RESULTS,
        tracing: bool = False,
        **stack_settings: Any,  # noqa: ANN401 - Stack's
    ) -> None:
        """Create the stack.

        Args:
            scope: The app or stage.
            construct_id: The construct ID, which is also the stack's name.
            turns: The table through which the functions and others take turns at writing to findings.
                Default: no other function writes to findings.
            stop_switch: The parameter that stops changes. Default: changes can't be stopped.
            outcomes: The event bus on which outcomes are reported. Default: they aren't.
            press: Who may use which of the actions from a terminal. Default: they can be used only in
                Security Hub.
            insight_results: What the actions do for results of an insight. Default: as in settings.toml.
            tracing: Whether Lambda sends traces of the functions to AWS X-Ray. Default: False.
            stack_settings: The settings of `aws_cdk.Stack`, such as `env`.
        """
        super().__init__(scope, construct_id, **stack_settings)
        self._turns = turns
        self._stop_switch = stop_switch
        self._outcomes = outcomes
        self._tracing = tracing
        self._insight_results = insight_results
        self._done = done_table(self)
        self.digest_topic = topic_for_people(
            self,
            "DigestTopic",
            display_name="Security Hub digest",
            output="The topic to subscribe to for digests",
        )
        CustomActionRule(
            self,
            "MarkAsNotified",
            action_id="MarkAsNotified",
            action_name="Mark as notified",
            description="Set the workflow status of the selected findings to NOTIFIED and add a note",
            targets=[targets.LambdaFunction(self._update_findings("MarkAsNotifiedFunction", "NOTIFIED"))],
            press_bus=press_bus(self, press, "MarkAsNotified"),
        )
        CustomActionRule(
            self,
            "SuppressWithNote",
            action_id="SuppressWithNote",
            action_name="Suppress with note",
            description="Set the workflow status of the selected findings to SUPPRESSED and add a note",
            targets=[targets.LambdaFunction(self._update_findings("SuppressWithNoteFunction", "SUPPRESSED"))],
            press_bus=press_bus(self, press, "SuppressWithNote"),
        )
        CustomActionRule(
            self,
            "InsightDigest",
            action_id="InsightDigest",
            action_name="Send digest",
            description="Send a summary of the selected insight results or findings to the digest topic",
            targets=[targets.LambdaFunction(self._insight_digest())],
            press_bus=press_bus(self, press, "InsightDigest"),
        )
        watch(self)

    def _update_findings(self, construct_id: str, workflow_status: str) -> lambda_.IFunction:
        function = self._function(
            construct_id,
            handler="functions.update_findings.handler.handle",
            description=f"Sets the workflow status of findings to {workflow_status} and adds a note",
            timeout=_TIMEOUT,
            environment={"WORKFLOW_STATUS": workflow_status, "IDEMPOTENCY_TABLE": self._done.table_name},
        )
        # It reads which findings an earlier attempt has updated.
        function.add_to_role_policy(done_table_statement(self._done, reads=True))
        function.add_to_role_policy(
            iam.PolicyStatement(
                actions=["securityhub:BatchUpdateFindings"],
                resources=[self.format_arn(service="securityhub", resource="hub", resource_name="default")],
            )
        )
        act_on_insight_results(function, settings=self._insight_results, notices=self.digest_topic)
        share_turns(function, self._turns)
        obey(function, self._stop_switch)
        report_outcomes(function, self._outcomes, name="update_findings")
        return function

    def _insight_digest(self) -> lambda_.IFunction:
        function = self._function(
            "InsightDigestFunction",
            handler="functions.insight_digest.handler.handle",
            description="Sends a readable summary of insight results or findings to an SNS topic",
            timeout=Duration.minutes(2),
            environment={"TOPIC_ARN": self.digest_topic.topic_arn},
        )
        allow_publishing(function, self.digest_topic)
        return function

    def _function(
        self,
        construct_id: str,
        *,
        handler: str,
        description: str,
        timeout: Duration,
        environment: Mapping[str, str],
    ) -> LoggedFunction:
        return app_function(
            self,
            construct_id,
            handler=handler,
            description=description,
            timeout=timeout,
            environment=environment,
            tracing=self._tracing,
        )
