"""Schedules of EventBridge Scheduler that invoke a function, with retries, a dead-letter queue, and an alarm.

Source: https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-context-attributes.html
"""

from __future__ import annotations

from typing import Final

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_scheduler as scheduler
from constructs import Construct

from securityhub_actions.delivery import MAX_RETRY_ATTEMPTS, dead_letter_queue_of
from securityhub_actions.places import account_of, stack_of

SCHEDULED_TIME: Final = "<aws.scheduler.scheduled-time>"
"""In an input, what EventBridge Scheduler replaces by the time at which an invocation was due."""
_DAY_SECONDS: Final = 86_400


class Schedules:
    """The schedules of one function, in a group of their own.

    What can't be delivered within a day goes to the stack's dead-letter queue, which has an alarm. Another
    one reports what is lost because the queue can't be reached either.
    """

    def __init__(self, scope: Construct, group_id: str, function: lambda_.IFunction, *, purpose: str) -> None:
        """Create the group, the role, and the alarm.

        Args:
            scope: The parent construct, which can have the schedules of one function.
            group_id: The construct ID of the group.
            function: The function.
            purpose: What follows `the function` in texts, such as `for the summary`.
        """
        self._scope = scope
        self._function = function
        self._queue_arn = dead_letter_queue_of(scope).queue_arn
        self._group = scheduler.CfnScheduleGroup(scope, group_id)
        self._role = self._create_role(purpose)
        self._watch(purpose)

    def add(
        self, construct_id: str, *, description: str, expression: str, time_zone: str, event: str
    ) -> scheduler.CfnSchedule:
        """Create a schedule.

        Args:
            construct_id: The construct ID, unique within the scope.
            description: What it's for.
            expression: The schedule expression, such as `cron(0 * * * ? *)`.
            time_zone: The name of the expression's time zone.
            event: What the function gets, as JSON.
        """
        schedule = scheduler.CfnSchedule(
            self._scope,
            construct_id,
            description=description,
            group_name=self._group.ref,
            schedule_expression=expression,
            schedule_expression_timezone=time_zone,
            flexible_time_window=scheduler.CfnSchedule.FlexibleTimeWindowProperty(mode="OFF"),
            target=scheduler.CfnSchedule.TargetProperty(
                arn=self._function.function_arn,
                role_arn=self._role.role_arn,
                input=event,
                dead_letter_config=scheduler.CfnSchedule.DeadLetterConfigProperty(arn=self._queue_arn),
                retry_policy=scheduler.CfnSchedule.RetryPolicyProperty(
                    maximum_event_age_in_seconds=_DAY_SECONDS, maximum_retry_attempts=MAX_RETRY_ATTEMPTS
                ),
            ),
        )
        # The first invocation can be due as soon as the schedule exists.
        if (policy := self._role.node.try_find_child("DefaultPolicy")) is not None:
            schedule.node.add_dependency(policy)
        return schedule

    def _create_role(self, purpose: str) -> iam.Role:
        """Create the role of the schedules, which can be used only for those of this group.

        Source: https://docs.aws.amazon.com/scheduler/latest/UserGuide/cross-service-confused-deputy-prevention.html
        """
        role = iam.Role(
            self._scope,
            "ScheduleRole",
            description=f"Lets EventBridge Scheduler invoke the function {purpose}",
            assumed_by=iam.ServicePrincipal(
                "scheduler.amazonaws.com",
                conditions={
                    "StringEquals": {
                        "aws:SourceAccount": account_of(stack_of(self._scope)),
                        "aws:SourceArn": self._group.attr_arn,
                    }
                },
            ),
        )
        for action, resource in (
            ("lambda:InvokeFunction", self._function.function_arn),
            ("sqs:SendMessage", self._queue_arn),
        ):
            role.add_to_policy(iam.PolicyStatement(actions=[action], resources=[resource]))
        return role

    def _watch(self, purpose: str) -> None:
        """Raise an alarm if an invocation is lost. What waits in the dead-letter queue has one already.

        Source: https://docs.aws.amazon.com/scheduler/latest/UserGuide/monitoring-cloudwatch.html
        """
        cloudwatch.Alarm(
            self._scope,
            "LostInvocationsAlarm",
            alarm_description=f"EventBridge Scheduler could neither invoke the function {purpose} nor send "
            "the invocation to the dead-letter queue, and lost it. Check that both exist and that the role "
            "of the schedules may use them.",
            metric=cloudwatch.Metric(
                namespace="AWS/Scheduler",
                metric_name="InvocationsFailedToBeSentToDeadLetterCount",
                dimensions_map={"ScheduleGroup": self._group.ref},
                period=Duration.minutes(5),
                statistic=cloudwatch.Stats.SUM,
            ),
            threshold=0,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
            evaluation_periods=1,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )
