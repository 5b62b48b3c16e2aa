"""Parses EventBridge events, as Lambda functions receive them, into the types of `model`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Final, TypedDict, TypeVar

from securityhub.events.fields import (
    MalformedEventError,
    as_count,
    as_object,
    as_text,
    optional_array,
    optional_object,
    optional_text,
    optional_timestamp,
    required_account,
    required_array,
    required_object,
    required_text,
    required_timestamp,
)
from securityhub.events.model import (
    CustomActionEvent,
    Finding,
    ImportedFindingsEvent,
    ImportedFindingsV2Event,
    InsightResult,
    InsightResultsEvent,
    MalformedItem,
    OcsfFinding,
    Resource,
)

SecurityHubEvent = CustomActionEvent | InsightResultsEvent | ImportedFindingsEvent | ImportedFindingsV2Event

_SOURCE: Final = "aws.securityhub"
# What `securityhub-actions press` sends to a bus whose policy says who may: EventBridge accepts sources that
# start with `aws.` only from AWS services. Only a rule on such a bus matches it. The findings in it are what
# that principal sent, and no more trustworthy than those that any account can import.
_PRESS_SOURCE: Final = "securityhub-actions.press"
# It doesn't match `global` and `aws-global`, which resources without a Region have.
_REGION: Final = re.compile(r"[a-z]{2,4}(-[a-z]+)+-[0-9]+")
_ACTION_ARN: Final = re.compile(r"arn:[^:\s]+:securityhub:[^:\s]+:[0-9]{12}:action/custom/\S+")

_Item = TypeVar("_Item")


def parse_event(event: object) -> SecurityHubEvent:
    """Parse one of Security Hub's four EventBridge events, without changing it.

    A finding or insight result that can't be read doesn't affect the others: it becomes a `MalformedItem`,
    which the caller reports.

    Args:
        event: The decoded JSON of the event, as a Lambda function receives it.

    Returns:
        The event, in the type for its `detail-type`.

    Raises:
        MalformedEventError: The envelope, or a field that the whole event depends on, isn't as documented.

    Source: https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-cwe-event-formats.html
    Source: https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-v2-cwe-event-formats.html
    """
    envelope = as_object(event, "$")
    source = required_text(envelope, "source", "$")
    builders = {_SOURCE: _BUILDERS, _PRESS_SOURCE: _BUILDERS_OF_PRESSES}.get(source)
    if builders is None:
        raise MalformedEventError(path="$.source", given=source, allowed=f"'{_SOURCE}' or '{_PRESS_SOURCE}'")
    detail_type = required_text(envelope, "detail-type", "$")
    build = builders.get(detail_type)
    if build is None:
        allowed = "one of " + ", ".join(f"'{known}'" for known in builders)
        raise MalformedEventError(path="$.detail-type", given=detail_type, allowed=allowed)
    return build(_parse_envelope(envelope), required_object(envelope, "detail", "$"))


def parse_finding(finding: object) -> Finding:
    """Parse one finding in the AWS Security Finding Format, as GetFindings returns it.

    Raises:
        MalformedEventError: A required field is missing or invalid.
    """
    return _parse_asff(as_object(finding, "$"), "$")


class _Envelope(TypedDict):
    event_id: str
    account: str
    region: str
    time: datetime
    resources: tuple[str, ...]


def _parse_envelope(envelope: Mapping[str, object]) -> _Envelope:
    resources = required_array(envelope, "resources", "$")
    return _Envelope(
        event_id=required_text(envelope, "id", "$"),
        account=required_account(envelope, "account", "$"),
        region=required_text(envelope, "region", "$"),
        time=required_timestamp(envelope, "time", "$"),
        resources=tuple(as_text(item, f"$.resources[{index}]") for index, item in enumerate(resources)),
    )


def _parse_custom_action(envelope: _Envelope, detail: Mapping[str, object]) -> CustomActionEvent:
    action_arn = _find_action_arn(envelope["resources"])
    if action_arn is None:
        raise MalformedEventError(
            path="$.resources",
            given=envelope["resources"],
            allowed="an array with a custom action's ARN (arn:PARTITION:securityhub:...:action/custom/ID)",
        )
    findings, malformed = _parse_findings(detail, _parse_asff)
    return CustomActionEvent(
        **envelope,
        action_arn=action_arn,
        action_name=required_text(detail, "actionName", "$.detail"),
        action_description=optional_text(detail, "actionDescription", "$.detail") or "",
        findings=findings,
        malformed_findings=malformed,
    )


def _parse_insight_results(envelope: _Envelope, detail: Mapping[str, object]) -> InsightResultsEvent:
    results, malformed = _partition(
        required_array(detail, "insightResults", "$.detail"), "$.detail.insightResults", _parse_insight_result
    )
    return InsightResultsEvent(
        **envelope,
        action_arn=_find_action_arn(envelope["resources"]),
        action_name=required_text(detail, "actionName", "$.detail"),
        action_description=optional_text(detail, "actionDescription", "$.detail") or "",
        insight_arn=required_text(detail, "insightArn", "$.detail"),
        insight_name=required_text(detail, "insightName", "$.detail"),
        result_type=required_text(detail, "resultType", "$.detail"),
        number_of_results=_parse_number_of_results(detail),
        results=results,
        malformed_results=malformed,
    )


def _parse_imported(envelope: _Envelope, detail: Mapping[str, object]) -> ImportedFindingsEvent:
    findings, malformed = _parse_findings(detail, _parse_asff)
    return ImportedFindingsEvent(**envelope, findings=findings, malformed_findings=malformed)


def _parse_imported_v2(envelope: _Envelope, detail: Mapping[str, object]) -> ImportedFindingsV2Event:
    parse = partial(_parse_ocsf, event_region=envelope["region"])
    findings, malformed = _parse_findings(detail, parse)
    return ImportedFindingsV2Event(**envelope, findings=findings, malformed_findings=malformed)


_BUILDERS: Mapping[str, Callable[[_Envelope, Mapping[str, object]], SecurityHubEvent]] = {
    "Security Hub Findings - Custom Action": _parse_custom_action,
    "Security Hub Insight Results": _parse_insight_results,
    "Security Hub Findings - Imported": _parse_imported,
    "Findings Imported V2": _parse_imported_v2,
}
_BUILDERS_OF_PRESSES: Final = {
    detail_type: _BUILDERS[detail_type]
    for detail_type in ("Security Hub Findings - Custom Action", "Security Hub Insight Results")
}


def _find_action_arn(resources: Sequence[str]) -> str | None:
    return next((resource for resource in resources if _ACTION_ARN.fullmatch(resource)), None)


def _parse_findings(
    detail: Mapping[str, object], parse: Callable[[Mapping[str, object], str], _Item]
) -> tuple[tuple[_Item, ...], tuple[MalformedItem, ...]]:
    findings = required_array(detail, "findings", "$.detail")
    if not findings:
        raise MalformedEventError(
            path="$.detail.findings", given=findings, allowed="an array of at least one finding"
        )
    return _partition(findings, "$.detail.findings", lambda item, path: parse(as_object(item, path), path))


def _partition(
    items: Sequence[object], path: str, parse: Callable[[object, str], _Item]
) -> tuple[tuple[_Item, ...], tuple[MalformedItem, ...]]:
    """Parse each item separately. Each ends up in one of the two tuples, so none is lost."""
    parsed: list[_Item] = []
    malformed: list[MalformedItem] = []
    for index, item in enumerate(items):
        try:
            parsed.append(parse(item, f"{path}[{index}]"))
        except MalformedEventError as error:
            malformed.append(MalformedItem(index=index, id=_recognize(item), reason=str(error)))
    return tuple(parsed), tuple(malformed)


def _recognize(item: object) -> str | None:
    """Return the identifier of an item that can't be parsed: `Id` in ASFF, or `metadata.uid` in OCSF."""
    if not isinstance(item, Mapping):
        return None
    metadata = item.get("metadata")
    candidates = (item.get("Id"), metadata.get("uid") if isinstance(metadata, Mapping) else None)
    return next((candidate for candidate in candidates if isinstance(candidate, str)), None)


def _parse_asff(finding: Mapping[str, object], path: str) -> Finding:
    severity = optional_object(finding, "Severity", path)
    workflow = optional_object(finding, "Workflow", path)
    compliance = optional_object(finding, "Compliance", path)
    product_arn = required_text(finding, "ProductArn", path)
    resources = _parse_resources(
        finding, "Resources", path, type_key="Type", id_key="Id", region_key="Region"
    )
    return Finding(
        id=required_text(finding, "Id", path),
        product_arn=product_arn,
        aws_account_id=required_account(finding, "AwsAccountId", path),
        region=optional_text(finding, "Region", path) or _region_of(resources, product_arn),
        generator_id=optional_text(finding, "GeneratorId", path),
        title=optional_text(finding, "Title", path),
        severity_label=optional_text(severity, "Label", f"{path}.Severity"),
        workflow_status=optional_text(workflow, "Status", f"{path}.Workflow"),
        record_state=optional_text(finding, "RecordState", path),
        compliance_status=optional_text(compliance, "Status", f"{path}.Compliance"),
        resources=resources,
        updated_at=optional_timestamp(finding, "UpdatedAt", path),
        raw=finding,
    )


def _region_of(resources: Iterable[Resource], product_arn: str) -> str:
    """Return the Region of a finding without one: the Region of its resources, or that of its product.

    It's never the Region of the event, because findings can be aggregated from another Region.
    """
    named = {resource.region or _region_in(resource.id) for resource in resources}
    regional = {region for region in named if _REGION.fullmatch(region)}
    return regional.pop() if len(regional) == 1 else _region_in(product_arn)


def _region_in(arn: str) -> str:
    parts = arn.split(":")
    return parts[3] if len(parts) > 5 and parts[0] == "arn" else ""  # noqa: PLR2004 - an ARN has six parts


def _parse_ocsf(finding: Mapping[str, object], path: str, *, event_region: str) -> OcsfFinding:
    metadata = required_object(finding, "metadata", path)
    finding_info = required_object(finding, "finding_info", path)
    cloud = required_object(finding, "cloud", path)
    account = required_object(cloud, "account", f"{path}.cloud")
    return OcsfFinding(
        metadata_uid=required_text(metadata, "uid", f"{path}.metadata"),
        finding_info_uid=required_text(finding_info, "uid", f"{path}.finding_info"),
        title=optional_text(finding_info, "title", f"{path}.finding_info"),
        severity=optional_text(finding, "severity", path),
        status=optional_text(finding, "status", path),
        account_uid=required_account(account, "uid", f"{path}.cloud.account"),
        region=optional_text(cloud, "region", f"{path}.cloud") or event_region,
        resources=_parse_resources(
            finding, "resources", path, type_key="type", id_key="uid", region_key="region"
        ),
        raw=finding,
    )


def _parse_resources(
    finding: Mapping[str, object], key: str, path: str, *, type_key: str, id_key: str, region_key: str
) -> tuple[Resource, ...]:
    resources = []
    for index, item in enumerate(optional_array(finding, key, path)):
        item_path = f"{path}.{key}[{index}]"
        resource = as_object(item, item_path)
        resources.append(
            Resource(
                type=optional_text(resource, type_key, item_path),
                id=required_text(resource, id_key, item_path),
                region=optional_text(resource, region_key, item_path),
            )
        )
    return tuple(resources)


def _parse_insight_result(item: object, path: str) -> InsightResult:
    result = as_object(item, path)
    if len(result) != 1:
        raise MalformedEventError(
            path=path, given=item, allowed="an object of one key, the value, and its count"
        )
    ((value, count),) = result.items()
    return InsightResult(value=value, count=as_count(count, f"{path}.{value}"))


def _parse_number_of_results(detail: Mapping[str, object]) -> int | None:
    """Return `number of results`. It's only informative, so an invalid one doesn't stop the event."""
    try:
        return as_count(detail.get("number of results"), "$.detail['number of results']")
    except MalformedEventError:
        return None
