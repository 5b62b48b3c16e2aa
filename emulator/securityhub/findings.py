"""Findings: import by finding providers, search, and update by customers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from ministack.core.responses import now_iso

from emulator.securityhub import (
    asff,
    automation_rules,
    automation_rules_v2,
    customer_changes,
    events,
    faults,
    finding_filters,
    paging,
    state,
)
from emulator.securityhub.model import Document, SecurityHubError
from emulator.securityhub.state import Finding

MAX_BATCH: Final = 100
"""The most findings of one BatchImportFindings or BatchUpdateFindings."""

CUSTOMER_ATTRIBUTES: Final = ("Note", "UserDefinedFields", "VerificationState", "Workflow")
"""What BatchImportFindings never changes in a finding that exists."""

# What of OCSF the attributes of the format are, so that the later of two changes holds. AWS documents no
# way from a change in the new Security Hub back to Security Hub CSPM, and here there is none.
_V2_COUNTERPARTS: Final = {"Note": "comment", "Severity": "severity_id", "Workflow": "status_id"}


def batch_import(request: Document) -> Document:
    """BatchImportFindings: create findings, or update those with the same product and ID.

    An update is ignored unless its UpdatedAt is later than the stored one, as on AWS. Each finding created
    or updated is sent in an Imported event.

    Source: https://docs.aws.amazon.com/securityhub/latest/userguide/finding-update-batchimportfindings.html

    Args:
        request: `Findings`, 1 to 100 in the AWS Security Finding Format.

    Returns:
        `SuccessCount`, `FailedCount` and `FailedFindings`, each with `Id`, `ErrorCode` and `ErrorMessage`.
    """
    failed: list[Document] = []
    stored: list[Finding] = []
    for finding in request["Findings"]:
        rejection = asff.rejection_of(finding)
        if rejection:
            failed.append(
                {"Id": str(finding.get("Id", "")), "ErrorCode": "InvalidInput", "ErrorMessage": rejection}
            )
            continue
        if imported := _import(finding):
            stored.append(imported)
    for imported in stored:
        events.finding_imported(imported)
    return {
        "FailedCount": len(failed),
        "SuccessCount": len(request["Findings"]) - len(failed),
        "FailedFindings": failed,
    }


def get(request: Document) -> Document:
    """GetFindings.

    Source: https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_GetFindings.html
    """
    chosen = matching(request.get("Filters") or {})
    ordered = finding_filters.sort(chosen, request.get("SortCriteria") or [])
    found, more = paging.page("findings", ordered, request)
    return {"Findings": list(found), **more}


def batch_update(request: Document) -> Document:
    """BatchUpdateFindings: changes by a customer to existing findings. UpdatedAt remains as it is.

    Each finding updated is sent in an Imported event.

    Source: https://docs.aws.amazon.com/securityhub/latest/userguide/finding-update-batchupdatefindings.html

    Args:
        request: `FindingIdentifiers` (1 to 100) and the new values.

    Returns:
        `ProcessedFindings` and `UnprocessedFindings`, each of the latter with `ErrorCode` and `ErrorMessage`.
    """
    identifiers = request["FindingIdentifiers"]
    if not 1 <= len(identifiers) <= MAX_BATCH:
        raise SecurityHubError(
            "InvalidInputException",
            f"FindingIdentifiers must have 1 to {MAX_BATCH} entries, but has {len(identifiers)}",
        )
    changes = customer_changes.changes_of(request)
    processed: list[Document] = []
    unprocessed: list[Document] = []
    updated: list[Finding] = []
    for identifier in identifiers:
        key = (identifier["ProductArn"], identifier["Id"])
        problem = faults.of_finding(key) or (None if key in state.findings else _not_found(identifier["Id"]))
        if problem:
            unprocessed.append({"FindingIdentifier": identifier, **problem})
            continue
        finding: Finding = state.findings[key]
        changed = replace(
            finding,
            document={**finding.document, **changes},
            customer_attributes=finding.customer_attributes | changes.keys(),
            is_new=False,
            v2_changes=_without(finding.v2_changes, changes.keys()),
        )
        state.findings[key] = changed
        processed.append(identifier)
        updated.append(changed)
    for changed in updated:
        events.finding_imported(changed)
    return {"ProcessedFindings": processed, "UnprocessedFindings": unprocessed}


def matching(filters: Document) -> list[Document]:
    """The stored findings that a filter chooses, in the order of their import.

    Raises:
        SecurityHubError: InvalidInputException if AWS rejects the filter.
    """
    finding_filters.check(filters)
    return [
        finding.document
        for finding in state.findings.values()
        if finding_filters.matches(finding.document, filters)
    ]


def _import(finding: Document) -> Finding | None:
    """Store one valid finding and return it, or None if it's older than the stored one."""
    key = (finding["ProductArn"], finding["Id"])
    existing: Finding | None = state.findings.get(key)
    if existing is None:
        imported = Finding(document=asff.completed(finding))
    elif asff.moment_of(finding["UpdatedAt"]) <= asff.moment_of(existing.document["UpdatedAt"]):
        return None
    else:
        document = _merged(existing, finding)
        changed = {"Workflow"} if document["Workflow"] != existing.document["Workflow"] else set()
        v2_changes = _without(existing.v2_changes, changed)
        imported = replace(existing, document=document, is_new=False, v2_changes=v2_changes)
    provided = asff.completed(finding)
    ruled, changed_by_rules = automation_rules.applied(imported, provided)
    ruled = replace(ruled, v2_changes=_without(ruled.v2_changes, changed_by_rules))
    state.findings[key] = automation_rules_v2.applied(ruled, provided)
    return state.findings[key]  # type: ignore[no-any-return]


def _without(v2_changes: Document, attributes: Iterable[str]) -> Document:
    """What the new Security Hub changed, without what Security Hub CSPM has changed after it."""
    taken_over = {_V2_COUNTERPARTS.get(attribute) for attribute in attributes}
    return {name: value for name, value in v2_changes.items() if name not in taken_over}


def _merged(existing: Finding, update: Document) -> Document:
    """A stored finding after a provider's update, which leaves the customer's attributes alone."""
    kept = {*CUSTOMER_ATTRIBUTES, *existing.customer_attributes}
    incoming = asff.with_provider_fields(update)
    document: Document = {
        **existing.document,
        **{name: value for name, value in incoming.items() if name not in kept},
        "FindingProviderFields": {
            **existing.document.get("FindingProviderFields", {}),
            **incoming["FindingProviderFields"],
        },
        "ProductFields": {**existing.document["ProductFields"], **incoming.get("ProductFields", {})},
        "ProcessedAt": now_iso(),
    }
    if _reopens(existing.document, document):
        document["Workflow"] = {"Status": "NEW"}
    elif asff.passes(document) and document["Workflow"]["Status"] != "SUPPRESSED":
        document["Workflow"] = {"Status": "RESOLVED"}
    return document


def _reopens(before: Document, after: Document) -> bool:
    """Whether AWS sets the workflow status of a handled finding back to NEW.

    Source: https://docs.aws.amazon.com/securityhub/latest/userguide/findings-workflow-status.html
    """
    if before["Workflow"]["Status"] not in {"NOTIFIED", "RESOLVED"}:
        return False
    unarchived = before["RecordState"] == "ARCHIVED" and after["RecordState"] == "ACTIVE"
    was = before.get("Compliance", {}).get("Status")
    became = after.get("Compliance", {}).get("Status")
    return bool(unarchived or (was == "PASSED" and became != "PASSED"))


def _not_found(finding_id: str) -> Document:
    return {"ErrorCode": "FindingNotFound", "ErrorMessage": f"Finding {finding_id} does not exist"}
