"""Can the remediation function assume the roles in the member accounts?

Only the role of the function can assume them, so this doesn't try: it reads the role of its own account, and
what CloudFormation says about the stack set.

Sources:
    https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_common-scenarios_third-party.html
    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/stacksets-concepts.html
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

from securityhub_actions.cli.aws import code_of
from securityhub_actions.cli.doctor.model import Check, fault, ok, skipped, warning
from securityhub_actions.cli.doctor.patient import Function, Patient

_STACK_SET: Final = "AWS::CloudFormation::StackSet"
_ANY: Final = "ANY"
_SHOWN: Final = 5
_CURE: Final = "Deploy the member role to it, with the role and the external ID of the function's settings."


def member_roles(patient: Patient) -> Iterator[Check]:
    """Each member account has a role that trusts the role of the function."""
    functions = [one for one in patient.functions if {"MEMBER_ROLE", "EXTERNAL_ID"} <= one.environment.keys()]
    if not functions:
        yield skipped("No function of the app acts in other accounts.")
        return
    for function in functions:
        yield from _of_own_account(patient, function)
    found = [
        check for _, resource in patient.resources(_STACK_SET) for check in _of_stack_set(patient, resource)
    ]
    yield from found
    if not found:
        yield skipped(
            "Only the function's role can assume the role in another account, so this can't be tried here.",
            "Press the remediation on a finding of the account. Its note says if the role can't be assumed.",
        )


def _of_own_account(patient: Patient, function: Function) -> Iterator[Check]:
    path = function.environment["MEMBER_ROLE"].strip("/")
    client = patient.aws.client("iam")
    place = f"the role {path} of {patient.aws.account}"
    try:
        role = client.get_role(RoleName=path.rpartition("/")[2])["Role"]
    except client.exceptions.NoSuchEntityException:
        allowed = {one.strip() for one in function.environment.get("ALLOWED_ACCOUNTS", "").split(",")}
        if allowed & {_ANY, patient.aws.account}:
            yield warning(
                f"There is no {place.removeprefix('the ')}, but its findings may be remediated.", _CURE
            )
        return
    arn = f"arn:{patient.aws.partition}:iam::{patient.aws.account}:role/{path}"
    trust = json.dumps(role.get("AssumeRolePolicyDocument") or {})
    if role["Arn"] != arn:
        yield fault(f"The function assumes {arn}, but the role is {role['Arn']}.", _CURE)
    elif function.environment["EXTERNAL_ID"] not in trust:
        yield fault(f"The trust policy of {place} lacks the external ID of {function.logical_id}.", _CURE)
    elif function.role_arn and function.role_arn not in trust:
        yield fault(f"The trust policy of {place} doesn't name {function.role_arn}.", _CURE)
    else:
        yield ok(f"The trust policy of {place} names the function's role and external ID.")


def _of_stack_set(patient: Patient, resource: Any) -> Iterator[Check]:  # noqa: ANN401
    name = resource.physical_id.partition(":")[0]
    instances = _instances(patient, name)
    if not instances:
        yield warning(f"The stack set {name} has no instances.", "Check its organizational units.")
        return
    bad = [one for one in instances if one["Status"] != "CURRENT"]
    if not bad:
        yield ok(f"The stack set {name} deployed the role to {len(instances):,} accounts.")
        return
    reasons = Counter(one.get("StatusReason") or one["Status"] for one in bad)
    accounts = ", ".join(one["Account"] for one in bad[:_SHOWN]) + (", ..." if len(bad) > _SHOWN else "")
    yield fault(
        f"The stack set {name} didn't deploy the current role to {len(bad):,} of {len(instances):,} "
        f"accounts: {accounts}. The most frequent reason: {reasons.most_common(1)[0][0]}",
        f"Fix that, and repeat the operation of the stack set {name}.",
    )


def _instances(patient: Patient, name: str) -> list[dict[str, Any]]:
    client = patient.aws.client("cloudformation")
    pages = client.get_paginator("list_stack_instances").paginate
    try:
        found = list(pages(StackSetName=name))
    except client.exceptions.ClientError as error:
        if code_of(error) != "StackSetNotFoundException":
            raise
        # The stack set of a delegated administrator is found only by saying so.
        found = list(pages(StackSetName=name, CallAs="DELEGATED_ADMIN"))
    return [instance for page in found for instance in page["Summaries"]]
