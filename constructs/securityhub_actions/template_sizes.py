"""A check of the size of an app's templates, once the AWS CDK has written them.

Before that, the size isn't known without synthesizing everything a second time. The CDK calls plugins at the
end of synthesis, when it's enough to look at the files. Templates of nested stacks aren't among them.

Source: https://docs.aws.amazon.com/cdk/v2/guide/policy-validation-synthesis.html
Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import jsii
from aws_cdk import (
    IPolicyValidationContext,
    IPolicyValidationPlugin,
    PolicyValidationPluginReport,
    PolicyValidationStack,
    PolicyViolatingResource,
    PolicyViolation,
    Stage,
    Validations,
)
from constructs import IConstruct

from securityhub_actions.quotas import MAX_TEMPLATE, NEARLY

TEMPLATE_BYTES: Final = "ManyTemplateBytes"
"""The warning, which is acknowledged as `securityhub-actions::ManyTemplateBytes`."""
_CURE: Final = (
    "Move some of the resources to another stack, or set suppress_template_indentation=True for the stack"
)


def check_template_sizes(root: IConstruct) -> None:
    """Check the size of each template at synthesis.

    From 80 percent of the quota on, there is a warning; above it, an error.

    Args:
        root: The root of the construct tree. If it's a stack without an app, nothing is checked.
    """
    if Stage.is_stage(root):
        Validations.of(root).add_plugins(_TemplateSizes())


@jsii.implements(IPolicyValidationPlugin)
class _TemplateSizes:
    @property
    def name(self) -> str:
        """What the report calls it, and where acknowledgments begin."""
        return "securityhub-actions"

    @property
    def version(self) -> str | None:
        return None

    @property
    def rule_ids(self) -> list[str] | None:
        return [TEMPLATE_BYTES]

    def validate(self, context: IPolicyValidationContext) -> PolicyValidationPluginReport:
        """Report the stacks whose templates are too large, or nearly."""
        sizes = [(one, Path(one.template_path).stat().st_size) for one in context.stack_templates]
        return PolicyValidationPluginReport(
            success=all(size <= MAX_TEMPLATE for _, size in sizes),
            violations=[_violation(one, size) for one, size in sizes if size >= MAX_TEMPLATE * NEARLY],
        )


def _violation(stack: PolicyValidationStack, size: int) -> PolicyViolation:
    return PolicyViolation(
        rule_name=TEMPLATE_BYTES,
        description=f"The template of the stack {stack.stack_construct_path} has {size:,} bytes. "
        f"CloudFormation allows {MAX_TEMPLATE:,}.",
        fix=_CURE,
        # Only what is fatal can't be acknowledged.
        severity="fatal" if size > MAX_TEMPLATE else "warning",
        violating_resources=[
            PolicyViolatingResource(construct_path=stack.stack_construct_path, locations=[])
        ],
    )
