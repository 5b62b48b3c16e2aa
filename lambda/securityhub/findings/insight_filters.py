"""Decides which findings an insight's filter matches, and asks for the findings of selected results.

GetFindings joins values of one attribute by OR, so a selected value can't be added to the filter of the
insight: it takes the place of what the filter says about that attribute. What was left out then is checked
here, for each finding.

Source: https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_AwsSecurityFindingFilters.html
Source: https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_StringFilter.html
Source: https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_MapFilter.html
Source: https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_DateRange.html
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import Enum, auto
from typing import Any, Final

MAX_ATTRIBUTES: Final = 10
"""The most attributes of a request."""

MAX_VALUES: Final = 20
"""The most values of an attribute in a request."""

Condition = Mapping[str, Any]
Filters = Mapping[str, Sequence[Condition]]


class Kind(Enum):
    """The kinds of attributes that findings are filtered by."""

    TEXT = auto()
    NUMBER = auto()
    DATE = auto()
    BOOLEAN = auto()
    MAP = auto()
    ADDRESS = auto()


# The attributes, in groups: what their names begin with, where the group is in a finding, and the rest of
# their names, which are the fields there. A list in between stands for each of its entries.
_GROUPS: Final = (
    (
        "",
        "",
        "ProductArn AwsAccountId Id GeneratorId Region FirstObservedAt LastObservedAt CreatedAt UpdatedAt "
        "Confidence Criticality Title Description SourceUrl ProductFields ProductName CompanyName "
        "UserDefinedFields VerificationState WorkflowState RecordState Sample AwsAccountName",
    ),
    ("Severity", "Severity", "Product Normalized Label"),
    ("Recommendation", "Remediation.Recommendation", "Text"),
    ("Malware", "Malware", "Name Type Path State"),
    (
        "Network",
        "Network",
        "Direction Protocol SourceIpV4 SourceIpV6 SourcePort SourceDomain SourceMac DestinationIpV4 "
        "DestinationIpV6 DestinationPort DestinationDomain",
    ),
    ("Process", "Process", "Name Path Pid ParentPid LaunchedAt TerminatedAt"),
    (
        "ThreatIntelIndicator",
        "ThreatIntelIndicators",
        "Type Value Category LastObservedAt Source SourceUrl",
    ),
    ("Resource", "Resources", "Type Id Partition Region Tags ApplicationName ApplicationArn Provider"),
    ("ResourceOwnerAccount", "Resources.Owner.Account", "Id"),
    ("ResourceOwnerOrg", "Resources.Owner.Org", "Id"),
    ("ResourceDetails", "Resources.Details", "Other"),
    (
        "ResourceAwsEc2Instance",
        "Resources.Details.AwsEc2Instance",
        "Type ImageId IpV4Addresses IpV6Addresses KeyName IamInstanceProfileArn VpcId SubnetId LaunchedAt",
    ),
    ("ResourceAwsS3Bucket", "Resources.Details.AwsS3Bucket", "OwnerId OwnerName"),
    (
        "ResourceAwsIamAccessKey",
        "Resources.Details.AwsIamAccessKey",
        "UserName PrincipalName Status CreatedAt",
    ),
    ("ResourceAwsIamUser", "Resources.Details.AwsIamUser", "UserName"),
    ("ResourceContainer", "Resources.Details.Container", "Name ImageId ImageName LaunchedAt"),
    ("Compliance", "Compliance", "Status SecurityControlId"),
    ("ComplianceAssociatedStandards", "Compliance.AssociatedStandards", "Id"),
    ("ComplianceSecurityControlParameters", "Compliance.SecurityControlParameters", "Name Value"),
    ("Workflow", "Workflow", "Status"),
    ("RelatedFindings", "RelatedFindings", "ProductArn Id"),
    ("Note", "Note", "Text UpdatedAt UpdatedBy"),
    ("FindingProviderFields", "FindingProviderFields", "Confidence Criticality Types"),
    (
        "FindingProviderFieldsRelatedFindings",
        "FindingProviderFields.RelatedFindings",
        "Id ProductArn",
    ),
    ("FindingProviderFieldsSeverity", "FindingProviderFields.Severity", "Label Original"),
    ("Vulnerabilities", "Vulnerabilities", "ExploitAvailable FixAvailable"),
)
_PATHS: Final[Mapping[str, tuple[str, ...]]] = {
    "Type": ("Types",),
    **{
        prefix + name: tuple(part for part in (*place.split("."), name) if part)
        for prefix, place, names in _GROUPS
        for name in names.split()
    },
    "ComplianceAssociatedStandardsId": ("Compliance", "AssociatedStandards", "StandardsId"),
}
_OTHER_THAN_TEXT: Final[Mapping[Kind, str]] = {
    Kind.NUMBER: "SeverityProduct SeverityNormalized Confidence Criticality NetworkSourcePort "
    "NetworkDestinationPort ProcessPid ProcessParentPid FindingProviderFieldsConfidence "
    "FindingProviderFieldsCriticality",
    Kind.DATE: "FirstObservedAt LastObservedAt CreatedAt UpdatedAt ProcessLaunchedAt ProcessTerminatedAt "
    "ThreatIntelIndicatorLastObservedAt ResourceAwsEc2InstanceLaunchedAt ResourceContainerLaunchedAt "
    "ResourceAwsIamAccessKeyCreatedAt NoteUpdatedAt",
    Kind.BOOLEAN: "Sample",
    Kind.MAP: "ProductFields UserDefinedFields ResourceTags ResourceDetailsOther",
    Kind.ADDRESS: "NetworkSourceIpV4 NetworkSourceIpV6 NetworkDestinationIpV4 NetworkDestinationIpV6 "
    "ResourceAwsEc2InstanceIpV4Addresses ResourceAwsEc2InstanceIpV6Addresses",
}
ATTRIBUTES: Final[Mapping[str, Kind]] = {
    **dict.fromkeys(_PATHS, Kind.TEXT),
    **{name: kind for kind, names in _OTHER_THAN_TEXT.items() for name in names.split()},
}
"""The attributes that findings can be filtered by here, which are all but the deprecated Keyword."""

_WANTED: Final[Mapping[str, Callable[[str, str], bool]]] = {
    "EQUALS": str.__eq__,
    "PREFIX": str.startswith,
    "CONTAINS": str.__contains__,
}
_UNWANTED: Final = {"NOT_EQUALS": "EQUALS", "PREFIX_NOT_EQUALS": "PREFIX", "NOT_CONTAINS": "CONTAINS"}
_BOUNDS: Final[Mapping[str, Callable[[float, float], bool]]] = {
    "Eq": lambda value, bound: value == bound,
    "Gte": lambda value, bound: value >= bound,
    "Gt": lambda value, bound: value > bound,
    "Lte": lambda value, bound: value <= bound,
    "Lt": lambda value, bound: value < bound,
}


class FilterNotUnderstoodError(ValueError):
    """A filter that can't be checked here, so that nothing is done for the findings that it matches."""


def selecting(attribute: str, values: Sequence[str]) -> list[Condition]:
    """Return the conditions that match findings with one of several values of an attribute.

    Raises:
        FilterNotUnderstoodError: No condition expresses that.
    """
    kind = _kind_of(attribute)
    if kind is Kind.TEXT:
        return [{"Value": value, "Comparison": "EQUALS"} for value in values]
    if kind is Kind.NUMBER:
        return [{"Eq": _number(attribute, value)} for value in values]
    if kind is Kind.BOOLEAN:
        return [{"Value": value.lower() == "true"} for value in values]
    raise FilterNotUnderstoodError(
        f"GetFindings can't be asked for the findings with one value of {attribute}, by which the insight "
        "groups them. Group by an attribute with texts or numbers, such as ResourceId."
    )


def requests_for(filters: Filters, attribute: str, values: Sequence[str]) -> Iterator[Filters]:
    """Yield the filters of the requests that return all findings of selected results, and perhaps others.

    Args:
        filters: The insight's filters.
        attribute: The attribute by which it groups findings.
        values: The values of the selected results.

    Raises:
        FilterNotUnderstoodError: No condition expresses one of the values.
    """
    others = {name: conditions for name, conditions in filters.items() if name != attribute}
    # An insight may have ten attributes beside the one that it groups by. What is left out is checked here.
    kept = dict(sorted(others.items())[: MAX_ATTRIBUTES - 1])
    for start in range(0, len(values), MAX_VALUES):
        yield {**kept, attribute: selecting(attribute, values[start : start + MAX_VALUES])}


def check(filters: Filters) -> None:
    """Make sure that `matches` can evaluate a filter.

    Raises:
        FilterNotUnderstoodError: It can't.
    """
    for attribute, conditions in filters.items():
        kind = _kind_of(attribute)
        for condition in conditions:
            if problem := _problem_of(kind, condition):
                raise FilterNotUnderstoodError(f"The insight's filter on {attribute} {problem}.")


def matches(finding: Mapping[str, object], filters: Filters) -> bool:
    """Return whether a finding, as GetFindings returns it, passes all attributes of a filter."""
    return all(
        _TESTS[ATTRIBUTES[attribute]](list(_values(finding, _PATHS[attribute])), conditions)
        for attribute, conditions in filters.items()
    )


def _kind_of(attribute: str) -> Kind:
    if attribute not in ATTRIBUTES:
        raise FilterNotUnderstoodError(
            f"The insight uses the attribute {attribute}, which isn't known here. Choose the findings in an "
            "insight without it."
        )
    return ATTRIBUTES[attribute]


def _problem_of(kind: Kind, condition: Condition) -> str | None:
    """Return what is wrong with a condition, as the end of a sentence."""
    if kind in (Kind.TEXT, Kind.MAP):
        comparison = condition.get("Comparison")
        known = comparison in _WANTED or comparison in _UNWANTED
        return None if known else f"has the comparison {comparison}, which isn't known here"
    if kind is Kind.ADDRESS:
        try:
            ipaddress.ip_network(condition.get("Cidr", ""), strict=False)
        except ValueError:
            return f"has the network {condition.get('Cidr')!r}, which can't be read"
    if kind is Kind.DATE:
        for bound in ("Start", "End"):
            if bound in condition and _moment(condition[bound]) is None:
                return f"has the time {condition[bound]!r}, which can't be read"
    return None


def _number(attribute: str, value: str) -> float:
    try:
        return float(value)
    except ValueError:
        raise FilterNotUnderstoodError(
            f"The insight has the result {value!r} for {attribute}, whose values are numbers."
        ) from None


def _values(node: object, path: Sequence[str]) -> Iterator[object]:
    if isinstance(node, Sequence) and not isinstance(node, str):
        for entry in node:
            yield from _values(entry, path)
    elif not path:
        yield node
    elif isinstance(node, Mapping) and path[0] in node:
        yield from _values(node[path[0]], path[1:])


def _texts_pass(texts_of: Callable[[Condition], Sequence[str]], conditions: Sequence[Condition]) -> bool:
    """Return whether all conditions against a text hold, and one of those for a text if there are any."""
    wanted: list[bool] = []
    unwanted: list[bool] = []
    for condition in conditions:
        name = str(condition["Comparison"])
        compare = _WANTED[_UNWANTED.get(name, name)]
        found = any(compare(text, condition["Value"]) for text in texts_of(condition))
        (unwanted if name in _UNWANTED else wanted).append(found)
    return not any(unwanted) and (any(wanted) or not wanted)


def _text_passes(values: Sequence[object], conditions: Sequence[Condition]) -> bool:
    texts = [str(value) for value in values]
    return _texts_pass(lambda _: texts, conditions)


def _map_passes(values: Sequence[object], conditions: Sequence[Condition]) -> bool:
    def texts_of(condition: Condition) -> Sequence[str]:
        key = condition["Key"]
        return [str(value[key]) for value in values if isinstance(value, Mapping) and key in value]

    return _texts_pass(texts_of, conditions)


def _number_passes(values: Sequence[object], conditions: Sequence[Condition]) -> bool:
    def holds(condition: Condition, value: float) -> bool:
        return all(_BOUNDS[name](value, bound) for name, bound in condition.items() if name in _BOUNDS)

    numbers = [value for value in values if isinstance(value, int | float)]
    return any(holds(condition, number) for condition in conditions for number in numbers)


def _date_passes(values: Sequence[object], conditions: Sequence[Condition]) -> bool:
    now = datetime.now(UTC)
    moments = [moment for value in values if (moment := _moment(value)) is not None]
    return any(_is_in(condition, moment, now) for condition in conditions for moment in moments)


def _is_in(condition: Condition, moment: datetime, now: datetime) -> bool:
    """Return whether a time is between the bounds of a condition, and as old as it says."""
    start, end = (_moment(condition.get(bound)) for bound in ("Start", "End"))
    if (start and moment < start) or (end and moment > end):
        return False
    if not (period := condition.get("DateRange")):
        return True
    # Compared as ages, because a start that is before the year 1 isn't a time.
    is_within = now - moment <= timedelta(days=min(period["Value"], timedelta.max.days))
    return is_within is (period.get("Comparison", "WITHIN") == "WITHIN")


def _boolean_passes(values: Sequence[object], conditions: Sequence[Condition]) -> bool:
    return any(value is condition.get("Value") for value in values for condition in conditions)


def _address_passes(values: Sequence[object], conditions: Sequence[Condition]) -> bool:
    networks = [ipaddress.ip_network(condition["Cidr"], strict=False) for condition in conditions]
    return any(address in network for address in _addresses(values) for network in networks)


def _addresses(values: Sequence[object]) -> Iterator[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    for value in values:
        try:
            yield ipaddress.ip_address(str(value))
        except ValueError:  # what isn't an address is in no network
            continue


def _moment(value: object) -> datetime | None:
    """Return a timestamp as a time with a time zone, UTC if it names none; None if it isn't a timestamp."""
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return moment.replace(tzinfo=moment.tzinfo or UTC) if moment else None


_TESTS: Final[Mapping[Kind, Callable[[Sequence[object], Sequence[Condition]], bool]]] = {
    Kind.TEXT: _text_passes,
    Kind.NUMBER: _number_passes,
    Kind.DATE: _date_passes,
    Kind.BOOLEAN: _boolean_passes,
    Kind.MAP: _map_passes,
    Kind.ADDRESS: _address_passes,
}
