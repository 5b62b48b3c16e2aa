"""Managed policies of a role in a member account, packed by AWS service.

A role can have a total of 10,240 characters in inline policies, but up to 10 managed policies with 6,144
characters each. The statements of a service are kept together, so that reviewers find them in one policy.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from aws_cdk import Acknowledgment, Validations
from aws_cdk import aws_iam as iam
from constructs import Construct

from stacks.remediation_catalog import Statement, fill

MOST_CHARACTERS: Final = 6_144
"""The maximum size of a managed policy, without white space."""
MOST_POLICIES: Final = 10
"""The default quota of managed policies per role. It can be increased to 20, but rarely is in members."""
# The same whatever is enabled: IAM can't change it, so CloudFormation would replace the policy.
# https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-iam-managedpolicy.html
_DESCRIPTION: Final = "Permissions for the enabled remediations of Security Hub findings"
_LONGEST_PARTITION: Final = "aws-us-gov"

Groups = Mapping[str, Sequence[Statement]]
"""Statements by their purpose, such as the folder of an AWS service."""


def managed_policies(scope: Construct, construct_id: str, groups: Groups, *, path: str) -> list[str]:
    """Create the managed policies that contain all statements, and return their ARNs.

    Args:
        scope: The parent construct.
        construct_id: The construct ID of the first policy. A number is appended for each further policy.
        groups: The statements.
        path: The path of the policies.

    Raises:
        ValueError: The statements need more policies, or a longer one, than IAM allows for a role.
    """
    packed = pack(groups)
    _check(groups, packed)
    policies = []
    for number, (statements, _) in enumerate(packed, start=1):
        policy = iam.CfnManagedPolicy(
            scope,
            construct_id if number == 1 else f"{construct_id}{number}",
            path=path,
            description=_DESCRIPTION,
            policy_document=iam.PolicyDocument(
                statements=[statement.to_policy_statement() for statement in statements]
            ),
        )
        _acknowledge(policy, statements)
        policies.append(policy)
    return [policy.ref for policy in policies]


def pack(groups: Groups) -> list[tuple[list[Statement], list[str]]]:
    """Pack the groups, in order, into as few policies as possible. A group that is too long is split.

    Returns:
        For each policy, its statements and the names of their groups.
    """
    packed: list[tuple[list[Statement], list[str]]] = []
    for name, statements in groups.items():
        whole = joined(statements)
        for part in [whole] if length_of(whole) <= MOST_CHARACTERS else [[one] for one in whole]:
            if not packed or length_of([*packed[-1][0], *part]) > MOST_CHARACTERS:
                packed.append(([], []))
            packed[-1][0].extend(part)
            if name not in packed[-1][1]:
                packed[-1][1].append(name)
    return packed


def _check(groups: Groups, packed: Sequence[tuple[list[Statement], list[str]]]) -> None:
    """Reject more policies, or a longer one, than IAM allows. Only a single statement makes one too long."""
    too_long = [some for some, _ in packed if length_of(some) > MOST_CHARACTERS]
    if not too_long and len(packed) <= MOST_POLICIES:
        return
    length = sum(length_of(statements) for statements, _ in packed)
    alone = "".join(
        f" A statement with {', '.join(one.actions)} alone takes {length_of([one])}."
        for some in too_long
        for one in some
    )
    raise ValueError(
        f"The statements for {', '.join(groups)} take {length} characters in {len(packed)} managed "
        f"policies, but IAM allows {MOST_POLICIES} of {MOST_CHARACTERS} characters each for a role.{alone} "
        "Enable fewer remediations in settings.toml, or let their statements share resources."
    )


def joined(statements: Iterable[Statement]) -> list[Statement]:
    """Return the statements, with those that have equal resources and conditions merged."""
    actions: dict[tuple[tuple[str, ...], str], dict[str, None]] = {}
    found: dict[tuple[tuple[str, ...], str], Statement] = {}
    for one in statements:
        key = (one.resources, json.dumps(one.conditions))
        actions.setdefault(key, {}).update(dict.fromkeys(one.actions))
        found[key] = one
    return [
        Statement(actions=tuple(sorted(actions[key])), resources=one.resources, conditions=one.conditions)
        for key, one in found.items()
    ]


def length_of(statements: Iterable[Statement]) -> int:
    """Return the maximum size of a policy as IAM counts it, with the longest partition name."""
    document = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": _one_or_list(one.actions),
                "Resource": _one_or_list(one.resources),
                **({"Condition": one.conditions} if one.conditions else {}),
            }
            for one in (
                statement.filled(partition=_LONGEST_PARTITION, account="0" * 12) for statement in statements
            )
        ],
    }
    return len(json.dumps(document, separators=(",", ":")))


def _one_or_list(values: Sequence[str]) -> str | Sequence[str]:
    return values[0] if len(values) == 1 else values


def _acknowledge(policy: iam.CfnManagedPolicy, statements: Iterable[Statement]) -> None:
    resources = {
        resource
        for statement in statements
        for resource in statement.resources
        if "*" in resource or "${Region}" in resource
    }
    for resource in sorted(resources):
        filled = fill(resource, partition="<AWS::Partition>", account="<AWS::AccountId>")
        Validations.of(policy).acknowledge(
            Acknowledgment(
                id=f"AwsSolutions-IAM5[Resource::{filled}]",
                reason="These actions support no narrower resource."
                if resource == "*"
                else "A finding may name any resource of this kind; which exist is not known here.",
            )
        )
