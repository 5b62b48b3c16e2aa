"""The role in a member account through which the administrator account remediates findings."""

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

from stacks.remediation_catalog import Statement
from stacks.settings import RemediationSettings

# What lambda/remediate/member_account.py puts before the action's id.
_SOURCE_IDENTITY_PATTERN: Final = "securityhub-*"
# Of the role and of no remediation: tags decide before one changes anything. There is no narrower resource:
# https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonresourcegrouptaggingapi.html
_READ_TAGS: Final = Statement(actions=("tag:GetResources",), resources=("*",))


class MemberRole(Construct):
    """The role, with a policy of its own for each enabled remediation and nothing for the others.

    One more policy reads tags, where these decide which resources may be changed.

    Only the role of the remediation function may assume it. A condition names it and the principal is its
    account: a role that is the principal itself must exist already, and once it was deleted and created again
    it is no longer the one that is trusted.

    Attributes:
        role: the role.

    Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
    """

    def __init__(self, scope: Construct, construct_id: str, *, settings: RemediationSettings) -> None:
        """Create the role.

        Args:
            scope: the construct that the role belongs to, in the member account.
            construct_id: the id in that scope.
            settings: who may assume it, and for what.
        """
        super().__init__(scope, construct_id)
        names = settings.role
        self.role = iam.CfnRole(
            self,
            "Resource",
            role_name=names.name,
            path=names.path,
            description="Lets the Security Hub administrator account remediate findings of this account",
            assume_role_policy_document=_trust(settings),
            max_session_duration=int(Duration.hours(1).to_seconds()),
            permissions_boundary=(
                f"arn:{Aws.PARTITION}:iam::{Aws.ACCOUNT_ID}:policy/{names.permissions_boundary}"
                if names.permissions_boundary
                else None
            ),
            policies=[
                iam.CfnRole.PolicyProperty(policy_name=name, policy_document=_document(statements, settings))
                for name, statements in _policies(settings).items()
            ],
        )
        self._acknowledge(settings)

    def _acknowledge(self, settings: RemediationSettings) -> None:
        resources = {
            resource
            for statements in _policies(settings).values()
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
            Validations.of(self.role).acknowledge(
                Acknowledgment(
                    id=f"AwsSolutions-IAM5[Resource::{filled}]",
                    reason="These actions support no narrower resource."
                    if resource == "*"
                    else "A finding may name any resource of this kind; which exist is not known here.",
                )
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
            scope: the app or stage.
            construct_id: the id in that scope, also the stack's name.
            settings: who may assume the role, and for what.
            stack_settings: the settings of `aws_cdk.Stack`, such as `env`.
        """
        super().__init__(scope, construct_id, **stack_settings)
        member = MemberRole(self, "MemberRole", settings=settings)
        CfnOutput(self, "MemberRoleArn", value=member.role.attr_arn, description="What is assumed")


def member_role_template(scope: Construct, *, settings: RemediationSettings) -> str:
    """Return the template of a stack set's instances, as JSON.

    It needs nothing that bootstrapping brings, which the members may lack.

    Args:
        scope: a construct of the app, whose feature flags hold for the template as well.
        settings: who may assume the role, and for what.
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


def _policies(settings: RemediationSettings) -> Mapping[str, tuple[Statement, ...]]:
    """The statements of each policy by its name: one for each remediation, and one to read tags."""
    policies = {
        entry.name: entry.statements + (entry.undo_statements if settings.undo else ())
        for entry in settings.entries
    }
    return policies | ({"ReadResourceTags": (_READ_TAGS,)} if settings.resource_tags.decide else {})


def _document(statements: tuple[Statement, ...], settings: RemediationSettings) -> iam.PolicyDocument:
    return iam.PolicyDocument(
        statements=[statement.to_policy_statement(settings.regions) for statement in statements]
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
