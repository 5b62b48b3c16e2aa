"""The text of a ticket. It's plain text; each tracker adds its own markup."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from functions.tickets.contract import Draft
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
# Control characters, line and paragraph separators, and the two noncharacters that XML doesn't allow, in
# which some trackers store texts.
_NOT_PLAIN: Final[Mapping[int, str | None]] = {
    **dict.fromkeys([*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029, 0xFFFE, 0xFFFF], " "),
    # Characters that are invisible or change the direction of text, so that it reads differently than it is.
    # https://www.unicode.org/reports/tr36/#Bidirectional_Text_Spoofing
    **dict.fromkeys(
        [0xAD, 0x61C, 0x180E, *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2070), 0xFEFF],
        None,
    ),
    **dict.fromkeys(range(0xE0000, 0xE0080), None),
}


def title(finding: Finding, limit: int) -> str:
    """Return the title of a ticket, one line of at most `limit` UTF-16 code units."""
    severity = _line(finding.severity_label) or "NO SEVERITY"
    return truncate(f"[{severity}] {_line(finding.title) or _line(finding.id)}", limit)


def body(draft: Draft) -> str:
    """Return the body of a ticket, lines of at most `MAX_BODY_CHARACTERS` UTF-16 code units in total.

    The resources come last, because there can be many of them. If they are truncated, the finding's ID leads
    to the rest.
    """
    return truncate("\n".join(_lines(draft)), MAX_BODY_CHARACTERS)


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
        "Instructions": _link(instructions),
        "Earlier ticket": draft.earlier.link if draft.earlier else None,
    }
    if description := _line(finding.description):
        yield truncate(description, _MAX_PARAGRAPH)
    yield from _named(before)
    # Amazon Inspector's remediation refers to the fixed versions in the vulnerability details above it.
    yield from _vulnerabilities(finding)
    yield from _named(after)
    for resource in finding.resources[:_MAX_RESOURCES]:
        parts = [part for part in (resource.type, resource.id) if part]
        yield f"Resource: {truncate(_line(' '.join(parts)), _MAX_IDENTIFIER)}"
    if (more := len(finding.resources) - _MAX_RESOURCES) > 0:
        yield f"And {more} more resources."


def _named(values: Mapping[str, object]) -> Iterator[str]:
    for name, value in values.items():
        if line := _line(value):
            yield f"{name}: {truncate(line, _MAX_IDENTIFIER)}"


def _origin(finding: Finding) -> Mapping[str, object]:
    """Return where the finding comes from. Only Security Hub's own findings are about controls."""
    if not finding.product_arn.endswith(_SECURITY_HUB):
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
    parts = [_line(part) for part in (package.vulnerability, package.name, package.version)]
    path, fixed = _line(package.path), _line(package.fixed_in)
    if path:
        parts.append(f"in {path}")
    if fixed and fixed != _NOT_FIXED:
        parts.append(f"(fixed version: {fixed})")
    return " ".join(part for part in parts if part)


def _link(value: object) -> str:
    """Return a link to a web page, or an empty string for other links, such as those that run scripts."""
    line = _line(value)
    return line if line.lower().startswith(("https://", "http://")) else ""


def _line(value: object) -> str:
    """Return a string without line breaks and control characters, or an empty string for other values."""
    return " ".join(value.translate(_NOT_PLAIN).split()) if isinstance(value, str) else ""
