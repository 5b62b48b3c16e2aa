"""Which findings share a ticket, and what the ticket says of each of them. Pure functions."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from functions.tickets.exposures import is_exposure
from functions.tickets.listing import line_of
from functions.tickets.plain import one_line, web_link
from invocation.environment import Environment, one_of
from securityhub.events import Finding
from securityhub.findings.updates import truncate

_SEVERITIES: Final = ("CRITICAL", "HIGH", "MEDIUM", "LOW", "INFORMATIONAL")
# Only AWS's own services import findings under these ARNs, which have no account.
# https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-findings-providers.html
_PRODUCT_OF_AWS: Final = re.compile(r"arn:([^:]+):securityhub:[^:]*::product/aws/([^/]+)")
_CONTROL_GENERATOR: Final = "security-control/"
_MAX_FACT: Final = 512
# With the severity and the number of findings, it fits into the title of any tracker.
_MAX_SUBJECT: Final = 120
_MAX_SORTED: Final = 120


class GroupBy(StrEnum):
    """What findings have in common that share a ticket.

    Attributes:
        FINDING: Nothing: each finding has a ticket of its own.
        CONTROL: Their product and control, or what stands for one.
        CONTROL_AND_ACCOUNT: The same, and their account.
        RESOURCE: Their first resource, and its account.
    """

    FINDING = "finding"
    CONTROL = "control"
    CONTROL_AND_ACCOUNT = "control and account"
    RESOURCE = "resource"


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupRef:
    """A group as the record of a finding's ticket names it.

    Attributes:
        by: What its findings have in common.
        key: 64 hexadecimal digits that identify the group.
    """

    by: GroupBy
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A group as one of its findings shows it.

    Attributes:
        subject: The title of its ticket, without severity and number of findings.
        facts: What its findings have in common, by its name.
    """

    subject: str
    facts: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What the ticket of a group says of a finding.

    Attributes:
        text: One line.
        severity: The severity of the finding, or an empty string.
        order: By which findings of one severity are sorted: account and resource.
    """

    text: str
    severity: str
    order: str

    @property
    def rank(self) -> int:
        """0 for the highest severity."""
        return _SEVERITIES.index(self.severity) if self.severity in _SEVERITIES else len(_SEVERITIES)


def group_by_of(environment: Environment) -> GroupBy:
    """Return the value of the environment variable `GROUP_BY`. Default: each finding has its own ticket.

    Raises:
        ValueError: It has another value.
    """
    return GroupBy(one_of(environment, "GROUP_BY", [*GroupBy], default=GroupBy.FINDING))


def reference_of(finding: Finding, by: GroupBy) -> GroupRef | None:
    """Return the group of a finding, or None if it has a ticket of its own.

    The key contains who is responsible for what the finding says. A finding of another product, which any
    account can import with the same control or resource in it, belongs to another group.
    """
    if by is GroupBy.FINDING:
        return None
    if by is GroupBy.RESOURCE:
        parts = [_provider(finding), finding.aws_account_id, *_resource(finding)]
    else:
        account = [finding.aws_account_id] if by is GroupBy.CONTROL_AND_ACCOUNT else []
        parts = [*_product(finding), *account, *_rule(finding).values()]
    digest = hashlib.sha256(json.dumps([by.value, *parts]).encode())
    return GroupRef(by=by, key=digest.hexdigest())


def group_of(finding: Finding, by: GroupBy) -> Group:
    """Return what the ticket of a finding's group is about."""
    rule, account = _rule(finding), finding.aws_account_id
    if by is GroupBy.RESOURCE:
        resource = finding.resources[0].id if finding.resources else finding.id
        return _group(f"Findings on {resource}", {"Resource": resource, "Account": account})
    subject = " ".join(rule.values())
    facts = {**rule, "Product": finding.product_arn}
    if by is GroupBy.CONTROL_AND_ACCOUNT:
        subject = f"{subject} in account {account}"
        facts["Account"] = account
    if not _is_control(finding):
        return _group(subject, facts)
    remediation, instructions = finding.recommendation
    return _group(
        f"{subject}: {finding.title}" if finding.title else subject,
        {
            **facts,
            "Description": finding.description,
            "Remediation": remediation,
            "Instructions": web_link(instructions),
        },
    )


def _group(subject: str, facts: Mapping[str, str | None]) -> Group:
    """Return a group whose texts are plain and not too long."""
    plain = {name: truncate(one_line(value), _MAX_FACT) for name, value in facts.items()}
    return Group(
        subject=truncate(one_line(subject), _MAX_SUBJECT),
        facts={name: value for name, value in plain.items() if value},
    )


def line_about(finding: Finding, by: GroupBy) -> Line:
    """Return what the ticket of a finding's group says of it."""
    severity = one_line(finding.severity_label)
    resource = finding.resources[0].id if finding.resources else finding.id
    if by is GroupBy.RESOURCE:
        parts = [severity, *_rule(finding).values(), finding.title]
    else:
        parts = [severity, finding.aws_account_id, finding.region, resource]
    order = " ".join(one_line(part) for part in (finding.aws_account_id, resource))
    return Line(text=line_of(parts), severity=severity, order=truncate(order, _MAX_SORTED))


def _provider(finding: Finding) -> str:
    """Return who is responsible for a finding: AWS, or whoever imports findings of another product."""
    is_of_aws = _PRODUCT_OF_AWS.fullmatch(finding.product_arn)
    return f"{is_of_aws[1]}:aws" if is_of_aws else finding.product_arn


def _product(finding: Finding) -> list[str]:
    """Return the product of a finding. Those of AWS have an ARN in each Region."""
    is_of_aws = _PRODUCT_OF_AWS.fullmatch(finding.product_arn)
    return [_provider(finding), is_of_aws[2]] if is_of_aws else [_provider(finding)]


def _is_of(product: str, finding: Finding) -> bool:
    return _product(finding)[1:] == [product]


def _is_control(finding: Finding) -> bool:
    return _is_of("securityhub", finding) and not is_exposure(finding)


def _rule(finding: Finding) -> dict[str, str]:
    """Return what found the finding, by what it is called.

    Security Hub names the control, whatever standard it belongs to. A vulnerability has an ID, as Amazon
    Inspector's have. GuardDuty names its detector, of an account and Region, as the generator, and what was
    detected is the type. The other products, and exposures, name a rule as the generator, or have one
    generator for all of their types.

    Source: https://docs.aws.amazon.com/securityhub/latest/userguide/asff-required-attributes.html
    Source: https://docs.aws.amazon.com/securityhub/latest/userguide/asff-top-level-attributes.html
    """
    generator, type_ = finding.generator_id or "", finding.first_type or ""
    if _is_control(finding):
        return {"Control": finding.control or generator.removeprefix(_CONTROL_GENERATOR) or finding.id}
    packages = finding.vulnerable_packages
    vulnerability = packages[0].vulnerability if packages else None
    if isinstance(vulnerability, str) and vulnerability:
        return {"Vulnerability": vulnerability}
    if _is_of("guardduty", finding) and type_:
        return {"Type": type_}
    return {"Type": type_, "Generator": generator or finding.id}


def _resource(finding: Finding) -> list[str]:
    """Return what identifies the first resource. An ARN needs no Region: that of an IAM role differs."""
    if not finding.resources:
        return [finding.id]
    resource = finding.resources[0]
    is_global = resource.id.startswith("arn:")
    return [resource.id, "" if is_global else resource.region or finding.region]
