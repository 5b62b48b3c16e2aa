"""Changes the findings that are there as an automation rule changes those that arrive."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from securityhub_actions.cli.aws import Aws
from securityhub_actions.cli.choosing import chosen
from securityhub_actions.cli.errors import CommandError
from securityhub_actions.cli.findings import MOST_VALUES, findings_like, ocsf_findings_like

BATCH: Final = 100
# The most fields of a filter of GetFindings.
# https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_AwsSecurityFindingFilters.html
_MOST_FIELDS: Final = 10
_NEW: Final = "New"
_IN_OCSF: Final = {"Comment": "comment", "SeverityId": "severity_id", "StatusId": "status_id"}
"""Where a finding in OCSF has what BatchUpdateFindingsV2 sets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveAutomationRule:
    """An automation rule of an account.

    Attributes:
        name: Its name.
        arn: Its ARN.
        is_v2: Whether it's one of the new Security Hub.
        is_enabled: Whether it's enabled.
        criteria: Its criteria, which are filters of GetFindings or GetFindingsV2.
        update: What it sets, as the update of findings takes it.
    """

    name: str
    arn: str
    is_v2: bool
    is_enabled: bool
    criteria: Mapping[str, Any]
    update: Mapping[str, Any]


def automation_rule(aws: Aws, given: str) -> LiveAutomationRule:
    """Find an automation rule of either hub by its name or ARN, or by a part of its name.

    Raises:
        CommandError: There is none, or several.
    """
    rules = [(one["RuleName"], one["RuleArn"], one) for one in _rules(aws)]
    found = chosen(given, rules, kind="automation rule", among=f"Automation rules in {aws.region}")
    return _described(aws, found)


def findings_of(aws: Aws, rule: LiveAutomationRule) -> Iterator[Mapping[str, Any]]:
    """Return the findings that meet the criteria of a rule as they are now.

    A rule of Security Hub CSPM acts in its own Region. The Region that aggregates has the findings of others,
    too, which its rules leave alone.

    Rules of the new Security Hub have no criterion for the status, because they act on what arrives. So only
    findings that are still New are returned for them.
    """
    if not rule.is_v2:
        yield from _findings_of_cspm(aws, rule)
        return
    for finding in ocsf_findings_like(aws, rule.criteria):
        if finding.get("status") == _NEW:
            yield finding


def _findings_of_cspm(aws: Aws, rule: LiveAutomationRule) -> Iterator[Mapping[str, Any]]:
    """Return the findings of a rule in its Region, each once."""
    region = rule.arn.split(":")[3]
    of_region: Mapping[str, Any] = {"Region": [{"Value": region, "Comparison": "EQUALS"}]}
    # First the ID, which the last step replaces by those of some findings.
    fields = sorted(rule.criteria, key=lambda name: name != "Id")
    if len(fields) >= _MOST_FIELDS:
        of_region = {}
    found = (
        finding
        for finding in _found_by(aws, rule, fields[:_MOST_FIELDS], of_region)
        if finding.get("Region", region) == region
    )
    # Those that the other fields don't match are left out, so many at a time as a filter takes IDs.
    while others := fields[_MOST_FIELDS:]:
        if not (some := list(itertools.islice(found, MOST_VALUES))):
            return
        ids: Mapping[str, Any] = {"Id": [{"Value": one["Id"], "Comparison": "EQUALS"} for one in some]}
        matching = {_identity(one) for one in _found_by(aws, rule, others, ids)}
        yield from (one for one in some if _identity(one) in matching)
    yield from found


def _found_by(
    aws: Aws, rule: LiveAutomationRule, fields: Sequence[str], also: Mapping[str, Any]
) -> Iterator[Mapping[str, Any]]:
    """Return the findings that meet the criteria of a rule for some fields, and other filters, each once."""
    seen: set[tuple[str, str]] = set()
    for filters in _filters_of(rule, fields):
        for finding in findings_like(aws, {**filters, **also}):
            if _identity(finding) not in seen:
                seen.add(_identity(finding))
                yield finding


def _identity(finding: Mapping[str, Any]) -> tuple[str, str]:
    return finding["ProductArn"], finding["Id"]


def _filters_of(rule: LiveAutomationRule, fields: Sequence[str]) -> Iterator[Mapping[str, Any]]:
    """Return filters of GetFindings that together find what the criteria say of some fields.

    Criteria can have 100 values of a field, and GetFindings takes 20.
    """
    parts = [_parts(rule, name, rule.criteria[name]) for name in fields]
    for part in itertools.product(*parts):
        yield dict(zip(fields, part, strict=True))


def _parts(rule: LiveAutomationRule, name: str, conditions: Sequence[Mapping[str, Any]]) -> list[list[Any]]:
    """Divide the conditions of a field, of which one that includes must match, and all that exclude."""
    if len(conditions) <= MOST_VALUES:
        return [[*conditions]]
    excluding = [one for one in conditions if "NOT_" in str(one.get("Comparison"))]
    including = [one for one in conditions if one not in excluding]
    room = MOST_VALUES - len(excluding)
    if room < 1:
        raise CommandError(
            f"The rule {rule.name} excludes {len(excluding)} values of {name}, and GetFindings takes "
            f"{MOST_VALUES}. It acts on what arrives; to apply it to existing findings, exclude fewer, for "
            "example by a prefix."
        )
    return [[*including[start : start + room], *excluding] for start in range(0, len(including), room)]


def still_as_shown(
    aws: Aws, rule: LiveAutomationRule, shown: Sequence[Mapping[str, Any]]
) -> list[Mapping[str, Any]]:
    """Return those of the findings that meet the criteria now, and in which nothing was set meanwhile.

    Only what the rule would write over counts as set, such as a note.

    Args:
        aws: The account.
        rule: The rule as it was when the findings were read.
        shown: The findings as they were read.

    Raises:
        CommandError: The rule has changed.
    """
    if automation_rule(aws, rule.arn) != rule:
        raise CommandError(
            f"The rule {rule.name} has changed since the question, so nothing was changed. Repeat the "
            "command to see what it would change now."
        )
    now = {_as_shown(rule, one) for one in findings_of(aws, rule)}
    return [one for one in shown if _as_shown(rule, one) in now]


def _as_shown(rule: LiveAutomationRule, finding: Mapping[str, Any]) -> str:
    """Return what identifies a finding, with the values that the rule would replace."""
    if rule.is_v2:
        values = [
            finding["metadata"]["uid"],
            *(finding.get(_IN_OCSF.get(name, name)) for name in rule.update),
        ]
    else:
        values = [finding.get(name) for name in ("Id", "ProductArn", *rule.update)]
    return json.dumps(values, sort_keys=True, default=str)


def apply(aws: Aws, rule: LiveAutomationRule, findings: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Change up to 100 findings, and return the ID of each that wasn't changed, with the reason."""
    hub = aws.client("securityhub")
    if rule.is_v2:
        uids = [finding["metadata"]["uid"] for finding in findings]
        answer = hub.batch_update_findings_v2(MetadataUids=uids, **rule.update)
        return [
            (str(one.get("MetadataUid") or one.get("FindingIdentifier")), _reason(one))
            for one in answer["UnprocessedFindings"]
        ]
    identifiers = [{name: finding[name] for name in ("Id", "ProductArn")} for finding in findings]
    answer = hub.batch_update_findings(FindingIdentifiers=identifiers, **rule.update)
    return [(one["FindingIdentifier"]["Id"], _reason(one)) for one in answer["UnprocessedFindings"]]


def _reason(unprocessed: Mapping[str, Any]) -> str:
    return f"{unprocessed.get('ErrorCode')}: {unprocessed.get('ErrorMessage')}"


def _rules(aws: Aws) -> list[Mapping[str, Any]]:
    """The rules of both hubs, of which an account may have one only."""
    from botocore.exceptions import ClientError  # noqa: PLC0415 - takes long to import

    rules: list[Mapping[str, Any]] = []
    refusals: list[Exception] = []
    for is_v2 in (False, True):
        try:
            rules += _rules_of_hub(aws, is_v2=is_v2)
        except ClientError as error:
            refusals.append(error)
    if len(refusals) > 1:
        raise refusals[0]
    return rules


def _rules_of_hub(aws: Aws, *, is_v2: bool) -> Iterator[Mapping[str, Any]]:
    hub = aws.client("securityhub")
    more: dict[str, str] = {}
    while True:
        page = hub.list_automation_rules_v2(**more) if is_v2 else hub.list_automation_rules(**more)
        yield from page["Rules" if is_v2 else "AutomationRulesMetadata"]
        if not page.get("NextToken"):
            return
        more = {"NextToken": page["NextToken"]}


def _described(aws: Aws, listed: Mapping[str, Any]) -> LiveAutomationRule:
    hub, arn = aws.client("securityhub"), listed["RuleArn"]
    is_v2 = "RuleId" in listed
    if is_v2:
        rule = hub.get_automation_rule_v2(Identifier=arn)
        criteria = rule["Criteria"]["OcsfFindingCriteria"]
    else:
        (rule,) = hub.batch_get_automation_rules(AutomationRulesArns=[arn])["Rules"]
        criteria = rule["Criteria"]
    update = next((action.get("FindingFieldsUpdate") for action in rule["Actions"]), None)
    if not update:
        raise CommandError(
            f"The rule {rule['RuleName']} changes no fields of findings, so nothing can be applied."
        )
    return LiveAutomationRule(
        name=rule["RuleName"],
        arn=arn,
        is_v2=is_v2,
        is_enabled=rule["RuleStatus"] == "ENABLED",
        criteria=criteria,
        update=update,
    )
