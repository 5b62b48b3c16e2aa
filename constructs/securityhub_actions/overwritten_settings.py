"""A check at synthesis that nothing in the app overwrites what this library sets for its targets.

A queue or topic has one policy: of two resources, the one that CloudFormation deploys last replaces the other
one. And of two event invoke configurations of a function, CloudFormation refuses the second.

Source: https://github.com/aws-cloudformation/aws-cloudformation-resource-providers-sns/issues/64
Source: https://github.com/hashicorp/terraform/issues/12003
Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-lambda-eventinvokeconfig.html
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, TypeAlias, TypeVar, cast

from aws_cdk import CfnResource, Reference, Tokenization
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from constructs import IConstruct

from securityhub_actions.checks import Validation
from securityhub_actions.places import node_of, path_of, stack_of
from securityhub_actions.rule_access import paths_with_rules

_Policy: TypeAlias = (
    "sqs.CfnQueuePolicy | sqs.CfnQueueInlinePolicy | sns.CfnTopicPolicy | sns.CfnTopicInlinePolicy"
)
_Setting = TypeVar("_Setting", bound=CfnResource)
_POLICIES: Final = (
    sqs.CfnQueuePolicy,
    sqs.CfnQueueInlinePolicy,
    sns.CfnTopicPolicy,
    sns.CfnTopicInlinePolicy,
)


def check_overwriting(root: IConstruct) -> None:
    """Check at synthesis that each queue and topic has one policy, and each function one configuration.

    Args:
        root: The root of the construct tree.
    """
    node_of(root).add_validation(Validation(lambda: list(_errors(root))))


def _errors(root: IConstruct) -> Iterator[str]:
    constructs = node_of(root).find_all()
    policies = [one for one in constructs if isinstance(one, _POLICIES)]
    of_rules = paths_with_rules(root)
    for path, found in _by_owner((one, name) for one in policies for name in _guarded(one)).items():
        if path in of_rules and len(paths := _unconditional(found)) > 1:
            yield (
                f"{path} has several policies, {', '.join(paths)}. The one that CloudFormation deploys last "
                "replaces the others, so EventBridge may not be allowed to send events there. Call "
                "add_to_resource_policy of the queue or topic instead of creating a policy."
            )
    configs = [one for one in constructs if isinstance(one, lambda_.CfnEventInvokeConfig)]
    for path, of_function in _by_owner((one, f"{one.function_name}") for one in configs).items():
        for qualifier, alike in _by_qualifier(of_function).items():
            if len(paths := _unconditional(alike)) > 1:
                yield (
                    f"The function {path} has several event invoke configurations for {qualifier}, "
                    f"{', '.join(paths)}. CloudFormation refuses all but one. Pass the settings, such as "
                    "on_failure and retry_attempts, to the function when you create it, and remove the rest."
                )


def _unconditional(resources: Sequence[CfnResource]) -> list[str]:
    """The paths of several resources, without those that CloudFormation creates only on a condition."""
    if len(resources) == 1:
        return []
    return [path_of(one) for one in resources if one.cfn_options.condition is None]


def _guarded(policy: _Policy) -> Sequence[str]:
    """The queues or topics that have a policy."""
    match policy:
        case sqs.CfnQueuePolicy():
            return policy.queues
        case sqs.CfnQueueInlinePolicy():
            return [policy.queue]
        case sns.CfnTopicPolicy():
            return policy.topics
    return [policy.topic_arn]


def _by_owner(settings: Iterator[tuple[_Setting, str]]) -> Mapping[str, list[_Setting]]:
    """Settings by the path of what they are about, if the app has that."""
    found: dict[str, list[_Setting]] = defaultdict(list)
    for one, name in settings:
        referred = Tokenization.reverse_string(name).first_token
        if Reference.is_reference(referred):
            target = cast("Reference", referred).target
            owner = node_of(target).scope if node_of(target).id == "Resource" else target
            found[path_of(owner or target)].append(one)
    return found


def _by_qualifier(
    configs: Sequence[lambda_.CfnEventInvokeConfig],
) -> Mapping[str, list[lambda_.CfnEventInvokeConfig]]:
    found: dict[str, list[lambda_.CfnEventInvokeConfig]] = defaultdict(list)
    for one in configs:
        found[json.dumps(stack_of(one).resolve(one.qualifier), sort_keys=True)].append(one)
    return found
