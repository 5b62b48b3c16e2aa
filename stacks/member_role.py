"""The roles in a member account through which the administrator account remediates findings."""

from __future__ import annotations

import json
import tempfile
from typing import Any, Final

from aws_cdk import (
    App,
    Aws,
    BootstraplessSynthesizer,
    CfnOutput,
    Duration,
    Stack,
)
from aws_cdk import aws_iam as iam
from constructs import Construct

from stacks.managed_policies import Groups, joined, length_of, managed_policies
from stacks.remediation_catalog import EXECUTION_STATEMENTS, SEARCH_STATEMENTS, Statement
from stacks.settings import RemediationSettings

# What lambda/functions/remediate/member_account.py puts before the action's ID.
_SOURCE_IDENTITY_PATTERN: Final = "securityhub-*"
# Of the role and of no remediation: tags decide before one changes anything. There is no narrower resource:
# https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonresourcegrouptaggingapi.html
_READ_TAGS: Final = Statement(actions=("tag:GetResources",), resources=("*",))
# Of all runbooks: a role's policies may hold too little to repeat it for each.
_RUNBOOKS: Final = (*EXECUTION_STATEMENTS, *SEARCH_STATEMENTS)
_AUTOMATION: Final = "ssm.amazonaws.com"
_GLOBAL_SERVICES: Final = ("iam:*",)
# https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
_MAX_SESSION_POLICY_CHARACTERS: Final = 2_048


class MemberRole(Construct):
    """The role, which may do what the enabled remediations do and nothing for the others.

    Its managed policies hold the statements by AWS service. One more statement reads tags, where these decide
    which resources may be changed. A policy of each session narrows down to one remediation what the session
    may do.

    Only the role of the remediation function may assume it. A condition names it and the principal is its
    account: a role that is the principal itself must exist already, and once it was deleted and created again
    it is no longer the one that is trusted.

    Where a remediation runs an Automation runbook, Systems Manager acts with a second role, which does what
    the runbook's steps do. The first may start that runbook, pass that role, and undo, where that is enabled.

    Attributes:
        role: The role.
        automation_role: The role of the runbooks; None where no enabled remediation has one.

    Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
    Source: https://docs.aws.amazon.com/systems-manager/latest/userguide/automation-setup-iam.html
    """

    def __init__(self, scope: Construct, construct_id: str, *, settings: RemediationSettings) -> None:
        """Create the role.

        Args:
            scope: The construct that the role belongs to, in the member account.
            construct_id: The construct ID, unique within the scope.
            settings: Who may assume it, and for what.

        Raises:
            ValueError: The policies are longer than IAM takes.
        """
        super().__init__(scope, construct_id)
        names, groups = settings.role, _groups(settings)
        _check_session_policies(settings)
        self.role = iam.CfnRole(
            self,
            "Resource",
            role_name=names.name,
            path=names.path,
            description="Lets the Security Hub administrator account remediate findings of this account",
            assume_role_policy_document=_trust(settings),
            max_session_duration=int(Duration.hours(1).to_seconds()),
            permissions_boundary=_boundary(settings),
            policies=_regions_policy(settings),
            managed_policy_arns=managed_policies(self, "Permissions", groups, path=names.path),
        )
        runbooks = _runbook_groups(settings)
        self.automation_role = self._automation_role(runbooks, settings) if runbooks else None

    def _automation_role(self, groups: Groups, settings: RemediationSettings) -> iam.CfnRole:
        return iam.CfnRole(
            self,
            "Automation",
            role_name=settings.role.automation_name,
            path=settings.role.path,
            description="Lets Automation runbooks remediate Security Hub findings of this account",
            assume_role_policy_document=_automation_trust(),
            permissions_boundary=_boundary(settings),
            policies=_regions_policy(settings),
            managed_policy_arns=managed_policies(
                self, "AutomationPermissions", groups, path=settings.role.path
            ),
        )


class MemberRoleStack(Stack):
    """The member role for one account, without an organization's stack set."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: RemediationSettings,
        **stack_settings: Any,  # noqa: ANN401 - Stack's
    ) -> None:
        """Create the stack.

        Args:
            scope: The app or stage.
            construct_id: The construct ID, which is also the stack's name.
            settings: Who may assume the role, and for what.
            stack_settings: The settings of `aws_cdk.Stack`, such as `env`.
        """
        super().__init__(scope, construct_id, **stack_settings)
        member = MemberRole(self, "MemberRole", settings=settings)
        CfnOutput(self, "MemberRoleArn", value=member.role.attr_arn, description="What is assumed")


def member_role_template(scope: Construct, *, settings: RemediationSettings) -> str:
    """Return the template of a stack set's instances, as JSON.

    It needs nothing that bootstrapping brings, which the members may lack.

    Args:
        scope: A construct of the app, whose feature flags hold for the template as well.
        settings: Who may assume the role, and for what.
    """
    # A folder of its own: the CDK CLI's is the app's, and the last to synthesize there would be alone.
    with tempfile.TemporaryDirectory() as folder:
        app = App(outdir=folder, context=scope.node.get_all_context(), analytics_reporting=False)
        stack = Stack(app, "Member", synthesizer=BootstraplessSynthesizer())
        MemberRole(stack, "MemberRole", settings=settings)
        template: dict[str, Any] = app.synth().get_stack_by_name("Member").template
    return json.dumps(template)


def member_role_arns(settings: RemediationSettings) -> list[str]:
    """Return the ARNs of the role in all accounts that are allowed; `*` where these are not known yet."""
    accounts = settings.accounts.known
    return [
        f"arn:{Aws.PARTITION}:iam::{account}:role{settings.role.path}{settings.role.name}"
        for account in (["*"] if accounts is None else accounts)
    ]


def _groups(settings: RemediationSettings) -> Groups:
    """The statements of the role itself: those of each AWS service, to read tags, and to run runbooks."""
    groups: dict[str, list[Statement]] = {}
    for entry in settings.entries:
        groups.setdefault(entry.service, []).extend(
            (*entry.statements, *(entry.undo_statements if settings.undo else ()), *entry.start_statements)
        )
    if settings.resource_tags.decide:
        groups["resource tags"] = [_READ_TAGS]
    if _runbook_groups(settings):
        groups["runbooks"] = [*_RUNBOOKS, _pass_automation_role(settings)]
    return groups


def _runbook_groups(settings: RemediationSettings) -> Groups:
    """The statements of the role for runbooks, by AWS service."""
    groups: dict[str, list[Statement]] = {}
    for entry in settings.entries:
        if entry.runbook:
            groups.setdefault(entry.service, []).extend(
                (*entry.runbook_statements, *entry.start_statements, *EXECUTION_STATEMENTS)
            )
    return groups


def _check_session_policies(settings: RemediationSettings) -> None:
    """Refuse a remediation whose statements a session's policy, which the function passes, cannot hold."""
    for entry in settings.entries:
        extra = (*_RUNBOOKS, _pass_automation_role(settings)) if entry.runbook else ()
        do = (*entry.statements, *entry.start_statements, *extra, _READ_TAGS)
        undo = (*entry.undo_statements, *entry.statements)
        length = max(length_of(joined(some)) for some in (do, undo))
        if length > _MAX_SESSION_POLICY_CHARACTERS:
            raise ValueError(
                f"The statements of the remediation {entry.name} take {length} characters, but STS lets the "
                f"policy of a session have {_MAX_SESSION_POLICY_CHARACTERS}. Shorten them, or make two "
                "remediations of it."
            )


def _pass_automation_role(settings: RemediationSettings) -> Statement:
    names = settings.role
    return Statement(
        actions=("iam:PassRole",),
        resources=(f"arn:${{Partition}}:iam::${{Account}}:role{names.path}{names.automation_name}",),
        conditions={"StringEquals": {"iam:PassedToService": _AUTOMATION}},
    )


def _boundary(settings: RemediationSettings) -> str | None:
    name = settings.role.permissions_boundary
    return f"arn:{Aws.PARTITION}:iam::{Aws.ACCOUNT_ID}:policy/{name}" if name else None


def _regions_policy(settings: RemediationSettings) -> list[iam.CfnRole.PolicyProperty] | None:
    if not settings.regions:
        return None
    document = iam.PolicyDocument(statements=[_deny_other_regions(settings)])
    return [iam.CfnRole.PolicyProperty(policy_name="OtherRegions", policy_document=document)]


def _deny_other_regions(settings: RemediationSettings) -> iam.PolicyStatement:
    """Deny what is not in the chosen Regions, once: conditions of all statements would take half the quota.

    Requests to a global service go to one Region, whatever Region a finding is from.

    Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
    """
    return iam.PolicyStatement(
        effect=iam.Effect.DENY,
        not_actions=list(_GLOBAL_SERVICES),
        resources=["*"],
        conditions={"StringNotEquals": {"aws:RequestedRegion": settings.regions}},
    )


def _automation_trust() -> iam.PolicyDocument:
    """Trust Systems Manager for executions of this account, not for those that others make it do."""
    return iam.PolicyDocument(
        statements=[
            iam.PolicyStatement(
                actions=["sts:AssumeRole"],
                principals=[iam.ServicePrincipal(_AUTOMATION)],
                conditions={
                    "StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID},
                    "ArnLike": {
                        "aws:SourceArn": f"arn:{Aws.PARTITION}:ssm:*:{Aws.ACCOUNT_ID}:automation-execution/*"
                    },
                },
            )
        ]
    )


def _trust(settings: RemediationSettings) -> iam.PolicyDocument:
    administrator = settings.administrator_account
    function_role = (
        f"arn:{Aws.PARTITION}:iam::{administrator}:role{settings.role.path}{settings.role.administrator_name}"
    )
    caller = {"aws:PrincipalArn": function_role, "aws:PrincipalOrgID": settings.organization_id}
    return iam.PolicyDocument(
        statements=[
            iam.PolicyStatement(
                actions=["sts:AssumeRole"],
                principals=[iam.AccountPrincipal(administrator)],
                conditions={
                    "StringEquals": {**caller, "sts:ExternalId": settings.external_id},
                    # Without it CloudTrail could not tell which action was behind a change.
                    "StringLike": {"sts:SourceIdentity": _SOURCE_IDENTITY_PATTERN},
                },
            ),
            iam.PolicyStatement(
                actions=["sts:SetSourceIdentity"],
                principals=[iam.AccountPrincipal(administrator)],
                conditions={"StringEquals": caller},
            ),
        ]
    )
