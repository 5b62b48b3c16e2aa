"""The checks that every synthesis makes of the templates: cdk-nag's AwsSolutions rules and cfn-lint.

CDK's own default rules are on by the feature flag `@aws-cdk/core:validateAgainstDefaultRules` in cdk.json.
An acknowledgement stands beside the resource that it is for, with its reason.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import cast

import jsii
from aws_cdk import (
    App,
    CfnElement,
    IPolicyValidationContext,
    IPolicyValidationPlugin,
    PolicyValidationPluginReport,
    PolicyViolatingResource,
    PolicyViolation,
    Stack,
    Validations,
)
from aws_cdk import aws_s3 as s3
from cdk_nag import AwsSolutionsChecks


def logical_id_of(bucket: s3.IBucket) -> str:
    """Return a bucket's logical ID, by which cdk-nag names the resources of a policy."""
    return Stack.of(bucket).get_logical_id(cast("CfnElement", bucket.node.default_child))


def check_templates(app: App) -> None:
    """Make synthesis fail where cdk-nag's AwsSolutions pack or cfn-lint find something in a template."""
    Validations.of(app).add_plugins(AwsSolutionsChecks(app), CfnLint())


@jsii.implements(IPolicyValidationPlugin)
class CfnLint:
    """Runs cfn-lint over the synthesized templates.

    Source: https://github.com/aws-cloudformation/cfn-lint
    """

    @property
    def name(self) -> str:
        """What the validation report calls the plugin."""
        return "cfn-lint"

    @property
    def version(self) -> str:
        """The version of cfn-lint."""
        return version("cfn-lint")

    @property
    def rule_ids(self) -> list[str] | None:
        """Not declared; cfn-lint has its own list."""
        return None

    def validate(self, context: IPolicyValidationContext) -> PolicyValidationPluginReport:
        """Lint every template of the app."""
        violations = [
            violation for path in context.template_paths for violation in _lint(Path(path), context.region)
        ]
        return PolicyValidationPluginReport(success=not violations, violations=violations)


def _lint(template: Path, region: str | None) -> Iterator[PolicyViolation]:
    # Imported when it is needed: it takes seconds, and the tests of the stacks alone do without.
    from cfnlint.api import ManualArgs, lint_file  # noqa: PLC0415

    for match in lint_file(template, ManualArgs(regions=[region]) if region else None):
        path = [str(part) for part in getattr(match, "path", None) or ()]
        in_resource = path[:1] == ["Resources"] and len(path) > 1
        yield PolicyViolation(
            rule_name=match.rule.id,
            description=match.message,
            # Also for warnings. A violation without severity passes beside an acknowledged one.
            severity="error",
            fix=match.rule.source_url,
            violating_resources=[
                PolicyViolatingResource(
                    resource_logical_id=path[1] if in_resource else "Template",
                    template_path=str(template),
                    locations=["/".join(path)],
                )
            ],
        )
