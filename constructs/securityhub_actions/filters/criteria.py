"""Translates filters for findings to the criteria of Security Hub's automation rules.

A rule's criteria can say less than an event pattern. What they can't say exactly is refused, because a rule
that suppresses more findings than its filter says hides problems that nobody has looked at.

Source: https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_AutomationRulesFindingFilters.html
Source: https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_StringFilter.html
Source: https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_OcsfFindingFilters.html
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias

from securityhub_actions.filters.base import BaseFilter
from securityhub_actions.filters.comparisons import (
    number_ranges,
    passing_labels,
    string_comparisons,
    tag_comparisons,
)
from securityhub_actions.filters.finding_filter import FindingFilter
from securityhub_actions.filters.ocsf_finding_filter import OcsfFindingFilter
from securityhub_actions.patterns import Condition, Exact

Criteria: TypeAlias = dict[str, Any]
_Fault: TypeAlias = tuple[str, object, str]
_Filters: TypeAlias = list[dict[str, Any]]

# The names of the criteria for the fields of FindingFilter. Normalized severities and Regions have none.
_CRITERIA: Final[Mapping[str, str]] = {
    "severity": "SeverityLabel",
    "workflow_status": "WorkflowStatus",
    "record_state": "RecordState",
    "compliance_status": "ComplianceStatus",
    "control_ids": "ComplianceSecurityControlId",
    "standards": "ComplianceAssociatedStandardsId",
    "product_name": "ProductName",
    "product_arn": "ProductArn",
    "account_ids": "AwsAccountId",
    "types": "Type",
    "title": "Title",
    "generator_id": "GeneratorId",
    "criticality": "Criticality",
    "confidence": "Confidence",
    "resource_type": "ResourceType",
    "resource_id": "ResourceId",
}
_KEYED: Final = {"resource_tags": "ResourceTags", "user_defined_fields": "UserDefinedFields"}
_MISSING: Final[Mapping[str, str]] = {
    "severity_score": "a rule's criteria have no normalized severity; use severity",
    "regions": "a rule's criteria have no Region, because a rule of Security Hub CSPM acts in its own Region "
    "only; remove it, and create the rule in each of the Regions",
}
# In the new Security Hub, a rule compares the severity that the product gave, which is what arrives.
# https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-securityhub-automationrulev2-ocsfstringfilter.html
# https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-securityhub-automationrulev2-ocsfnumberfilter.html
_CRITERIA_V2: Final[Mapping[str, str]] = {
    "severity": "vendor_attributes.severity",
    "severity_id": "vendor_attributes.severity_id",
}
_NEW: Final = (Exact("New"),)
_MISSING_V2: Final[Mapping[str, str]] = {
    "generator": "the criteria of a rule of the new Security Hub have no generator; use control_ids or title",
    "status": "the criteria of a rule of the new Security Hub have no status, because it acts on what "
    "arrives; use New, the default, which counts as any",
}
# Every finding has these, so that to exclude a value means the same in a pattern and in criteria.
_ALWAYS_PRESENT: Final = frozenset(
    {
        *("severity", "workflow_status", "record_state", "product_arn", "product_name", "account_ids"),
        *("title", "generator_id", "resource_type", "resource_id"),
    }
)
_ALWAYS_PRESENT_V2: Final = frozenset(
    {
        *("severity", "severity_id", "status", "activity_name", "class_name", "product_uid", "account_ids"),
        *("regions", "title", "finding_uid", "resource_type", "resource_id"),
    }
)
_MAX_VALUES: Final = 20
_MAX_VALUES_OF: Final[Mapping[str, int]] = {
    "AwsAccountId": 100,
    "GeneratorId": 100,
    "ResourceId": 100,
    "Title": 100,
}
# The most composite filters, and the most filters of a type in each.
# https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_OcsfFindingFilters.html
# https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-properties-securityhub-automationrulev2-compositefilter.html
_MAX_COMPOSITES: Final = 10
_MAX_OF_COMPOSITE: Final = 20
_RESOURCE: Final = ("resource_type", "resource_id", "resource_tags")


class InexpressibleFilterError(ValueError):
    """A filter says what the criteria of an automation rule can't say.

    Attributes:
        faults: The name of each field that can't be expressed, its value, and why not.
    """

    def __init__(self, faults: Sequence[_Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("; ".join(f"{name}: {reason}" for name, _, reason in self.faults))


def criteria_of(findings: FindingFilter | OcsfFindingFilter) -> Criteria:
    """Return the criteria that a finding meets exactly if it matches the filter.

    Args:
        findings: A filter. `FindingFilter` becomes the `Criteria` of `AWS::SecurityHub::AutomationRule`,
            `OcsfFindingFilter` those of `AWS::SecurityHub::AutomationRuleV2`.

    Returns:
        The criteria in the form of the API and of CloudFormation.

    Raises:
        InexpressibleFilterError: The criteria can't say what the filter says, or the filter says nothing.
    """
    if isinstance(findings, FindingFilter):
        return _AsffCriteria(findings).build()
    return _OcsfCriteria(findings).build()


def fields_of(criteria: Criteria) -> set[str]:
    """Return the fields by which criteria choose findings, as :func:`criteria_of` writes them."""
    if "OcsfFindingCriteria" not in criteria:
        return set(criteria)
    return {
        one["FieldName"]
        for composite in criteria["OcsfFindingCriteria"]["CompositeFilters"]
        for filters in composite.values()
        if isinstance(filters, list)
        for one in filters
    }


class _Builder:
    """What the criteria of both formats have in common."""

    _always_present: frozenset[str]
    _is_cspm: bool

    def __init__(self, findings: BaseFilter) -> None:
        self._findings = findings
        self._faults: list[_Fault] = []

    def _refuse(self, missing: Mapping[str, str]) -> None:
        """Note a fault for each field that has no criterion."""
        for name, reason in missing.items():
            wanted = getattr(self._findings, name)
            if wanted is None:
                continue
            if name == "status" and self._findings.fields[name].conditions(name, wanted) == _NEW:
                continue
            self._faults.append((name, wanted, reason))

    def _check(self, criteria: Criteria) -> Criteria:
        self._check_resource()
        if not criteria and not self._faults:
            self._faults.append(
                (
                    "findings",
                    "{}",
                    "the filter matches every finding, but a rule needs at least one criterion",
                )
            )
        if self._faults:
            raise InexpressibleFilterError(self._faults)
        return criteria

    def _check_resource(self) -> None:
        """Conditions of a pattern must match in one resource; criteria may match in several."""
        used = [name for name in _RESOURCE if getattr(self._findings, name)]
        tags = getattr(self._findings, "resource_tags", {})
        if len(used) > 1 or len(tags) > 1:
            what = " and ".join(used) if len(used) > 1 else "several tags"
            self._faults.append(
                (
                    used[-1],
                    getattr(self._findings, used[-1]),
                    f"{what} must match the same resource, but a rule's criteria also match a finding with "
                    "one on one resource and the other on another. Use one of them",
                )
            )

    def _comparisons(self, left_out: Collection[str]) -> Iterator[tuple[str, str, _Filters]]:
        """The name of each field with conditions, the kind of its filters, and the filters."""
        for name, field in self._findings.fields.items():
            wanted = getattr(self._findings, name)
            if wanted is None or name in left_out:
                continue
            conditions = field.conditions(name, wanted)
            try:
                if field.labels:
                    found = passing_labels(
                        conditions, field.labels, is_always_present=name in self._always_present
                    )
                    yield name, "String", [{"Value": one, "Comparison": "EQUALS"} for one in found]
                elif field.numbers:
                    yield (
                        name,
                        "Number",
                        number_ranges(
                            conditions,
                            range(field.numbers[0], field.numbers[1] + 1),
                            is_always_present=name in self._always_present,
                        ),
                    )
                else:
                    yield name, "String", self._strings(name, conditions)
            except ValueError as error:
                self._faults.append((name, wanted, str(error)))

    def _strings(self, name: str, conditions: Sequence[Condition]) -> _Filters:
        return string_comparisons(
            conditions,
            is_always_present=name in self._always_present,
            can_exclude_parts=self._is_cspm,
        )

    def _keyed(self, name: str) -> _Filters:
        """The filters for fields with user-defined keys, of which a rule's criteria can match one."""
        table = getattr(self._findings, name)
        path = ("Resources", "Tags") if name == "resource_tags" else ("UserDefinedFields",)
        filters: _Filters = []
        for key, wanted in table.items():
            try:
                conditions = self._conditions_for_key(path, key)
                filters += [
                    {"Key": key, **one} for one in tag_comparisons(conditions, can_contain=self._is_cspm)
                ]
            except ValueError as error:
                self._faults.append((f"{name}[{key!r}]", wanted, str(error)))
        if name != "resource_tags" and len(table) > 1:
            self._faults.append(
                (name, table, "a rule's criteria match if one of several keys matches. Use one key")
            )
        return filters

    def _conditions_for_key(self, path: tuple[str, ...], key: str) -> Sequence[Condition]:
        return self._findings.conditions_by_path()[*path, key]

    def _limit(self, name: str, filters: _Filters, most: int) -> None:
        if len(filters) > most:
            self._faults.append(
                (
                    name,
                    getattr(self._findings, name),
                    f"it becomes {len(filters)} values, but a rule's criteria allow {most}. Create several "
                    "rules, or use a prefix",
                )
            )


class _AsffCriteria(_Builder):
    _always_present = _ALWAYS_PRESENT
    _is_cspm = True

    def build(self) -> Criteria:
        criteria: Criteria = {}
        self._refuse(_MISSING)
        for name, _, filters in self._comparisons(_MISSING):
            self._limit(name, filters, _MAX_VALUES_OF.get(_CRITERIA[name], _MAX_VALUES))
            if filters:
                criteria[_CRITERIA[name]] = filters
        for name, criterion in _KEYED.items():
            if filters := self._keyed(name):
                self._limit(name, filters, _MAX_VALUES)
                criteria[criterion] = filters
        return self._check(dict(sorted(criteria.items())))


class _OcsfCriteria(_Builder):
    _always_present = _ALWAYS_PRESENT_V2
    _is_cspm = False

    def build(self) -> Criteria:
        """Build one composite filter for what is alone, and one for each field with several values."""
        together: dict[str, _Filters] = {}
        composites: list[Criteria] = []
        for name, kind, filters in self._named():
            is_exclusion = any(one["Filter"].get("Comparison", "").find("NOT_") >= 0 for one in filters)
            if len(filters) == 1 or is_exclusion:
                together.setdefault(kind, []).extend(filters)
            elif filters:
                composites.append({kind: filters, "Operator": "OR"})
            self._limit(name, filters, _MAX_VALUES)
        composites = [*_all_of(together), *composites]
        if len(composites) > _MAX_COMPOSITES:
            self._faults.append(
                (
                    "findings",
                    self._findings,
                    f"it needs {len(composites)} composite filters, one for each field with several values "
                    f"and one for the rest, but a rule's criteria allow {_MAX_COMPOSITES}",
                )
            )
        found = {"CompositeFilters": composites, "CompositeOperator": "AND"} if composites else {}
        return {"OcsfFindingCriteria": self._check(found)}

    def _named(self) -> Iterator[tuple[str, str, _Filters]]:
        self._refuse(_MISSING_V2)
        for name, kind, filters in self._comparisons(_MISSING_V2):
            path = _CRITERIA_V2.get(name, self._findings.fields[name].path)
            yield name, f"{kind}Filters", [{"FieldName": path, "Filter": one} for one in filters]
        tags = self._keyed("resource_tags")
        yield "resource_tags", "MapFilters", [{"FieldName": "resources.tags", "Filter": one} for one in tags]

    def _conditions_for_key(self, path: tuple[str, ...], key: str) -> Sequence[Condition]:
        del path, key
        return self._findings.conditions_by_path()["resources", "tags", "value"]


def _all_of(together: Mapping[str, _Filters]) -> Iterator[Criteria]:
    """The composite filters for conditions that must all be met, by their type."""
    most = max(map(len, together.values()), default=0)
    for start in range(0, most, _MAX_OF_COMPOSITE):
        parts = {kind: filters[start : start + _MAX_OF_COMPOSITE] for kind, filters in together.items()}
        yield {**{kind: part for kind, part in parts.items() if part}, "Operator": "AND"}
