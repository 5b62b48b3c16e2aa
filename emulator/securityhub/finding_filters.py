"""AwsSecurityFindingFilters, for GetFindings and insights.

Source: https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_AwsSecurityFindingFilters.html
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from types import MappingProxyType
from typing import Final

from botocore.model import ListShape, StructureShape

from emulator.securityhub.model import Document, SecurityHubError, service_model

MAX_ATTRIBUTES: Final = 10
"""The most attributes of a filter."""

MAX_VALUES: Final = 20
"""The most values of each attribute."""

_MAX_DAYS: Final = timedelta.max.days

Path = tuple[str, ...]

# The instance details' own prefix, or one line would be too long to read.
_EC2: Path = ("Resources", "Details", "AwsEc2Instance")
_KEY: Path = ("Resources", "Details", "AwsIamAccessKey")
_BUCKET: Path = ("Resources", "Details", "AwsS3Bucket")
_CONTAINER: Path = ("Resources", "Details", "Container")
_PROVIDER: Path = ("FindingProviderFields",)

# Attributes whose path in a finding is not just their own name.
_PATHS: dict[str, Path] = {
    "Type": ("Types",),
    "SeverityProduct": ("Severity", "Product"),
    "SeverityNormalized": ("Severity", "Normalized"),
    "SeverityLabel": ("Severity", "Label"),
    "RecommendationText": ("Remediation", "Recommendation", "Text"),
    "MalwareName": ("Malware", "Name"),
    "MalwareType": ("Malware", "Type"),
    "MalwarePath": ("Malware", "Path"),
    "MalwareState": ("Malware", "State"),
    "NetworkDirection": ("Network", "Direction"),
    "NetworkProtocol": ("Network", "Protocol"),
    "NetworkSourceIpV4": ("Network", "SourceIpV4"),
    "NetworkSourceIpV6": ("Network", "SourceIpV6"),
    "NetworkSourcePort": ("Network", "SourcePort"),
    "NetworkSourceDomain": ("Network", "SourceDomain"),
    "NetworkSourceMac": ("Network", "SourceMac"),
    "NetworkDestinationIpV4": ("Network", "DestinationIpV4"),
    "NetworkDestinationIpV6": ("Network", "DestinationIpV6"),
    "NetworkDestinationPort": ("Network", "DestinationPort"),
    "NetworkDestinationDomain": ("Network", "DestinationDomain"),
    "ProcessName": ("Process", "Name"),
    "ProcessPath": ("Process", "Path"),
    "ProcessPid": ("Process", "Pid"),
    "ProcessParentPid": ("Process", "ParentPid"),
    "ProcessLaunchedAt": ("Process", "LaunchedAt"),
    "ProcessTerminatedAt": ("Process", "TerminatedAt"),
    "ThreatIntelIndicatorType": ("ThreatIntelIndicators", "Type"),
    "ThreatIntelIndicatorValue": ("ThreatIntelIndicators", "Value"),
    "ThreatIntelIndicatorCategory": ("ThreatIntelIndicators", "Category"),
    "ThreatIntelIndicatorLastObservedAt": ("ThreatIntelIndicators", "LastObservedAt"),
    "ThreatIntelIndicatorSource": ("ThreatIntelIndicators", "Source"),
    "ThreatIntelIndicatorSourceUrl": ("ThreatIntelIndicators", "SourceUrl"),
    "ResourceType": ("Resources", "Type"),
    "ResourceId": ("Resources", "Id"),
    "ResourcePartition": ("Resources", "Partition"),
    "ResourceRegion": ("Resources", "Region"),
    "ResourceTags": ("Resources", "Tags"),
    "ResourceAwsEc2InstanceType": (*_EC2, "Type"),
    "ResourceAwsEc2InstanceImageId": (*_EC2, "ImageId"),
    "ResourceAwsEc2InstanceIpV4Addresses": (*_EC2, "IpV4Addresses"),
    "ResourceAwsEc2InstanceIpV6Addresses": (*_EC2, "IpV6Addresses"),
    "ResourceAwsEc2InstanceKeyName": (*_EC2, "KeyName"),
    "ResourceAwsEc2InstanceIamInstanceProfileArn": (*_EC2, "IamInstanceProfileArn"),
    "ResourceAwsEc2InstanceVpcId": (*_EC2, "VpcId"),
    "ResourceAwsEc2InstanceSubnetId": (*_EC2, "SubnetId"),
    "ResourceAwsEc2InstanceLaunchedAt": (*_EC2, "LaunchedAt"),
    "ResourceAwsS3BucketOwnerId": (*_BUCKET, "OwnerId"),
    "ResourceAwsS3BucketOwnerName": (*_BUCKET, "OwnerName"),
    "ResourceAwsIamAccessKeyUserName": (*_KEY, "UserName"),
    "ResourceAwsIamAccessKeyPrincipalName": (*_KEY, "PrincipalName"),
    "ResourceAwsIamAccessKeyStatus": (*_KEY, "Status"),
    "ResourceAwsIamAccessKeyCreatedAt": (*_KEY, "CreatedAt"),
    "ResourceAwsIamUserUserName": ("Resources", "Details", "AwsIamUser", "UserName"),
    "ResourceContainerName": (*_CONTAINER, "Name"),
    "ResourceContainerImageId": (*_CONTAINER, "ImageId"),
    "ResourceContainerImageName": (*_CONTAINER, "ImageName"),
    "ResourceContainerLaunchedAt": (*_CONTAINER, "LaunchedAt"),
    "ResourceDetailsOther": ("Resources", "Details", "Other"),
    "ResourceApplicationName": ("Resources", "ApplicationName"),
    "ResourceApplicationArn": ("Resources", "ApplicationArn"),
    "ResourceOwnerAccountId": ("Resources", "Owner", "Account", "Id"),
    "ResourceOwnerOrgId": ("Resources", "Owner", "Org", "Id"),
    "ResourceProvider": ("Resources", "Provider"),
    "ComplianceStatus": ("Compliance", "Status"),
    "ComplianceSecurityControlId": ("Compliance", "SecurityControlId"),
    "ComplianceAssociatedStandardsId": ("Compliance", "AssociatedStandards", "StandardsId"),
    "ComplianceSecurityControlParametersName": ("Compliance", "SecurityControlParameters", "Name"),
    "ComplianceSecurityControlParametersValue": ("Compliance", "SecurityControlParameters", "Value"),
    "WorkflowStatus": ("Workflow", "Status"),
    "RelatedFindingsProductArn": ("RelatedFindings", "ProductArn"),
    "RelatedFindingsId": ("RelatedFindings", "Id"),
    "NoteText": ("Note", "Text"),
    "NoteUpdatedAt": ("Note", "UpdatedAt"),
    "NoteUpdatedBy": ("Note", "UpdatedBy"),
    "FindingProviderFieldsConfidence": (*_PROVIDER, "Confidence"),
    "FindingProviderFieldsCriticality": (*_PROVIDER, "Criticality"),
    "FindingProviderFieldsRelatedFindingsId": (*_PROVIDER, "RelatedFindings", "Id"),
    "FindingProviderFieldsRelatedFindingsProductArn": (*_PROVIDER, "RelatedFindings", "ProductArn"),
    "FindingProviderFieldsSeverityLabel": (*_PROVIDER, "Severity", "Label"),
    "FindingProviderFieldsSeverityOriginal": (*_PROVIDER, "Severity", "Original"),
    "FindingProviderFieldsTypes": (*_PROVIDER, "Types"),
    "VulnerabilitiesExploitAvailable": ("Vulnerabilities", "ExploitAvailable"),
    "VulnerabilitiesFixAvailable": ("Vulnerabilities", "FixAvailable"),
}

_POSITIVE: dict[str, Callable[[str, str], bool]] = {
    "EQUALS": lambda value, wanted: value == wanted,
    "PREFIX": lambda value, wanted: value.startswith(wanted),
    "CONTAINS": lambda value, wanted: wanted in value,
}
_NEGATIVE: Final = {"NOT_EQUALS": "EQUALS", "PREFIX_NOT_EQUALS": "PREFIX", "NOT_CONTAINS": "CONTAINS"}
_NUMBER: dict[str, Callable[[float, float], bool]] = {
    "Eq": lambda value, limit: value == limit,
    "Gte": lambda value, limit: value >= limit,
    "Lte": lambda value, limit: value <= limit,
    "Gt": lambda value, limit: value > limit,
    "Lt": lambda value, limit: value < limit,
}


def values_of(finding: Document, attribute: str) -> list[object]:
    """The values of a filter attribute in a finding: several if the path leads through a list."""
    return values_at(finding, _PATHS.get(attribute, (attribute,)))


def values_at(finding: Document, path: Iterable[str]) -> list[object]:
    """The values at a path in a finding of either format, with the entries of lists one by one."""
    nodes: list[object] = [finding]
    for key in path:
        children = [node[key] for node in nodes if isinstance(node, dict) and key in node]
        nodes = [leaf for child in children for leaf in (child if isinstance(child, list) else [child])]
    return nodes


def attributes_of_kind(kind: str) -> frozenset[str]:
    """The filter attributes of one kind, such as `StringFilter`."""
    return frozenset(name for name, of_kind in _kinds().items() if of_kind == kind)


def check(filters: Document) -> None:
    """Refuse a filter that AWS refuses or that the embedded AWS can't evaluate. None is silently ignored.

    Args:
        filters: AwsSecurityFindingFilters whose shapes have been checked against the model.

    Raises:
        SecurityHubError: InvalidInputException that says what is wrong.
    """
    if len(filters) > MAX_ATTRIBUTES:
        raise _invalid(f"Filters may name up to {MAX_ATTRIBUTES} attributes, but name {len(filters)}")
    check_attributes(filters)


def check_attributes(filters: Document, *, most_values: Mapping[str, int] = MappingProxyType({})) -> None:
    """Refuse attributes and values of a filter, or of an automation rule's criteria, that AWS refuses.

    Args:
        filters: The filter, whose shapes have been checked against the model.
        most_values: The most values of attributes that may have others than `MAX_VALUES`.

    Raises:
        SecurityHubError: InvalidInputException that says what is wrong.
    """
    kinds = _kinds()
    for attribute, conditions in filters.items():
        if attribute not in kinds:
            raise _invalid(f"Filters.{attribute} is not an attribute to filter by")
        if kinds[attribute] not in KINDS:
            raise _invalid(f"Filters.{attribute} is deprecated and not emulated: filter by another attribute")
        most = most_values.get(attribute, MAX_VALUES)
        if not 1 <= len(conditions) <= most:
            raise _invalid(f"Filters.{attribute} must have 1 to {most} values, but has {len(conditions)}")
        KINDS[kinds[attribute]].check(f"Filters.{attribute}", conditions)


def matches(finding: Document, filters: Document) -> bool:
    """Whether a finding passes every attribute of a filter that `check` has accepted."""
    kinds = _kinds()
    return all(
        KINDS[kinds[attribute]].matches(values_of(finding, attribute), conditions)
        for attribute, conditions in filters.items()
    )


def sort(findings: Sequence[Document], criteria: Iterable[Document]) -> list[Document]:
    """Sort findings by SortCriteria, the first criterion first; a finding without the attribute comes first.

    Raises:
        SecurityHubError: InvalidInputException where a criterion's `Field` is no attribute.
    """
    ordered = list(findings)
    for criterion in reversed(list(criteria)):
        field = criterion.get("Field", "")
        if field not in _kinds():
            raise _invalid(f"SortCriteria Field must be an attribute to filter by, but is {field!r}")
        ordered.sort(
            key=lambda finding, field=field: sort_key(values_of(finding, field)),  # type: ignore[misc]
            reverse=criterion.get("SortOrder") == "desc",
        )
    return ordered


def sort_key(values: list[object]) -> tuple[int, float, str]:
    """What a finding is sorted by, from the values of an attribute."""
    if not values:
        return (0, 0.0, "")
    first = values[0]
    return (1, float(first), "") if isinstance(first, int | float) else (1, 0.0, str(first))


@cache
def _kinds() -> dict[str, str]:
    shape = service_model().shape_for("AwsSecurityFindingFilters")
    assert isinstance(shape, StructureShape)  # noqa: S101 - narrows the type, the model says so
    return {
        name: member.member.name for name, member in shape.members.items() if isinstance(member, ListShape)
    }


def _check_texts(where: str, conditions: list[Document], required: frozenset[str]) -> None:
    for condition in conditions:
        if missing := required - condition.keys():
            raise _invalid(f"{where} needs {' and '.join(sorted(missing))}")
    _check_comparisons(where, {condition["Comparison"] for condition in conditions})


def _check_strings(where: str, conditions: list[Document]) -> None:
    _check_texts(where, conditions, frozenset({"Value", "Comparison"}))


def _check_maps(where: str, conditions: list[Document]) -> None:
    _check_texts(where, conditions, frozenset({"Key", "Value", "Comparison"}))


def _check_numbers(where: str, conditions: list[Document]) -> None:
    if not all(condition.keys() & _NUMBER.keys() for condition in conditions):
        raise _invalid(f"{where} needs one of {', '.join(_NUMBER)}")


def _check_dates(where: str, conditions: list[Document]) -> None:
    for condition in conditions:
        if not condition.keys() & {"Start", "End", "DateRange"}:
            raise _invalid(f"{where} needs Start, End or DateRange")
        for bound in ("Start", "End"):
            if bound in condition:
                _moment(condition[bound], f"{where} {bound}")
        days = condition.get("DateRange", {"Value": 0}).get("Value")
        if days is None or abs(days) > _MAX_DAYS:
            raise _invalid(f"{where} DateRange needs a Value of up to {_MAX_DAYS} days, but has {days}")


def _check_booleans(where: str, conditions: list[Document]) -> None:
    if not all("Value" in condition for condition in conditions):
        raise _invalid(f"{where} needs Value")


def _check_addresses(where: str, conditions: list[Document]) -> None:
    for condition in conditions:
        try:
            ipaddress.ip_network(condition.get("Cidr", ""), strict=False)
        except ValueError as problem:
            raise _invalid(f"{where} Cidr: {problem}") from problem


def _check_comparisons(where: str, used: set[str]) -> None:
    if unknown := used - _POSITIVE.keys() - _NEGATIVE.keys():
        raise _invalid(f"{where}: {', '.join(sorted(unknown))} works only in the V2 operations")
    if used & {"CONTAINS", "NOT_CONTAINS"} and len(used) > 1:
        raise _invalid(f"{where}: CONTAINS and NOT_CONTAINS cannot be combined with another comparison")
    if "EQUALS" in used and used & {"NOT_EQUALS", "PREFIX_NOT_EQUALS"}:
        raise _invalid(f"{where}: EQUALS cannot be combined with NOT_EQUALS or PREFIX_NOT_EQUALS")


def _matches_strings(values: list[object], conditions: list[Document]) -> bool:
    texts = [str(value) for value in values]
    return _matches_texts([(condition, texts) for condition in conditions])


def _matches_maps(values: list[object], conditions: list[Document]) -> bool:
    maps = [value for value in values if isinstance(value, dict)]
    return _matches_texts(
        [
            (condition, [str(entry[condition["Key"]]) for entry in maps if condition["Key"] in entry])
            for condition in conditions
        ]
    )


def _matches_texts(conditions: list[tuple[Document, list[str]]]) -> bool:
    """AWS's rule: the positive comparisons are joined by OR, the negative ones by AND, and both must hold."""
    positive = [
        any(_POSITIVE[condition["Comparison"]](text, condition["Value"]) for text in texts)
        for condition, texts in conditions
        if condition["Comparison"] in _POSITIVE
    ]
    negative = [
        not any(_POSITIVE[_NEGATIVE[condition["Comparison"]]](text, condition["Value"]) for text in texts)
        for condition, texts in conditions
        if condition["Comparison"] in _NEGATIVE
    ]
    return (any(positive) or not positive) and all(negative)


def _matches_numbers(values: list[object], conditions: list[Document]) -> bool:
    return any(
        all(_NUMBER[operator](value, limit) for operator, limit in condition.items() if operator in _NUMBER)
        for value in values
        if isinstance(value, int | float)
        for condition in conditions
    )


def _matches_dates(values: list[object], conditions: list[Document]) -> bool:
    moments = [moment for value in values if (moment := _parsed(str(value)))]
    return any(_in_period(moment, condition) for moment in moments for condition in conditions)


def _in_period(moment: datetime, condition: Document) -> bool:
    if "Start" in condition and moment < _moment(condition["Start"], "Start"):
        return False
    if "End" in condition and moment > _moment(condition["End"], "End"):
        return False
    if "DateRange" not in condition:
        return True
    period = condition["DateRange"]
    # Compared as ages: a start that lies before year 1 has no datetime.
    recent = datetime.now(UTC) - moment <= timedelta(days=period["Value"])
    return recent is (period.get("Comparison", "WITHIN") == "WITHIN")


def _matches_booleans(values: list[object], conditions: list[Document]) -> bool:
    return any(value == condition.get("Value") for value in values for condition in conditions)


def _matches_addresses(values: list[object], conditions: list[Document]) -> bool:
    networks = [ipaddress.ip_network(condition["Cidr"], strict=False) for condition in conditions]
    addresses = []
    for value in values:
        # A finding's addresses are free text, and a text that is none is in no network.
        with suppress(ValueError):
            addresses.append(ipaddress.ip_address(str(value)))
    return any(address in network for address in addresses for network in networks)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """How the filters of one kind are checked and matched."""

    check: Callable[[str, list[Document]], None]
    matches: Callable[[list[object], list[Document]], bool]


KINDS: Final = {
    "StringFilter": Kind(check=_check_strings, matches=_matches_strings),
    "NumberFilter": Kind(check=_check_numbers, matches=_matches_numbers),
    "DateFilter": Kind(check=_check_dates, matches=_matches_dates),
    "BooleanFilter": Kind(check=_check_booleans, matches=_matches_booleans),
    "MapFilter": Kind(check=_check_maps, matches=_matches_maps),
    "IpFilter": Kind(check=_check_addresses, matches=_matches_addresses),
}
"""The kinds of filters, by their names in the model."""


def _moment(timestamp: str, where: str) -> datetime:
    moment = _parsed(timestamp)
    if moment is None:
        raise _invalid(f"{where} must be an ISO 8601 timestamp, but is {timestamp!r}")
    return moment


def _parsed(timestamp: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(timestamp)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _invalid(message: str) -> SecurityHubError:
    return SecurityHubError("InvalidInputException", message)
