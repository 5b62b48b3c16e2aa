"""What the bodies of requests say about a finding or a result of an insight, whatever its format.

Every member is a string that isn't empty, because the input of a target isn't valid JSON if a path leads
nowhere, and third parties refuse empty texts.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    NameOf = Callable[[str], str | None]
    """Returns the name of an account by its ID, or None."""

ABSENT: Final = "-"
"""Stands for what a finding doesn't have."""
MAX_TITLE: Final = 255
"""The limit of Jira, the lowest."""
MAX_DESCRIPTION: Final = 1024
"""As long as in ASFF."""
MAX_ISSUE: Final = 255
"""The limit of PagerDuty for a deduplication key."""
MAX_TEXT: Final = 4000
"""The limit of ServiceNow."""
_MAX_LINE: Final = 512
_LABELS: Final = {
    "severity": "Severity",
    "account": "Account",
    "accountName": "Account name",
    "region": "Region",
    "control": "Control",
    "resourceType": "Resource type",
    "resource": "Resource",
    "findingId": "Finding",
    "product": "Product",
    "link": "Console",
}
_WITHOUT_CONSOLE: Final = "https://aws.amazon.com/security-hub/"
# The partitions with a public console.
_CONSOLES: Final = {
    "aws": "console.aws.amazon.com",
    "aws-cn": "console.amazonaws.cn",
    "aws-us-gov": "console.amazonaws-us-gov.com",
    "aws-eusc": "console.amazonaws-eusc.eu",
}
# As the console itself writes it: the search's operators are encoded twice.
_SEARCH_BY_ID: Final = "findings?search=Id%3D%255Coperator%255C%253AEQUALS%255C%253A"


def of_asff_finding(
    finding: object, event: Mapping[str, Any], name_of: NameOf = lambda _: None
) -> dict[str, str]:
    """Return the summary of a finding in the AWS Security Finding Format.

    Source: https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-findings-format.html
    """
    resource = _at(finding, "Resources", 0)
    return _of_finding(
        event,
        name_of,
        title=_at(finding, "Title"),
        description=_at(finding, "Description"),
        severity=_at(finding, "Severity", "Label"),
        account=_at(finding, "AwsAccountId"),
        account_name=_at(finding, "AwsAccountName"),
        region=_at(finding, "Region"),
        control=_at(finding, "Compliance", "SecurityControlId"),
        resource_type=_at(resource, "Type"),
        resource=_at(resource, "Id"),
        finding_id=_at(finding, "Id"),
        product=_at(finding, "ProductArn"),
    )


def of_ocsf_finding(
    finding: object, event: Mapping[str, Any], name_of: NameOf = lambda _: None
) -> dict[str, str]:
    """Return the summary of a finding in the Open Cybersecurity Schema Framework.

    Source: https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-ocsf-findings.html
    """
    resource = _at(finding, "resources", 0)
    return _of_finding(
        event,
        name_of,
        title=_at(finding, "finding_info", "title"),
        description=_at(finding, "finding_info", "desc"),
        severity=_at(finding, "severity"),
        account=_at(finding, "cloud", "account", "uid"),
        account_name=_at(finding, "cloud", "account", "name"),
        region=_at(finding, "cloud", "region"),
        control=_at(finding, "compliance", "control"),
        resource_type=_at(resource, "type"),
        resource=_at(resource, "uid_alt") or _at(resource, "uid"),
        finding_id=_at(finding, "finding_info", "uid"),
        product=_at(finding, "metadata", "product", "uid"),
    )


def of_insight_result(
    result: object, event: Mapping[str, Any], name_of: NameOf = lambda _: None
) -> dict[str, str]:
    """Return the summary of a result of an insight: an object with a value and its number of findings.

    Source: https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-cwe-event-formats.html
    """
    detail = event["detail"]
    value, count = next(iter(result.items()), ("", "")) if isinstance(result, dict) else (result, "")
    name, kind = _line(detail.get("insightName")), _line(detail.get("resultType"))
    insight, shown = _line(detail.get("insightArn")), _line(value)
    return _with_text(
        issue=_short(f"{insight}/{shown}"),
        title=_cut(f"{name}: {shown}", MAX_TITLE),
        description=_cut(f"{_line(count)} findings with {kind} {shown}", MAX_DESCRIPTION),
        severity=ABSENT,
        account=_line(event.get("account")),
        accountName=_line(name_of(_line(event.get("account")))),
        region=_line(event.get("region")),
        control=ABSENT,
        resourceType=kind,
        resource=shown,
        findingId=insight,
        product=ABSENT,
        link=_link(event, "insights"),
    )


def _of_finding(
    event: Mapping[str, Any],
    name_of: NameOf,
    *,
    title: object,
    description: object,
    severity: object,
    account: object,
    account_name: object,
    region: object,
    control: object,
    resource_type: object,
    resource: object,
    finding_id: object,
    product: object,
) -> dict[str, str]:
    identifier, number = _line(finding_id), _line(account or event.get("account"))
    shown = _cut(_line(title if _line(title) != ABSENT else finding_id), MAX_TITLE)
    text = _cut(str(description), MAX_DESCRIPTION) if _line(description) != ABSENT else shown
    return _with_text(
        issue=_short(identifier),
        title=shown,
        description=text,
        severity=_line(severity),
        account=number,
        accountName=_line(name_of(number) or account_name),
        region=_line(region or event.get("region")),
        control=_line(control),
        resourceType=_line(resource_type),
        resource=_line(resource),
        findingId=identifier,
        product=_line(product),
        link=_link(event, f"{_SEARCH_BY_ID}{quote(identifier, safe='', errors='replace')}"),
    )


def _with_text(**summary: str) -> dict[str, str]:
    """Add a text with all of it, for receivers with one field for it, and a deduplication string.

    Source: https://docs.aws.amazon.com/systems-manager/latest/userguide/OpsCenter-working-deduplication.html
    """
    lines = [f"{label}: {summary[name]}" for name, label in _LABELS.items() if summary[name] != ABSENT]
    return {
        **summary,
        "text": _cut("\n".join([summary["description"], "", *lines]), MAX_TEXT),
        "opsItemDedup": json.dumps({"dedupString": summary["issue"]}),
    }


def _at(value: object, *path: str | int) -> Any:  # noqa: ANN401 - JSON
    """Return what is at a path, or None."""
    for step in path:
        if isinstance(step, int):
            value = value[step] if isinstance(value, list) and len(value) > step else None
        else:
            value = value.get(step) if isinstance(value, dict) else None
    return value


def _line(value: object) -> str:
    """Return a text or a number on one line, or `ABSENT`."""
    is_shown = isinstance(value, str | int | float) and not isinstance(value, bool)
    return _cut(" ".join(str(value).split()) if is_shown else "", _MAX_LINE) or ABSENT


def _cut(text: str, limit: int) -> str:
    """Cut a text to a number of UTF-16 code units, which is how third parties count."""
    encoded = text.encode("utf-16-le", errors="surrogatepass")
    if len(encoded) <= 2 * limit:
        return text
    return encoded[: 2 * (limit - 1)].decode("utf-16-le", errors="ignore") + "…"


def _short(identifier: str) -> str:
    """Return an identifier, or if it's too long its hash."""
    return identifier if len(identifier) <= MAX_ISSUE else hashlib.sha256(_bytes(identifier)).hexdigest()


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", errors="surrogatepass")


def _link(event: Mapping[str, Any], page: str) -> str:
    """Return the URL of a page of the console of Security Hub CSPM where the event was sent.

    Where there is no public console, it's that of the service's page, because third parties refuse what isn't
    a URL.

    Sources:
        https://docs.aws.amazon.com/awsconsolehelpdocs/latest/gsg/select-region.html
        https://docs.aws.amazon.com/govcloud-us/latest/UserGuide/govcloud-console.html
        https://github.com/aws-solutions/automated-security-response-on-aws (its links to findings)
    """
    region = str(event.get("region"))
    domain = _CONSOLES.get(partition_of(event))
    if domain is None or not re.fullmatch(r"[a-z0-9-]+", region):
        return _WITHOUT_CONSOLE
    return f"https://{region}.{domain}/securityhub/home?region={region}#/{page}"


def partition_of(event: Mapping[str, Any]) -> str:
    """Return the partition of an event, from its ARNs or else from its Region.

    Source: https://docs.aws.amazon.com/whitepapers/latest/aws-fault-isolation-boundaries/partitions.html
    """
    resources = event.get("resources")
    for arn in resources if isinstance(resources, list) else ():
        if isinstance(arn, str) and (match := re.match(r"arn:(aws[a-z-]*):", arn)):
            return match[1]
    region = str(event.get("region"))
    prefixes = {"cn-": "aws-cn", "us-gov-": "aws-us-gov", "eusc-": "aws-eusc", "us-iso": "", "eu-iso": ""}
    return next((partition for start, partition in prefixes.items() if region.startswith(start)), "aws")
