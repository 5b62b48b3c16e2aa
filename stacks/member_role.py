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
from stacks.remediation_catalog import (
    EXECUTION_STATEMENTS,
    SEARCH_STATEMENTS,
    CatalogEntry,
    Statement,
)
from stacks.settings import RemediationSettings

# The prefix that lambda/functions/remediate/member_account.py adds to the action's ID.
_SOURCE_IDENTITY_PATTERN: Final = "securityhub-*"
# For the role, not for a remediation: tags are checked before a change. There is no narrower resource:
# https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonresourcegrouptaggingapi.html
_READ_TAGS: Final = Statement(actions=("tag:GetResources",), resources=("*",))
# For all runbooks at once, because repeating it for each could exceed the size of the role's policies.
_RUNBOOKS: Final = (*EXECUTION_STATEMENTS, *SEARCH_STATEMENTS)
_AUTOMATION: Final = "ssm.amazonaws.com"
_GLOBAL_SERVICES: Final = ("iam:*",)
# https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
_MAX_SESSION_POLICY_CHARACTERS: Final = 2_048


class MemberRole(Construct):
    """The role with the permissions of the enabled remediations only.

    Its managed policies contain the statements by AWS service. If tags determine which resources may be
    changed, another statement allows reading tags. A session policy limits each session to one remediation.

    Only the role of the remediation function can assume it. The trust policy has the account as the principal
    and the role in a condition: a role that is itself the principal must already exist, and is no longer
    trusted after it is deleted and created again.

    If a remediation runs an Automation runbook, Systems Manager uses a second role, with the permissions of
    the runbook's steps. The first role can start the runbook, pass the second role, and undo, if enabled.

    Attributes:
        role: The role.
        automation_role: The role for runbooks, or None if no enabled remediation has one.

    Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
    Source: https://docs.aws.amazon.com/systems-manager/latest/userguide/automation-setup-iam.html
    """

    def __init__(self, scope: Construct, construct_id: str, *, settings: RemediationSettings) -> None:
        """Create the role.

        Args:
            scope: The parent construct, in the member account.
            construct_id: The construct ID, unique within the scope.
            settings: Who may assume it, and for what.

        Raises:
            ValueError: The policies are longer than IAM allows.
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
    """The member role for one account, without the organization's stack set."""

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
        CfnOutput(
            self, "MemberRoleArn", value=member.role.attr_arn, description="The role that remediation assumes"
        )


def member_role_template(scope: Construct, *, settings: RemediationSettings) -> str:
    """Return the template of the stack set's instances, as JSON.

    It doesn't require the member accounts to be bootstrapped.

    Args:
        scope: A construct in the app, whose feature flags also apply to the template.
        settings: Who may assume the role, and for what.
    """
    # A separate folder, because synthesis would overwrite the app's output in the CDK CLI's folder.
    with tempfile.TemporaryDirectory() as folder:
        app = App(outdir=folder, context=scope.node.get_all_context(), analytics_reporting=False)
        stack = Stack(app, "Member", synthesizer=BootstraplessSynthesizer())
        MemberRole(stack, "MemberRole", settings=settings)
        template: dict[str, Any] = app.synth().get_stack_by_name("Member").template
    return json.dumps(template)


def member_role_arns(settings: RemediationSettings) -> list[str]:
    """Return the ARNs of the role in all allowed accounts, with `*` if the accounts aren't known yet."""
    accounts = settings.accounts.known
    return [
        f"arn:{Aws.PARTITION}:iam::{account}:role{settings.role.path}{settings.role.name}"
        for account in (["*"] if accounts is None else accounts)
    ]


def _groups(settings: RemediationSettings) -> Groups:
    """The statements of the role: for each AWS service, to read tags, and to run runbooks."""
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
    """Reject a remediation whose statements don't fit in the session policy that the function passes."""
    for entry in settings.entries:
        length = length_in_session(entry, settings)
        if length > _MAX_SESSION_POLICY_CHARACTERS:
            raise ValueError(
                f"The statements of the remediation {entry.name} take {length} characters, but STS allows "
                f"{_MAX_SESSION_POLICY_CHARACTERS} in a session policy. Shorten them, or split the "
                "remediation in two."
            )


def length_in_session(entry: CatalogEntry, settings: RemediationSettings) -> int:
    """Return the most characters that a session policy for a remediation has.

    Args:
        entry: The remediation.
        settings: The name of the role for runbooks.
    """
    extra = (*_RUNBOOKS, _pass_automation_role(settings)) if entry.runbook else ()
    do = (*entry.statements, *entry.start_statements, *extra, _READ_TAGS)
    # An undo reads tags as such, or with the permissions of the plan.
    undo = (*entry.undo_statements, *entry.statements, _READ_TAGS)
    return max(length_of(joined(some)) for some in (do, undo))


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
    """Deny other Regions in one statement. A condition in every statement would use half of the quota.

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
    """Trust Systems Manager for executions in this account only, to prevent the confused deputy problem."""
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
                    # Without it, CloudTrail wouldn't show which action caused a change.
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
