"""An AWS Systems Manager Automation runbook as the target of a rule."""

from __future__ import annotations

import re
from typing import Final

from aws_cdk import Stack, Token
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_ssm as ssm

from securityhub_actions.delivery import Delivery, Target
from securityhub_actions.targets.events_role import EventsRole, free_child_id
from securityhub_actions.targets.ssm_documents import Parameters, SsmDocument, parameters_input

_ASSUME_ROLE: Final = "AutomationAssumeRole"
_VERSION: Final = re.compile(r"\$DEFAULT|\$LATEST|[1-9][0-9]*")


class Automation(Target):
    """Starts an Automation runbook.

    One event starts it once. Where an event of a custom action carries several findings, a path such as
    `$.detail.findings[0]` takes only the first; a Lambda function can go through all of them.

    EventBridge is done once the automation has started: a step that then fails is in the automation's
    history. Each rule gets a role that may start this runbook and pass on the assume role, and nothing else.

    Source: https://docs.aws.amazon.com/systems-manager/latest/userguide/running-automations-event-bridge.html
    """

    def __init__(
        self,
        runbook: str | ssm.CfnDocument,
        *,
        parameters: Parameters | None = None,
        assume_role: iam.IRole | None = None,
        version: str = "$DEFAULT",
        delivery: Delivery | None = None,
    ) -> None:
        """Create the target.

        Args:
            runbook: A document of the type Automation: the name of one's own or of one of AWS, the ARN of one
                that is shared with the account, or the document itself.
            parameters: The runbook's parameters, each one or more texts, any of which may be an
                `aws_events.EventField` such as
                `EventField.from_path("$.detail.findings[0].Resources[0].Id")`. That is mostly an ARN,
                which the runbook has to take apart. Default: none.
            assume_role: The role with which the runbook acts, passed as its parameter AutomationAssumeRole;
                it must trust ssm.amazonaws.com. Default: the role of the target, which may do nothing but
                start the runbook.
            version: `$DEFAULT`, `$LATEST` or a number. Default: `$DEFAULT`.
            delivery: Retry policy and dead-letter queue. Default: those of the rule.

        Raises:
            ValueError: Not the name of a document, no such form of version, AutomationAssumeRole among the
                parameters, or a field of the event inside a longer text.
        """
        super().__init__(delivery=delivery)
        if not Token.is_unresolved(version) and not _VERSION.fullmatch(version):
            raise ValueError(
                f"version {version!r} is neither '$DEFAULT', '$LATEST' nor a number such as '3'."
            )
        if _ASSUME_ROLE in (parameters or {}):
            raise ValueError(
                f"parameters has {_ASSUME_ROLE}. Pass the role as assume_role=..., so that the target is "
                "allowed to pass it on."
            )
        role_parameter = {_ASSUME_ROLE: assume_role.role_arn} if assume_role else {}
        self._runbook = SsmDocument(runbook)
        self._version = version
        self._assume_role = assume_role
        self._input = parameters_input({**(parameters or {}), **role_parameter})

    def connect(self, rule: events.IRule, dead_letter_queue: sqs.IQueue) -> events.RuleTargetConfig:  # noqa: ARG002
        """Let the rule start the runbook."""
        role = EventsRole(
            rule,
            free_child_id(rule, "AutomationRole"),
            description="Lets EventBridge start a runbook for Security Hub events",
            statements=self._permissions(Stack.of(rule)),
        )
        return events.RuleTargetConfig(
            arn=self._definition_arn(Stack.of(rule), owned=False), input=self._input, role=role
        )

    def _definition_arn(self, stack: Stack, *, owned: bool) -> str:
        return self._runbook.arn(stack, resource="automation-definition", version=self._version, owned=owned)

    def _permissions(self, stack: Stack) -> list[iam.PolicyStatement]:
        # AWS's own runbooks are asked for with the account in their ARN, and exist without it.
        arns = {self._definition_arn(stack, owned=owned): None for owned in (True, False)}
        statements = [iam.PolicyStatement(actions=["ssm:StartAutomationExecution"], resources=list(arns))]
        if self._assume_role is not None:
            statements.append(
                iam.PolicyStatement(
                    actions=["iam:PassRole"],
                    resources=[self._assume_role.role_arn],
                    conditions={"StringEquals": {"iam:PassedToService": "ssm.amazonaws.com"}},
                )
            )
        return statements
