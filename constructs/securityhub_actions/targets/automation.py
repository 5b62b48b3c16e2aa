"""An AWS Systems Manager Automation runbook as a rule target."""

from __future__ import annotations

import re
from typing import Final

from aws_cdk import Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_ssm as ssm

from securityhub_actions.acknowledgments import acknowledge, wildcard_finding
from securityhub_actions.arguments import checked
from securityhub_actions.delivery import Delivery, Target
from securityhub_actions.targets.events_role import EventsRole, free_child_id
from securityhub_actions.targets.ssm_documents import Parameters, SsmDocument, parameters_input
from securityhub_actions.tokens import is_token

_ASSUME_ROLE: Final = "AutomationAssumeRole"
_VERSION: Final = re.compile(r"\$DEFAULT|\$LATEST|[1-9][0-9]*")


class Automation(Target):
    """Starts an Automation runbook.

    Each event starts the runbook once. If a custom action event contains several findings, a path such as
    `$.detail.findings[0]` refers only to the first. `EachFinding` starts the runbook for each of them.

    Delivery succeeds when the automation starts. If a step fails later, look for it in the automation's
    execution history. Each rule gets a role that can only start this runbook and pass the assume role.

    Source: https://docs.aws.amazon.com/systems-manager/latest/userguide/running-automations-event-bridge.html
    """

    @checked
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
            runbook: An Automation document: the name of your own or an AWS-owned document, the ARN of a
                document that is shared with the account, or the document itself.
            parameters: The runbook's parameters. Each value is one or more strings, which can be an
                `aws_events.EventField`, such as
                `EventField.from_path("$.detail.findings[0].Resources[0].Id")`. That ID is usually an ARN,
                which the runbook has to parse. Default: none.
            assume_role: The role that the runbook uses, passed in its parameter AutomationAssumeRole. The
                role must trust ssm.amazonaws.com. Default: the role of the target, which can only start the
                runbook.
            version: `$DEFAULT`, `$LATEST`, or a version number. Default: `$DEFAULT`.
            delivery: The retry policy and dead-letter queue. Default: the rule's.

        Raises:
            ValueError: The document name or version isn't valid, `parameters` contains AutomationAssumeRole,
                or an event field is part of a longer string.
        """
        super().__init__(delivery=delivery)
        if not is_token(version) and not _VERSION.fullmatch(version):
            raise ValueError(
                f"version {version!r} is not valid. Use '$DEFAULT', '$LATEST', or a number such as '3'."
            )
        if _ASSUME_ROLE in (parameters or {}):
            raise ValueError(
                f"parameters contains {_ASSUME_ROLE}. Pass the role as assume_role=... instead, so that the "
                "target gets permission to pass it."
            )
        role_parameter = {_ASSUME_ROLE: assume_role.role_arn} if assume_role else {}
        self._runbook = SsmDocument(runbook)
        self._version = version
        self._assume_role = assume_role
        self._input = parameters_input({**(parameters or {}), **role_parameter})

    def connect(self, rule: events.IRule, dead_letter_queue: sqs.IQueue) -> events.RuleTargetConfig:  # noqa: ARG002
        """Allow the rule to start the runbook."""
        role = EventsRole(
            rule,
            free_child_id(rule, "AutomationRole"),
            description="Lets EventBridge start a runbook for Security Hub events",
            statements=self._permissions(Stack.of(rule)),
        )
        acknowledge(
            role,
            id=wildcard_finding(role, _executions_arn(Stack.of(rule))),
            reason="Systems Manager chooses the ID of an execution when it starts.",
        )
        return events.RuleTargetConfig(
            arn=self._definition_arn(Stack.of(rule), owned=False), input=self._input, role=role
        )

    def _definition_arn(self, stack: Stack, *, owned: bool) -> str:
        return self._runbook.arn(stack, resource="automation-definition", version=self._version, owned=owned)

    def _permissions(self, stack: Stack) -> list[iam.PolicyStatement]:
        """Allow to start the runbook: IAM requires the document and the execution, not the definition.

        Source: https://docs.aws.amazon.com/service-authorization/latest/reference/list_awssystemsmanager.html
        Source: https://docs.aws.amazon.com/systems-manager/latest/userguide/automation-setup-identity-based-policies.html
        """
        # Requests for AWS-owned runbooks can have the account in the ARN, although the runbook's ARN hasn't.
        definitions = {self._definition_arn(stack, owned=owned): None for owned in (True, False)}
        documents = {self._runbook.arn(stack, owned=owned): None for owned in (True, False)}
        arns = [*definitions, *documents, _executions_arn(stack)]
        statements = [iam.PolicyStatement(actions=["ssm:StartAutomationExecution"], resources=arns)]
        if self._assume_role is not None:
            statements.append(
                iam.PolicyStatement(
                    actions=["iam:PassRole"],
                    resources=[self._assume_role.role_arn],
                    conditions={"StringEquals": {"iam:PassedToService": "ssm.amazonaws.com"}},
                )
            )
        return statements


def _executions_arn(stack: Stack) -> str:
    return stack.format_arn(service="ssm", resource="automation-execution", resource_name="*")
