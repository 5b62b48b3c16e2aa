"""The roles in a member account through which the administrator account remediates findings."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from typing import Any, Final

from aws_cdk import (
    Acknowledgment,
    App,
    Aws,
    BootstraplessSynthesizer,
    CfnOutput,
    Duration,
    Stack,
    Validations,
)
from aws_cdk import aws_iam as iam
from constructs import Construct

from stacks.remediation_catalog import EXECUTION_STATEMENTS, SEARCH_STATEMENTS, Statement
from stacks.settings import RemediationSettings

# What lambda/functions/remediate/member_account.py puts before the action's id.
_SOURCE_IDENTITY_PATTERN: Final = "securityhub-*"
# Of the role and of no remediation: tags decide before one changes anything. There is no narrower resource:
# https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonresourcegrouptaggingapi.html
_READ_TAGS: Final = Statement(actions=("tag:GetResources",), resources=("*",))
# Of all runbooks: a role's policies may hold too little to repeat it for each.
_RUNBOOKS: Final = (*EXECUTION_STATEMENTS, *SEARCH_STATEMENTS)
_AUTOMATION: Final = "ssm.amazonaws.com"
_GLOBAL_SERVICES: Final = ("iam:*",)
# Without white space: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
_MAX_POLICY_CHARACTERS: Final = 10_240
_LONGEST: Final = {"AWS::Partition": "aws-us-gov", "AWS::AccountId": "0" * 12}

Policies = Mapping[str, tuple[Statement, ...]]


class MemberRole(Construct):
    """The role, with a policy of its own for each enabled remediation and nothing for the others.

    One more policy reads tags, where these decide which resources may be changed.

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
            construct_id: The id in that scope.
            settings: Who may assume it, and for what.

        Raises:
            ValueError: The policies are longer than IAM takes.
        """
        super().__init__(scope, construct_id)
        names, policies = settings.role, _policies(settings)
        self.role = iam.CfnRole(
            self,
            "Resource",
            role_name=names.name,
            path=names.path,
            description="Lets the Security Hub administrator account remediate findings of this account",
            assume_role_policy_document=_trust(settings),
            max_session_duration=int(Duration.hours(1).to_seconds()),
            permissions_boundary=_boundary(settings),
            policies=_inline(self, policies, settings),
        )
        _acknowledge(self.role, policies)
        runbooks = _runbook_policies(settings)
        self.automation_role = self._automation_role(runbooks, settings) if runbooks else None

    def _automation_role(self, policies: Policies, settings: RemediationSettings) -> iam.CfnRole:
        role = iam.CfnRole(
            self,
            "Automation",
            role_name=settings.role.automation_name,
            path=settings.role.path,
            description="Lets Automation runbooks remediate Security Hub findings of this account",
            assume_role_policy_document=_automation_trust(),
            permissions_boundary=_boundary(settings),
            policies=_inline(self, policies, settings),
        )
        _acknowledge(role, policies)
        return role


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
            construct_id: The id in that scope, also the stack's name.
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


def _policies(settings: RemediationSettings) -> Policies:
    """The policies of the role itself: one for each remediation, one to read tags, one to run runbooks."""
    policies: dict[str, tuple[Statement, ...]] = {
        entry.name: (
            *entry.statements,
            *(entry.undo_statements if settings.undo else ()),
            *entry.start_statements,
        )
        for entry in settings.entries
    }
    if settings.resource_tags.decide:
        policies["ReadResourceTags"] = (_READ_TAGS,)
    if _runbook_policies(settings):
        policies["RunRunbooks"] = (*_RUNBOOKS, _pass_automation_role(settings))
    return policies


def _runbook_policies(settings: RemediationSettings) -> Policies:
    """The policies of the role for runbooks: one for each remediation that runs one."""
    return {
        entry.name: (*entry.runbook_statements, *entry.start_statements, *EXECUTION_STATEMENTS)
        for entry in settings.entries
        if entry.runbook
    }


def _pass_automation_role(settings: RemediationSettings) -> Statement:
    names = settings.role
    return Statement(
        actions=("iam:PassRole",),
        resources=(f"arn:${{Partition}}:iam::${{Account}}:role{names.path}{names.automation_name}",),
        conditions={"StringEquals": {"iam:PassedToService": _AUTOMATION}},
    )


def _acknowledge(role: iam.CfnRole, policies: Policies) -> None:
    resources = {
        resource
        for statements in policies.values()
        for statement in statements
        for resource in statement.resources
        if "*" in resource or "${Region}" in resource
    }
    for resource in sorted(resources):
        filled = (
            resource.replace("${Partition}", "<AWS::Partition>")
            .replace("${Region}", "*")
            .replace("${Account}", "<AWS::AccountId>")
        )
        Validations.of(role).acknowledge(
            Acknowledgment(
                id=f"AwsSolutions-IAM5[Resource::{filled}]",
                reason="These actions support no narrower resource."
                if resource == "*"
                else "A finding may name any resource of this kind; which exist is not known here.",
            )
        )


def _boundary(settings: RemediationSettings) -> str | None:
    name = settings.role.permissions_boundary
    return f"arn:{Aws.PARTITION}:iam::{Aws.ACCOUNT_ID}:policy/{name}" if name else None


def _inline(
    scope: Construct, policies: Policies, settings: RemediationSettings
) -> list[iam.CfnRole.PolicyProperty]:
    statements = {
        name: [one.to_policy_statement() for one in statements] for name, statements in policies.items()
    }
    if settings.regions:
        statements["OtherRegions"] = [_deny_other_regions(settings)]
    documents = {name: iam.PolicyDocument(statements=some) for name, some in statements.items()}
    length = sum(_length(Stack.of(scope).resolve(document)) for document in documents.values())
    if length > _MAX_POLICY_CHARACTERS:
        raise ValueError(
            f"The policies {', '.join(documents)} take {length} characters, but IAM lets a role have "
            f"{_MAX_POLICY_CHARACTERS} in all. Enable fewer remediations in settings.toml, or let their "
            "statements share resources."
        )
    return [
        iam.CfnRole.PolicyProperty(policy_name=name, policy_document=document)
        for name, document in documents.items()
    ]


def _length(document: object) -> int:
    return len(json.dumps(_as_deployed(document), separators=(",", ":")))


def _as_deployed(value: Any) -> Any:  # noqa: ANN401 - a template's JSON
    """A part of a template with the partition and the account filled in."""
    if isinstance(value, list):
        return [_as_deployed(one) for one in value]
    if not isinstance(value, dict):
        return value
    if "Ref" in value:
        return _LONGEST[value["Ref"]]
    if "Fn::Join" in value:
        return "".join(_as_deployed(value["Fn::Join"][1]))
    return {key: _as_deployed(one) for key, one in value.items()}


def _deny_other_regions(settings: RemediationSettings) -> iam.PolicyStatement:
    """Deny what is not in the chosen regions, once: conditions of all statements would take half the quota.

    Requests to a global service go to one region, whatever region a finding is from.

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
