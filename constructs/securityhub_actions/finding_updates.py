"""What automation rules change in findings, checked against what Security Hub accepts.

Source: https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_AutomationRulesFindingFieldsUpdate.html
Source: https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_AutomationRulesFindingFieldsUpdateV2.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from securityhub_actions.arguments import checked_fields
from securityhub_actions.filters import FindingFilter, OcsfFindingFilter
from securityhub_actions.tokens import is_token

MAX_NOTE_LENGTH: Final = 512
_MAX_TYPES: Final = 50
_MAX_USER_DEFINED_FIELDS: Final = 50
_MAX_RELATED_FINDINGS: Final = 10
_VERIFICATION_STATES: Final = ("UNKNOWN", "TRUE_POSITIVE", "FALSE_POSITIVE", "BENIGN_POSITIVE")
# https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_BatchUpdateFindingsV2.html
_SEVERITY_IDS: Final[Mapping[str, int]] = {
    "Unknown": 0,
    "Informational": 1,
    "Low": 2,
    "Medium": 3,
    "High": 4,
    "Critical": 5,
    "Fatal": 6,
    "Other": 99,
}
_STATUS_IDS: Final[Mapping[str, int]] = {
    "Unknown": 0,
    "New": 1,
    "In Progress": 2,
    "Suppressed": 3,
    "Resolved": 4,
    "Archived": 5,
    "Other": 99,
}


@checked_fields
@dataclass(frozen=True, slots=True, kw_only=True)
class RelatedFinding:
    """A finding that is related to another one.

    Attributes:
        product_arn: The ARN of the product that generated it.
        id: Its ID in the product.
    """

    product_arn: str
    id: str


@checked_fields
@dataclass(frozen=True, slots=True, kw_only=True)
class FindingFieldsUpdate:
    """What a rule of Security Hub CSPM sets in the findings that it matches. None leaves a field as it is.

    Attributes:
        severity: The severity label: INFORMATIONAL, LOW, MEDIUM, HIGH, or CRITICAL.
        workflow_status: NEW, NOTIFIED, RESOLVED, or SUPPRESSED.
        note: The text of the note, up to 512 characters. It replaces the finding's note.
        note_updated_by: Whom the note names as its author, up to 512 characters.
        verification_state: UNKNOWN, TRUE_POSITIVE, FALSE_POSITIVE, or BENIGN_POSITIVE.
        confidence: The likelihood that the finding is correct, 0 to 100.
        criticality: The importance of the resources, 0 to 100.
        types: The finding types, up to 50, which replace the finding's.
        user_defined_fields: Keys and values, up to 50, which replace the finding's.
        related_findings: Related findings, up to 10, which replace the finding's.

    Raises:
        ValueError: A value isn't allowed, or nothing is set.
    """

    severity: str | None = None
    workflow_status: str | None = None
    note: str | None = None
    note_updated_by: str = "securityhub-actions"
    verification_state: str | None = None
    confidence: int | None = None
    criticality: int | None = None
    types: Sequence[str] = ()
    user_defined_fields: Mapping[str, str] = field(default_factory=dict)
    related_findings: Sequence[RelatedFinding] = ()

    def __post_init__(self) -> None:
        labels = FindingFilter.fields
        _require_one_of("severity", self.severity, labels["severity"].labels)
        _require_one_of("workflow_status", self.workflow_status, labels["workflow_status"].labels)
        _require_one_of("verification_state", self.verification_state, _VERIFICATION_STATES)
        _require_length("note", self.note)
        _require_length("note_updated_by", self.note_updated_by)
        for name in ("confidence", "criticality"):
            number = getattr(self, name)
            if number is not None and not is_token(number) and not 0 <= number <= 100:  # noqa: PLR2004 - percent
                raise ValueError(f"{name} is {number}. Security Hub allows 0 to 100.")
        _require_count("types", self.types, _MAX_TYPES)
        _require_count("user_defined_fields", self.user_defined_fields, _MAX_USER_DEFINED_FIELDS)
        _require_count("related_findings", self.related_findings, _MAX_RELATED_FINDINGS)
        if not self.to_json():
            raise ValueError("FindingFieldsUpdate sets nothing. Specify at least one field.")

    def to_json(self) -> dict[str, Any]:
        """The update in the form of the API and of CloudFormation."""
        note = None if self.note is None else {"Text": self.note, "UpdatedBy": self.note_updated_by}
        values = {
            "Confidence": self.confidence,
            "Criticality": self.criticality,
            "Note": note,
            "RelatedFindings": [
                {"Id": one.id, "ProductArn": one.product_arn} for one in self.related_findings
            ]
            or None,
            "Severity": None if self.severity is None else {"Label": self.severity},
            "Types": list(self.types) or None,
            "UserDefinedFields": dict(self.user_defined_fields) or None,
            "VerificationState": self.verification_state,
            "Workflow": None if self.workflow_status is None else {"Status": self.workflow_status},
        }
        return {name: value for name, value in values.items() if value is not None}


@checked_fields
@dataclass(frozen=True, slots=True, kw_only=True)
class OcsfFindingFieldsUpdate:
    """What a rule of the new Security Hub sets in the findings that it matches: nothing else can be set.

    Attributes:
        severity: Informational, Low, Medium, High, Critical, Fatal, Unknown, or Other.
        status: New, In Progress, Suppressed, Resolved, Archived, Unknown, or Other.
        comment: A comment of up to 512 characters. It replaces the finding's comment.

    Raises:
        ValueError: A value isn't allowed, or nothing is set.
    """

    severity: str | None = None
    status: str | None = None
    comment: str | None = None

    def __post_init__(self) -> None:
        _require_one_of("severity", self.severity, OcsfFindingFilter.fields["severity"].labels)
        _require_one_of("status", self.status, tuple(_STATUS_IDS))
        _require_length("comment", self.comment)
        if not self.to_json():
            raise ValueError("OcsfFindingFieldsUpdate sets nothing. Specify at least one field.")

    def to_json(self) -> dict[str, Any]:
        """The update in the form of the API and of CloudFormation."""
        values = {
            "Comment": self.comment,
            "SeverityId": None if self.severity is None else _SEVERITY_IDS[self.severity],
            "StatusId": None if self.status is None else _STATUS_IDS[self.status],
        }
        return {name: value for name, value in values.items() if value is not None}


def _require_one_of(name: str, value: str | None, allowed: Sequence[str]) -> None:
    if value is not None and value not in allowed:
        raise ValueError(f"{name} is {value!r}. Security Hub allows {', '.join(allowed)}.")


def _require_length(name: str, text: str | None) -> None:
    if text is None or is_token(text):
        return
    if not text.strip() or len(text) > MAX_NOTE_LENGTH:
        raise ValueError(
            f"{name} has {len(text)} characters. Security Hub allows 1 to {MAX_NOTE_LENGTH}, not all blank."
        )


def _require_count(name: str, values: Sequence[object] | Mapping[str, str], most: int) -> None:
    if len(values) > most:
        raise ValueError(f"{name} has {len(values)} entries. Security Hub allows {most}.")
