"""Acknowledgments of what checks report for this library's own resources, for cdk-nag 2 and 3."""

from __future__ import annotations

import re
from typing import Final

from aws_cdk import Acknowledgment, CfnResource, Stack, Validations
from constructs import IConstruct

from securityhub_actions.readable_values import readable

_FINDING: Final = re.compile(r"(?P<rule>AwsSolutions-\w+)(?:\[(?P<finding>.*)\])?")


def acknowledge(construct: IConstruct, *, id: str, reason: str) -> None:  # noqa: A002 - as in Acknowledgment
    """Acknowledge a finding for a construct and its children.

    cdk-nag 3 reads the CDK's acknowledgments. cdk-nag 2, which doesn't, reads the metadata of the resources
    that exist now.

    Args:
        construct: The construct.
        id: The ID of the rule, such as `AwsSolutions-IAM5[Resource::*]`.
        reason: Why the finding is accepted.

    Source: https://github.com/cdklabs/cdk-nag/blob/v2.38.2/src/utils/nag-suppression-helper.ts
    """
    Validations.of(construct).acknowledge(Acknowledgment(id=id, reason=reason))
    match = _FINDING.fullmatch(id)
    if match is None:
        return
    suppression = {"id": match["rule"], "reason": reason}
    if match["finding"]:
        suppression |= {"applies_to": [match["finding"]]}
    for resource in construct.node.find_all():
        if isinstance(resource, CfnResource) and _can_break(resource, match["rule"]):
            known = resource.get_metadata("cdk_nag") or {}
            rules = [*known.get("rules_to_suppress", []), suppression]
            resource.add_metadata("cdk_nag", {"rules_to_suppress": rules})


def wildcard_finding(construct: IConstruct, resource: str) -> str:
    """Return the ID of the finding that a policy has a resource with a wildcard.

    Args:
        construct: A construct in the stack of the policy.
        resource: The ARN in the policy, whose references cdk-nag writes in angle brackets.
    """
    named = readable(Stack.of(construct).resolve(resource), variable="<{}>")
    return f"AwsSolutions-IAM5[Resource::{named}]"


def _can_break(resource: CfnResource, rule: str) -> bool:
    """Whether a rule is about resources of this type."""
    types = {
        "AwsSolutions-IAM5": {"AWS::IAM::Policy", "AWS::IAM::Role"},
        "AwsSolutions-L1": {"AWS::Lambda::Function"},
        "AwsSolutions-SQS3": {"AWS::SQS::Queue"},
    }
    return resource.cfn_resource_type in types[rule]
