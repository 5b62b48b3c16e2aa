"""A check of the size of an app's templates, once the AWS CDK has written them.

Before that, the size isn't known without synthesizing everything a second time. The CDK calls plugins at the
end of synthesis, when it's enough to look at the files. It doesn't name those of nested stacks, which are
beside that of the stack that they are in.

Source: https://docs.aws.amazon.com/cdk/v2/guide/policy-validation-synthesis.html
Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import jsii
from aws_cdk import (
    IPolicyValidationContext,
    IPolicyValidationPlugin,
    NestedStack,
    PolicyValidationPluginReport,
    PolicyViolatingResource,
    PolicyViolation,
    Stage,
    Validations,
)
from constructs import IConstruct

from securityhub_actions.places import node_of, outermost_of, path_of
from securityhub_actions.quotas import MAX_TEMPLATE, NEARLY

TEMPLATE_BYTES: Final = "ManyTemplateBytes"
"""The warning, which is acknowledged as `securityhub-actions::ManyTemplateBytes`."""
_CURE: Final = (
    "Move some of the resources to another stack, or set suppress_template_indentation=True for the stack"
)


def check_template_sizes(root: IConstruct) -> None:
    """Check the size of each template at synthesis, those of nested stacks included.

    From 80 percent of the quota on, there is a warning; above it, an error.

    Args:
        root: The root of the construct tree. If it's a stack without an app, nothing is checked.
    """
    if Stage.is_stage(root):
        Validations.of(root).add_plugins(_TemplateSizes(root))


@jsii.implements(IPolicyValidationPlugin)
class _TemplateSizes:
    def __init__(self, root: IConstruct) -> None:
        self._root = root

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
        templates = {one.stack_construct_path: Path(one.template_path) for one in context.stack_templates}
        templates |= dict(self._nested(templates))
        sizes = {path: template.stat().st_size for path, template in templates.items()}
        return PolicyValidationPluginReport(
            success=all(size <= MAX_TEMPLATE for size in sizes.values()),
            violations=[
                _violation(path, size) for path, size in sizes.items() if size >= MAX_TEMPLATE * NEARLY
            ],
        )

    def _nested(self, templates: dict[str, Path]) -> Iterator[tuple[str, Path]]:
        for one in node_of(self._root).find_all():
            if isinstance(one, NestedStack):
                beside = templates[path_of(outermost_of(one))]
                yield path_of(one), beside.with_name(one.template_file)


def _violation(path: str, size: int) -> PolicyViolation:
    return PolicyViolation(
        rule_name=TEMPLATE_BYTES,
        description=f"The template of the stack {path} has {size:,} bytes. "
        f"CloudFormation allows {MAX_TEMPLATE:,}.",
        fix=_CURE,
        # Only what is fatal can't be acknowledged.
        severity="fatal" if size > MAX_TEMPLATE else "warning",
        violating_resources=[PolicyViolatingResource(construct_path=path, locations=[])],
    )
