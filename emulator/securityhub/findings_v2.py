"""Findings of the new Security Hub, in OCSF: search, and update by customers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from emulator.securityhub import events, faults, ocsf, ocsf_filters, paging, state
from emulator.securityhub.model import Document, SecurityHubError, service_model
from emulator.securityhub.state import Finding

MAX_COMMENT_CHARACTERS: Final = 512
"""The most characters of a comment."""

Key = tuple[str, str]

_IDENTIFIED_BY: Final = ("MetadataUids", "FindingIdentifiers")
_CHANGES: Final = {"Comment": "comment", "SeverityId": "severity_id", "StatusId": "status_id"}


def get(request: Document) -> Document:
    """GetFindingsV2.

    Source: https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_GetFindingsV2.html
    """
    if "Scopes" in request:
        raise SecurityHubError(
            "AccessDeniedException", "Only the delegated administrator account can use Scopes"
        )
    filters = request.get("Filters") or {}
    ocsf_filters.check(filters)
    every = [ocsf.stored(finding) for finding in state.findings.values()]
    chosen = [finding for finding in every if ocsf_filters.matches(finding, filters)]
    ordered = ocsf_filters.sort(chosen, request.get("SortCriteria") or [])
    found, more = paging.page("findings in OCSF", ordered, request)
    return {"Findings": list(found), **more}


def batch_update(request: Document) -> Document:
    """BatchUpdateFindingsV2: changes by a customer to existing findings. Their times remain as they are.

    Each finding updated is sent in an event of the new Security Hub.

    Source: https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_BatchUpdateFindingsV2.html

    Args:
        request: `MetadataUids` or `FindingIdentifiers` (1 to 100), and the new values.

    Returns:
        `ProcessedFindings` and `UnprocessedFindings`, each entry with the identifier that the request has,
        and each of the latter with `ErrorCode` and `ErrorMessage`.
    """
    given = [name for name in _IDENTIFIED_BY if request.get(name)]
    if len(given) != 1:
        raise SecurityHubError(
            "ValidationException", f"Give either MetadataUids or FindingIdentifiers, not {len(given)} of them"
        )
    changes = changes_of(request)
    entry_of, key_of = _BY[given[0]]
    keys = {key_of(finding.document): key for key, finding in state.findings.items()}
    processed: list[Document] = []
    unprocessed: list[Document] = []
    updated: list[Finding] = []
    for identifier in request[given[0]]:
        key = keys.get(_hashable(identifier))
        problem = _problem_of(key, identifier)
        if key is None or problem:
            unprocessed.append({entry_of: identifier, **problem})
            continue
        finding: Finding = state.findings[key]
        state.findings[key] = replace(finding, v2_changes=finding.v2_changes | changes, is_new=False)
        processed.append({entry_of: identifier})
        updated.append(state.findings[key])
    for finding in updated:
        events.finding_imported_v2(finding)
    return {"ProcessedFindings": processed, "UnprocessedFindings": unprocessed}


def changes_of(fields: Document) -> Document:
    """What an update or a rule's action sets, by the names of OCSF.

    Args:
        fields: `Comment`, `SeverityId`, and `StatusId`, of which one at least is given.

    Raises:
        SecurityHubError: ValidationException if nothing is set, or something to what isn't allowed.
    """
    changes = {name: fields[given] for given, name in _CHANGES.items() if given in fields}
    if not changes:
        raise SecurityHubError(
            "ValidationException", f"Nothing is changed: give at least one of {', '.join(_CHANGES)}"
        )
    if len(changes.get("comment", "")) > MAX_COMMENT_CHARACTERS:
        raise SecurityHubError(
            "ValidationException",
            f"Comment may have up to {MAX_COMMENT_CHARACTERS} characters, but has {len(changes['comment'])}",
        )
    for given, names in (("SeverityId", ocsf.SEVERITY_NAMES), ("StatusId", ocsf.STATUS_NAMES)):
        if given in fields and fields[given] not in names:
            allowed = ", ".join(str(one) for one in names)
            raise SecurityHubError(
                "ValidationException", f"{given} must be one of {allowed}, but is {fields[given]}"
            )
    return changes


def _problem_of(key: Key | None, identifier: str | Document) -> Document:
    """Why a finding isn't updated, or an empty object."""
    if key is None:
        message = f"Finding {identifier} does not exist in this account and Region"
        return {"ErrorCode": "ResourceNotFoundException", "ErrorMessage": message}
    fault = faults.of_finding(key)
    if fault is None:
        return {}
    # A fault may be for either API, and each has codes of its own.
    codes = service_model().shape_for("BatchUpdateFindingsV2UnprocessedFindingErrorCode").enum  # type: ignore[attr-defined]
    if fault["ErrorCode"] in codes:
        return fault
    was_missing = fault["ErrorCode"] == "FindingNotFound"
    return fault | {"ErrorCode": "ResourceNotFoundException" if was_missing else "InternalServerException"}


def _identifier_of(finding: Document) -> tuple[str, ...]:
    product = finding["ProductArn"].replace(":product/", ":productv2/", 1)
    return finding["AwsAccountId"], finding["Id"], product


def _hashable(identifier: str | Document) -> str | tuple[str, ...]:
    if isinstance(identifier, str):
        return identifier
    return identifier["CloudAccountUid"], identifier["FindingInfoUid"], identifier["MetadataProductUid"]


_BY: Final[dict[str, tuple[str, Callable[[Document], str | tuple[str, ...]]]]] = {
    "MetadataUids": ("MetadataUid", ocsf.metadata_uid),
    "FindingIdentifiers": ("FindingIdentifier", _identifier_of),
}
