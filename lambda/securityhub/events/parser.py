"""Parses EventBridge events, as Lambda functions receive them, into the types of `model`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Final, TypedDict, TypeVar

from securityhub.events.asff import parse_asff
from securityhub.events.fields import (
    MalformedEventError,
    as_count,
    as_object,
    as_text,
    optional_array,
    optional_text,
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
)
from securityhub.events.ocsf import parse_ocsf

SecurityHubEvent = CustomActionEvent | InsightResultsEvent | ImportedFindingsEvent | ImportedFindingsV2Event

_SOURCE: Final = "aws.securityhub"
# What `securityhub-actions press` sends to a bus whose policy says who may: EventBridge accepts sources that
# start with `aws.` only from AWS services. Only a rule on such a bus matches it. The findings in it are what
# that principal sent, and no more trustworthy than those that any account can import.
_PRESS_SOURCE: Final = "securityhub-actions.press"
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
    return parse_asff(as_object(finding, "$"), "$")


def parse_finding_v2(finding: object) -> Finding:
    """Parse one finding in the Open Cybersecurity Schema Framework, as GetFindingsV2 returns it.

    Raises:
        MalformedEventError: A required field is missing or invalid.
    """
    return parse_ocsf(as_object(finding, "$"), "$")


class _Envelope(TypedDict):
    event_id: str
    account: str
    region: str
    time: datetime
    resources: tuple[str, ...]


def _parse_envelope(envelope: Mapping[str, object]) -> _Envelope:
    # Only events of custom actions depend on them.
    resources = optional_array(envelope, "resources", "$")
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
        raise _wrong_resources(envelope["resources"])
    findings, malformed = _parse_findings(detail, parse_asff)
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
    findings, malformed = _parse_findings(detail, parse_asff)
    return ImportedFindingsEvent(**envelope, findings=findings, malformed_findings=malformed)


def _parse_imported_v2(envelope: _Envelope, detail: Mapping[str, object]) -> ImportedFindingsV2Event:
    findings, malformed = _parse_findings(detail, parse_ocsf)
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
    """Return the ARN of the custom action that was pressed, or None if there is none.

    Security Hub sends one. On a press bus, a principal determines the event, and could name an action besides
    the one that it may use.
    """
    found = {resource for resource in resources if _ACTION_ARN.fullmatch(resource)}
    if len(found) > 1:
        raise _wrong_resources(resources)
    return next(iter(found), None)


def _wrong_resources(resources: Sequence[str]) -> MalformedEventError:
    return MalformedEventError(
        path="$.resources",
        given=resources,
        allowed="an array with one custom action's ARN (arn:PARTITION:securityhub:...:action/custom/ID)",
    )


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
