"""An AWS Step Functions state machine as a rule target."""

from __future__ import annotations

from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_stepfunctions as stepfunctions

from securityhub_actions.arguments import checked
from securityhub_actions.delivery import Delivery, Target
from securityhub_actions.targets.events_role import EventsRole


class StateMachine(Target):
    """Starts an execution of a state machine with the event as its input.

    Delivery succeeds when the execution starts. An execution that fails later isn't retried, and its event
    isn't sent to the dead-letter queue. All rules of a stack share one role, which can start executions of
    this state machine.

    Source: https://docs.aws.amazon.com/step-functions/latest/dg/tutorial-cloudwatch-events-s3.html
    """

    @checked
    def __init__(
        self,
        state_machine: stepfunctions.IStateMachine,
        *,
        event: events.RuleTargetInput | None = None,
        delivery: Delivery | None = None,
    ) -> None:
        """Create the target.

        Args:
            state_machine: A Standard or Express state machine in the rule's account and Region.
            event: The input of the execution. Default: the whole event.
            delivery: The retry policy and dead-letter queue. Default: the rule's.
        """
        super().__init__(delivery=delivery)
        self._state_machine = state_machine
        self._event = event

    def connect(self, rule: events.IRule, dead_letter_queue: sqs.IQueue) -> events.RuleTargetConfig:  # noqa: ARG002
        """Allow the rule to start executions."""
        arn = self._state_machine.state_machine_arn
        return events.RuleTargetConfig(
            arn=arn,
            input=self._event,
            target_resource=self._state_machine,
            role=EventsRole.shared(
                rule,
                self._state_machine,
                description="Lets EventBridge start a state machine with Security Hub events",
                statements=[iam.PolicyStatement(actions=["states:StartExecution"], resources=[arn])],
            ),
        )
