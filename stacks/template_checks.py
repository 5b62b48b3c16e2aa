"""The checks of the templates at every synthesis: cdk-nag's AwsSolutions rules and cfn-lint.

The feature flag `@aws-cdk/core:validateAgainstDefaultRules` in cdk.json enables the CDK's own default rules.
Each acknowledgment is next to its resource, with the reason.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.metadata import version

import jsii
from aws_cdk import (
    Acknowledgment,
    App,
    IPolicyValidationContext,
    IPolicyValidationPlugin,
    PolicyValidationPluginReport,
    PolicyViolatingResource,
    PolicyViolation,
    Validations,
)
from aws_cdk import aws_iam as iam
from cdk_nag import AwsSolutionsChecks

from securityhub_actions.acknowledgments import wildcard_finding


def accept_wildcard(role: iam.IRole, resource: str, *, reason: str) -> None:
    """Acknowledge a resource with a wildcard in the policies of a role.

    Args:
        role: The role.
        resource: The ARN in the policy.
        reason: Why it can't be narrower.
    """
    Validations.of(role).acknowledge(Acknowledgment(id=wildcard_finding(role, resource), reason=reason))


def check_templates(app: App) -> None:
    """Make synthesis fail if cdk-nag's AwsSolutions pack or cfn-lint reports a finding in a template."""
    Validations.of(app).add_plugins(AwsSolutionsChecks(app), CfnLint())


@jsii.implements(IPolicyValidationPlugin)
class CfnLint:
    """Runs cfn-lint over the synthesized templates.

    Source: https://github.com/aws-cloudformation/cfn-lint
    """

    @property
    def name(self) -> str:
        """The name of the plugin in the validation report."""
        return "cfn-lint"

    @property
    def version(self) -> str:
        """The version of cfn-lint."""
        return version("cfn-lint")

    @property
    def rule_ids(self) -> list[str] | None:
        """Not declared, because cfn-lint has its own list."""
        return None

    def validate(self, context: IPolicyValidationContext) -> PolicyValidationPluginReport:
        """Lint every template of the app."""
        violations = list(_lint(context.template_paths, context.region))
        return PolicyValidationPluginReport(success=not violations, violations=violations)


def _lint(templates: Sequence[str], region: str | None) -> Iterator[PolicyViolation]:
    # Imported on first use, because it takes seconds and the tests of the stacks don't need it.
    from cfnlint.api import ManualArgs, lint_by_config  # noqa: PLC0415

    # All at once, because each call loads the hundreds of rules again.
    # With I3510, off by default: whether the resources of each statement of a policy are of kinds that its
    # actions have. docs/adr/0025 says what else is checked of policies.
    arguments = ManualArgs(templates=list(templates), include_checks=["I3510"])
    if region:
        arguments["regions"] = [region]
    for match in lint_by_config(arguments):
        path = [str(part) for part in getattr(match, "path", None) or ()]
        in_resource = path[:1] == ["Resources"] and len(path) > 1
        yield PolicyViolation(
            rule_name=match.rule.id,
            description=match.message,
            # Also for warnings: next to an acknowledged violation, one without a severity is ignored.
            severity="error",
            fix=match.rule.source_url,
            violating_resources=[
                PolicyViolatingResource(
                    resource_logical_id=path[1] if in_resource else "Template",
                    template_path=match.filename,
                    locations=["/".join(path)],
                )
            ],
        )
