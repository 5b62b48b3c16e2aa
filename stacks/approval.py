"""What remediation needs to ask a second person for approval: a runbook, a topic, and a table of requests.

docs/adr/0023-approval-in-systems-manager.md explains why.
"""

from __future__ import annotations

from typing import Any, Final

from aws_cdk import Aws, Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sns as sns
from aws_cdk import aws_ssm as ssm

from securityhub_actions import LoggedFunction, targets
from stacks.alarms import alarm, metric_of_lines
from stacks.done_table import done_table
from stacks.settings.approval import ApprovalSettings
from stacks.template_checks import accept_wildcard
from stacks.topics import topic_for_people

STEP: Final = "Approve"
PARAMETERS: Final = {
    "Request": "The request in the table of requests",
    "Plan": "The digest of everything that is going to be changed",
    "Finding": "The ID of the finding",
    "Account": "The account in which something is going to be changed",
    "Region": "The Region in which something is going to be changed",
    "Remediation": "The name of the remediation",
    "Resource": "What is going to be changed",
    "Change": "How it is going to be changed",
}
"""As in lambda/functions/remediate/approval_runbook.py."""
_MESSAGE: Final = (
    "Approve or reject a change that Security Hub actions is about to make. It is given up after {hours} "
    "hours.\nAccount: {{{{ Account }}}}\nRegion: {{{{ Region }}}}\nResource: {{{{ Resource }}}}\n"
    "Change: {{{{ Change }}}}\nRemediation: {{{{ Remediation }}}}\nFinding: {{{{ Finding }}}}\n"
    "Plan: {{{{ Plan }}}}"
)
# Those in which an automation ends: Failed, if an approver rejects it. What no event tells, the function
# finds within an hour.
# Source: https://docs.aws.amazon.com/systems-manager/latest/userguide/automation-statuses.html
_ENDED: Final = ("Success", "Failed", "TimedOut", "Cancelled")


def ask_for_approval(stack: Stack, function: LoggedFunction, settings: ApprovalSettings) -> None:
    """Let the function of remediation ask for approval, if the settings want that.

    Args:
        stack: The stack of the function.
        function: The function.
        settings: Who approves what.
    """
    if not settings.enabled:
        return
    role = _role(stack)
    runbook = _runbook(stack, settings, topic=_topic(stack, settings, role), role=role)
    table = done_table(stack, "ApprovalRequests")
    for name, value in {
        "APPROVAL_RUNBOOK": runbook.ref,
        "APPROVAL_TABLE": table.table_name,
        "APPROVAL_HOURS": str(settings.hours),
        "APPROVAL_REMEDIATIONS": ",".join(settings.remediations),
        "APPROVAL_CONTROLS": ",".join(settings.controls),
        "APPROVAL_ACCOUNTS": ",".join(settings.accounts),
    }.items():
        function.add_environment(name, value)
    operations = ("DeleteItem", "GetItem", "PutItem", "Scan", "UpdateItem")
    function.add_to_role_policy(
        iam.PolicyStatement(actions=[f"dynamodb:{one}" for one in operations], resources=[table.table_arn])
    )
    _grant_runbook(stack, function, runbook, role)
    _tell_function(stack, function, runbook)
    _watch_hourly_run(stack, function)


def _topic(stack: Stack, settings: ApprovalSettings, role: iam.Role) -> sns.Topic:
    topic = topic_for_people(
        stack,
        "ApprovalTopic",
        display_name="Security Hub approvals",
        output="The topic to subscribe to for requests for approval",
        emails=settings.emails,
        # Systems Manager's documentation requires that the name begins with "Automation".
        topic_name=f"Automation-{stack.stack_name}",
    )
    role.add_to_policy(iam.PolicyStatement(actions=["sns:Publish"], resources=[topic.topic_arn]))
    return topic


def _role(stack: Stack) -> iam.Role:
    """The role with which the runbook publishes its requests, and can do nothing else.

    Source: https://docs.aws.amazon.com/systems-manager/latest/userguide/automation-setup-iam.html
    """
    return iam.Role(
        stack,
        "ApprovalRole",
        description="Lets the runbook for approvals publish its requests",
        assumed_by=iam.ServicePrincipal(
            "ssm.amazonaws.com",
            conditions={
                "StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID},
                "ArnLike": {"aws:SourceArn": _executions(stack)},
            },
        ),
    )


def _runbook(
    stack: Stack, settings: ApprovalSettings, *, topic: sns.Topic, role: iam.Role
) -> ssm.CfnDocument:
    content: dict[str, Any] = {
        "schemaVersion": "0.3",
        "description": "Asks for the approval of a remediation by Security Hub actions. It changes nothing.",
        "assumeRole": role.role_arn,
        "parameters": {
            name: {"type": "String", "description": description} for name, description in PARAMETERS.items()
        },
        "mainSteps": [
            {
                "name": STEP,
                "action": "aws:approve",
                "timeoutSeconds": settings.hours * 3600,
                "onFailure": "Abort",
                "isEnd": True,
                "inputs": {
                    "NotificationArn": topic.topic_arn,
                    "Message": _MESSAGE.format(hours=settings.hours),
                    "MinRequiredApprovals": settings.minimum_approvals,
                    "Approvers": settings.approvers,
                },
            }
        ],
    }
    return ssm.CfnDocument(
        stack,
        "ApprovalRunbook",
        document_type="Automation",
        document_format="JSON",
        # An update is a new version, which becomes the default; another name would end what is waiting.
        update_method="NewVersion",
        content=content,
    )


def _grant_runbook(stack: Stack, function: LoggedFunction, runbook: ssm.CfnDocument, role: iam.Role) -> None:
    """Let the function start the runbook, and read and cancel its executions, but not approve them.

    Source: https://docs.aws.amazon.com/service-authorization/latest/reference/list_awssystemsmanager.html
    """
    places = {"document": runbook.ref, "automation-definition": f"{runbook.ref}:$DEFAULT"}
    arns = [
        stack.format_arn(service="ssm", resource=kind, resource_name=name) for kind, name in places.items()
    ]
    for action, resources in {
        "ssm:StartAutomationExecution": [*arns, _executions(stack)],
        "ssm:GetAutomationExecution": [_executions(stack)],
        # The request doesn't name the runbook, so the function looks whether it's this one.
        "ssm:StopAutomationExecution": [_executions(stack)],
    }.items():
        function.add_to_role_policy(iam.PolicyStatement(actions=[action], resources=resources))
    function.add_to_role_policy(
        iam.PolicyStatement(
            actions=["iam:PassRole"],
            resources=[role.role_arn],
            conditions={"StringEquals": {"iam:PassedToService": "ssm.amazonaws.com"}},
        )
    )
    if function.role:
        reason = "Systems Manager chooses the ID of an execution when it starts."
        accept_wildcard(function.role, _executions(stack), reason=reason)


def _executions(stack: Stack) -> str:
    return stack.format_arn(service="ssm", resource="automation-execution", resource_name="*")


def _tell_function(stack: Stack, function: LoggedFunction, runbook: ssm.CfnDocument) -> None:
    """Tell the function when an execution ends, and every hour, so that none is missed."""
    ended = events.Rule(
        stack,
        "ApprovalDecided",
        description="Tells the function that a request for approval was decided on",
        event_pattern=events.EventPattern(
            source=["aws.ssm"],
            detail_type=["EC2 Automation Execution Status-change Notification"],
            detail={"Definition": [runbook.ref], "Status": list(_ENDED)},
        ),
    )
    hourly = events.Rule(
        stack,
        "ApprovalsEveryHour",
        description="Looks for requests for approval that were decided on, which no event may come for",
        schedule=events.Schedule.rate(Duration.hours(1)),
    )
    for rule in (ended, hourly):
        rule.add_target(targets.LambdaFunction(function))


def _watch_hourly_run(stack: Stack, function: LoggedFunction) -> None:
    """Raise an alarm if the hourly run leaves something to the next one, which it doesn't fail for."""
    unfinished = metric_of_lines(
        stack,
        "ApprovalDecisionsMetric",
        function.log_group,
        "Decision left to the next hourly run",
        name="DecisionsUnfinished",
    )
    alarm(
        stack,
        "ApprovalDecisionsAlarm",
        unfinished.metric(period=Duration.hours(1), statistic=cloudwatch.Stats.SUM),
        above=0,
        datapoints=2,
        periods=3,
        description="What was approved could not be done, or an outdated request could not be canceled, in "
        "two of the last three hours. Read the function's log, which says why. It's tried again every hour.",
    )
