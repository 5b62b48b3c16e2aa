"""The text of a ticket. It's plain text; each tracker adds its own markup."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from functions.tickets.contract import Draft
from functions.tickets.exposures import is_exposure
from functions.tickets.listing import lines_of
from functions.tickets.plain import one_line, web_link
from securityhub.events import Finding, VulnerablePackage
from securityhub.findings.updates import truncate

MAX_BODY_CHARACTERS: Final = 4_000
"""The limit of ServiceNow, which is the lowest, so that the text is the same in all trackers."""

_MAX_PARAGRAPH: Final = 1_000
_MAX_IDENTIFIER: Final = 512
_MAX_RESOURCES: Final = 10
_MAX_PACKAGES: Final = 10
_SECURITY_HUB: Final = "::product/aws/securityhub"
# What Amazon Inspector sends where there is no fixed version.
_NOT_FIXED: Final = "NotAvailable"


def title(finding: Finding, limit: int) -> str:
    """Return the title of a ticket, one line of at most `limit` UTF-16 code units."""
    severity = one_line(finding.severity_label) or "NO SEVERITY"
    return truncate(f"[{severity}] {one_line(finding.title) or one_line(finding.id)}", limit)


def body(draft: Draft) -> str:
    """Return the body of a ticket, lines of at most `MAX_BODY_CHARACTERS` UTF-16 code units in total.

    The resources come last, because there can be many of them. If they are truncated, the finding's ID leads
    to the rest.
    """
    lines = (
        _lines(draft)
        if draft.listing is None
        else lines_of(draft.listing, draft.earlier, MAX_BODY_CHARACTERS)
    )
    return truncate("\n".join(lines), MAX_BODY_CHARACTERS)


def _lines(draft: Draft) -> Iterator[str]:
    finding = draft.finding
    remediation, instructions = finding.recommendation
    before = {
        "Severity": finding.severity_label,
        "Account": finding.aws_account_id,
        "Region": finding.region,
        **_origin(finding),
        "Finding": finding.id,
        "Product": finding.product_arn,
    }
    after = {
        "Remediation": remediation,
        "Instructions": web_link(instructions),
        "Earlier ticket": draft.earlier.link if draft.earlier else None,
    }
    if description := one_line(finding.description):
        yield truncate(description, _MAX_PARAGRAPH)
    yield from _named(before)
    # Amazon Inspector's remediation refers to the fixed versions in the vulnerability details above it.
    yield from _vulnerabilities(finding)
    yield from _named(after)
    for resource in finding.resources[:_MAX_RESOURCES]:
        parts = [part for part in (resource.type, resource.id) if part]
        yield f"Resource: {truncate(one_line(' '.join(parts)), _MAX_IDENTIFIER)}"
    if (more := len(finding.resources) - _MAX_RESOURCES) > 0:
        yield f"And {more} more resources."


def _named(values: Mapping[str, object]) -> Iterator[str]:
    for name, value in values.items():
        if line := one_line(value):
            yield f"{name}: {truncate(line, _MAX_IDENTIFIER)}"


def _origin(finding: Finding) -> Mapping[str, object]:
    """Return where the finding comes from. Only Security Hub's own findings are about controls."""
    if not finding.product_arn.endswith(_SECURITY_HUB) or is_exposure(finding):
        return {"Type": finding.first_type, "Generator": finding.generator_id}
    return {"Control": finding.control or finding.generator_id}


def _vulnerabilities(finding: Finding) -> Iterator[str]:
    """Name the vulnerable packages, and where they are fixed.

    Source: https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_SoftwarePackage.html
    """
    lines = [line for package in finding.vulnerable_packages if (line := _vulnerable(package))]
    yield from (f"Vulnerability: {truncate(line, _MAX_IDENTIFIER)}" for line in lines[:_MAX_PACKAGES])
    if (more := len(lines) - _MAX_PACKAGES) > 0:
        yield f"And {more} more vulnerable packages."


def _vulnerable(package: VulnerablePackage) -> str:
    parts = [one_line(part) for part in (package.vulnerability, package.name, package.version)]
    path, fixed = one_line(package.path), one_line(package.fixed_in)
    if path:
        parts.append(f"in {path}")
    if fixed and fixed != _NOT_FIXED:
        parts.append(f"(fixed version: {fixed})")
    return " ".join(part for part in parts if part)
