"""What customers change in findings of Security Hub CSPM: by BatchUpdateFindings, or by automation rules."""

from __future__ import annotations

import json
from typing import Final

from ministack.core.responses import now_iso

from emulator.securityhub import asff
from emulator.securityhub.model import Document, SecurityHubError

_UPDATABLE: Final = (
    "Confidence",
    "Criticality",
    "RelatedFindings",
    "Types",
    "UserDefinedFields",
    "VerificationState",
)
_MAX_NOTE_CHARACTERS: Final = 512


def changes_of(request: Document) -> Document:
    """The attributes that a request, or the action of a rule, sets, as they are stored.

    Args:
        request: Any of Note, Severity, Workflow, and the attributes that are stored as they are given.

    Raises:
        SecurityHubError: InvalidInputException if a value isn't allowed, or none is given.
    """
    changes: Document = {name: request[name] for name in _UPDATABLE if name in request}
    if "Workflow" in request:
        changes["Workflow"] = {"Status": request["Workflow"].get("Status", "NEW")}
    if "Severity" in request:
        changes["Severity"] = asff.with_both_scales(request["Severity"])
    if "Note" in request:
        if len(request["Note"]["Text"]) > _MAX_NOTE_CHARACTERS:
            raise SecurityHubError(
                "InvalidInputException",
                f"Note.Text may have up to {_MAX_NOTE_CHARACTERS} characters, "
                f"but has {len(request['Note']['Text'])}",
            )
        changes["Note"] = {**request["Note"], "UpdatedAt": now_iso()}
    found = [
        *asff.type_problems(changes.get("Types", [])),
        *asff.user_defined_problems(changes.get("UserDefinedFields", {})),
    ]
    if found:
        raise SecurityHubError("InvalidInputException", "; ".join(found))
    if not changes:
        raise SecurityHubError(
            "InvalidInputException",
            "The request changes nothing: give at least one of Note, Severity, Workflow, "
            f"{', '.join(_UPDATABLE)}",
        )
    copied: Document = json.loads(json.dumps(changes))
    return copied
