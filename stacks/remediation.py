"""Remediation in the administrator account: custom actions, a rule, and the function for member accounts."""

from __future__ import annotations

import json
from typing import Any, Final, cast

from aws_cdk import (
    Annotations,
    Aws,
    CfnStackSet,
    Duration,
    Stack,
    Token,
)
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sns as sns
from constructs import Construct

from securityhub_actions import CustomActionRule, LoggedFunction, targets
from stacks.alarms import alarm, metric_of_lines, watch
from stacks.app_function import app_function
from stacks.approval import ask_for_approval
from stacks.done_table import done_table, done_table_statement
from stacks.finding_turns import share_turns
from stacks.findings_queue import findings_queue
from stacks.imported_findings import acknowledge_comments, imported_findings_rules, write_to_v2
from stacks.insight_results import DEFAULT_INSIGHT_RESULTS, act_on_insight_results
from stacks.logged_bucket import deny_on_objects, logged_bucket
from stacks.member_role import member_role_arns, member_role_template
from stacks.outcomes import OutcomesStack, report_outcomes
from stacks.settings import Hub, InsightResultsSettings, PressSettings, RemediationSettings
from stacks.stop_switch import StopSwitchStack, obey
from stacks.template_checks import accept_wildcard
from stacks.terminal_presses import press_bus

_UNDO_ACTION_ID: Final = "UndoRemediation"
_TIMEOUT: Final = Duration.minutes(5)


class RemediationStack(Stack):
    """Custom actions and a rule for imported findings, which remediate in the account of a finding."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: RemediationSettings,
        hub: Hub = "cspm",
        turns: dynamodb.Table | None = None,
        stop_switch: StopSwitchStack | None = None,
        outcomes: OutcomesStack | None = None,
        press: PressSettings | None = None,
        insight_results: InsightResultsSettings = DEFAULT_INSIGHT_RESULTS,
        notices: sns.ITopic | None = None,
        tracing: bool = False,
        **stack_settings: Any,  # noqa: ANN401 - Stack's
    ) -> None:
        """Create the stack.

        Args:
            scope: The app or stage.
            construct_id: The construct ID, which is also the stack's name.
            settings: Which remediations are enabled, and where.
            hub: Whose imported findings are remediated: `cspm`, `v2`, or `both`, where those of the new
                Security Hub only get a comment. Default: `cspm`.
            turns: The table through which the function and others take turns at writing to findings.
                Default: no other function writes to findings.
            stop_switch: The parameter that stops changes. Default: changes can't be stopped.
            outcomes: The event bus on which outcomes are reported. Default: they aren't.
            press: Who may use which of the actions from a terminal. Default: they can be used only in
                Security Hub.
            insight_results: What the custom actions do for results of an insight. Default: as in
                settings.toml.
            notices: The topic on which the function says what it could not do for insight results, encrypted
                with the AWS managed key. Default: none; such events end in the dead-letter queue.
            tracing: Whether Lambda sends traces of the functions to AWS X-Ray. Default: False.
            stack_settings: The settings of `aws_cdk.Stack`, such as `env`.
        """
        super().__init__(scope, construct_id, **stack_settings)
        self._settings = settings
        self._hub = hub
        self._tracing = tracing
        self.function = function = self._function(done_table(self), self._records())
        if settings.automatic.enabled:
            # What was approved, or is about to be changed long after its event, is read again.
            changes = hub == "v2" and settings.automatic.mode == "apply"
            write_to_v2(function, hub, reads=settings.approval.enabled or changes)
        function.add_environment("INSIGHT_MODE", insight_results.remediate)
        act_on_insight_results(function, settings=insight_results, notices=notices)
        share_turns(function, turns)
        obey(function, stop_switch)
        report_outcomes(function, outcomes, name="remediate")
        ask_for_approval(self, function, settings.approval)
        CustomActionRule(
            self,
            "Remediate",
            action_id="Remediate",
            action_name="Remediate",
            description="Fix what the selected findings are about, in their accounts, and note what was done",
            targets=[targets.LambdaFunction(function)],
            press_bus=press_bus(self, press, "Remediate"),
        )
        if settings.undo:
            CustomActionRule(
                self,
                "UndoRemediation",
                action_id=_UNDO_ACTION_ID,
                action_name="Undo remediation",
                description="Restore what Remediate changed for the selected findings",
                targets=[targets.LambdaFunction(function)],
                press_bus=press_bus(self, press, _UNDO_ACTION_ID),
            )
            self._watch_undos(function)
        if settings.automatic.enabled:
            self._remediate_automatically(function)
        if settings.stack_set.enabled:
            self._member_roles()
        self._warn_of_another_account()
        watch(self)

    def _warn_of_another_account(self) -> None:
        """Warn where the member roles would trust the function of an account that doesn't have it."""
        trusted = self._settings.administrator_account
        if not Token.is_unresolved(self.account) and self.account != trusted:
            Annotations.of(self).add_warning_v2(
                "securityhub-actions:AdministratorAccount",
                f"This stack is synthesized for the account {self.account}, but administrator_account in "
                f"[remediation] of settings.toml is {trusted}: the member roles trust only the function in "
                "that account, so remediations fail. Correct the setting, unless you deploy only the member "
                "role here.",
            )

    def _records(self) -> s3.Bucket:
        retention = Duration.days(self._settings.record_retention_days)
        return logged_bucket(
            self,
            "Records",
            access_logs_id="RecordsAccessLogs",
            retention=retention,
            noncurrent_retention=retention,
        )

    def _function(self, table: dynamodb.Table, records: s3.Bucket) -> LoggedFunction:
        settings = self._settings
        function = app_function(
            self,
            "Function",
            description="Remediates Security Hub findings in the accounts that they name",
            handler="functions.remediate.handler.handle",
            timeout=_TIMEOUT,
            memory_size=512,
            tracing=self._tracing,
            environment={
                "AWS_STS_REGIONAL_ENDPOINTS": "regional",
                "REMEDIATIONS": ",".join(settings.remediations),
                "REMEDIATION_PARAMETERS": json.dumps(settings.parameters),
                "ALLOWED_ACCOUNTS": ",".join(settings.accounts.allow),
                "DENIED_ACCOUNTS": ",".join(settings.accounts.deny),
                "ALLOWED_RESOURCE_TAGS": json.dumps(settings.resource_tags.allow),
                "DENIED_RESOURCE_TAGS": json.dumps(settings.resource_tags.deny),
                "AUTOMATIC_MODE": settings.automatic.mode,
                "UNDO_ACTION_ID": _UNDO_ACTION_ID if settings.undo else "",
                "PARTITION": Aws.PARTITION,
                "MEMBER_ROLE": f"{settings.role.path}{settings.role.name}".lstrip("/"),
                "AUTOMATION_ROLE": f"{settings.role.path}{settings.role.automation_name}".lstrip("/"),
                "EXTERNAL_ID": settings.external_id,
                "RECORDS_BUCKET": records.bucket_name,
                "IDEMPOTENCY_TABLE": table.table_name,
            },
        )
        role = cast("iam.Role", function.role)
        # The member accounts' trust policies contain its name.
        resource = cast("iam.CfnRole", role.node.default_child)
        resource.role_name = settings.role.administrator_name
        resource.path = settings.role.path
        self._grant(role, table, records)
        # Nobody else may write or delete records, because an undo trusts them.
        writes = ("PutObject", "DeleteObject", "DeleteObjectVersion", "ReplicateObject", "ReplicateDelete")
        deny_on_objects(records, "OnlyTheFunctionWrites", writes, but_to=role)
        return function

    def _grant(self, role: iam.Role, table: dynamodb.Table, records: s3.Bucket) -> None:
        settings = self._settings
        objects = records.arn_for_objects("*")
        statements = [
            (
                ("securityhub:BatchUpdateFindings",),
                [self.format_arn(service="securityhub", resource="hub", resource_name="default")],
            ),
            (("s3:GetObject", "s3:PutObject"), [objects]),
            # Without it, S3 denies access instead of reporting that there is no record.
            (("s3:ListBucket",), [records.bucket_arn]),
        ]
        if settings.undo:
            statements.append((("s3:DeleteObject",), [objects]))
        if members := member_role_arns(settings):
            statements.append((("sts:AssumeRole", "sts:SetSourceIdentity"), members))
        reasons = {objects: "One object for each finding, by account."}
        if settings.name_units:
            # Their ARNs contain the ID of the management account, which isn't known here.
            children = [
                f"arn:{Aws.PARTITION}:organizations::*:{child}"
                for child in (f"account/{settings.organization_id}/*", f"ou/{settings.organization_id}/ou-*")
            ]
            statements.append((("organizations:ListParents",), children))
            for child in children:
                reasons[child] = "Findings name the accounts, and every unit above them is looked up."
        role.add_to_policy(done_table_statement(table))
        for actions, resources in statements:
            role.add_to_policy(iam.PolicyStatement(actions=list(actions), resources=resources))
        if settings.accounts.known is None:
            for member in members:
                reasons[member] = (
                    "Which accounts are allowed is known when a finding names one; each role's trust policy "
                    "has the last word."
                )
        for resource, reason in reasons.items():
            accept_wildcard(role, resource, reason=reason)

    def _watch_undos(self, function: LoggedFunction) -> None:
        """Add an alarm on findings of which an undo did not restore all.

        It doesn't depend on the settings of outcomes, and most of these aren't failures of the function, so
        that no other alarm tells of them.
        """
        failed = metric_of_lines(
            self,
            "FailedUndosMetric",
            function.log_group,
            "Findings not undone",
            name="FailedUndos",
            value="$.failed_undos",
        )
        alarm(
            self,
            "FailedUndosAlarm",
            failed.metric(period=Duration.minutes(5), statistic=cloudwatch.Stats.SUM),
            above=0,
            description="Undo remediation did not restore all that a remediation changed: it failed, is not "
            "allowed by the settings, is impossible, or would overwrite what somebody has changed since. The "
            "resource is not as it was before. Read why in the note of the finding, or in the function's log "
            "in lines with the message `Findings not undone`. "
            "Correct the cause and press Undo remediation again; otherwise restore the resource by the "
            "record that the note of the remediation names.",
        )

    def _remediate_automatically(self, function: LoggedFunction) -> None:
        settings = self._settings.automatic
        queue = findings_queue(
            self, function, timeout=_TIMEOUT, maximum_concurrency=settings.maximum_concurrency
        )
        rules = imported_findings_rules(
            self,
            "Automatic",
            hub=self._hub,
            findings=self._settings.automatic_filter,
            description="Queues imported findings for remediation",
            targets=lambda _: [targets.SqsQueue(queue)],
        )
        acknowledge_comments(rules)

    def _member_roles(self) -> None:
        settings = self._settings.stack_set
        CfnStackSet(
            self,
            "MemberRoles",
            stack_set_name=f"{self.stack_name}-member-role",
            description="The role through which findings are remediated, in every account",
            permission_model="SERVICE_MANAGED",
            call_as="DELEGATED_ADMIN" if settings.delegated_administrator else "SELF",
            auto_deployment=CfnStackSet.AutoDeploymentProperty(
                enabled=True, retain_stacks_on_account_removal=False
            ),
            capabilities=["CAPABILITY_NAMED_IAM"],
            managed_execution={"Active": True},
            operation_preferences=CfnStackSet.OperationPreferencesProperty(
                failure_tolerance_percentage=100, max_concurrent_percentage=100
            ),
            stack_instances_group=[
                CfnStackSet.StackInstancesProperty(
                    deployment_targets=CfnStackSet.DeploymentTargetsProperty(
                        organizational_unit_ids=settings.organizational_units
                    ),
                    # IAM roles are global, so one Region is enough.
                    regions=[self.region],
                )
            ],
            template_body=member_role_template(self, settings=self._settings),
        )
