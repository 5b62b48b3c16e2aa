"""The AWS Security Finding Format: what a finding must have, and what Security Hub adds to it.

Source: https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-findings-format.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sized
from datetime import datetime
from typing import Final

from ministack.core.responses import get_account_id, now_iso

from emulator.securityhub.model import Document, problems, service_model

SCHEMA_VERSION: Final = "2018-10-08"
MAX_BYTES: Final = 240 * 1024
"""The largest finding that BatchImportFindings accepts."""

PROVIDER_ATTRIBUTES: Final = ("Confidence", "Criticality", "RelatedFindings", "Severity", "Types")
"""What a finding provider sets through FindingProviderFields and a customer may take over."""

_MAX_CHARACTERS: Final = {"Id": 512, "GeneratorId": 512, "Title": 256, "Description": 1024}
_MAX_ENTRIES: Final = {
    "Resources": 32,
    "Types": 50,
    "RelatedFindings": 10,
    "UserDefinedFields": 50,
    "ProductFields": 50,
}
# What AWS calls its products in findings that don't say so themselves.
_PRODUCT_NAMES: Final = {
    "securityhub": "Security Hub",
    "guardduty": "GuardDuty",
    "inspector": "Inspector",
    "macie": "Macie",
    "access-analyzer": "IAM Access Analyzer",
    "config": "Config",
    "firewall-manager": "Firewall Manager",
    "health": "Health",
    "ssm-patch-manager": "Systems Manager Patch Manager",
}
_TIMESTAMPS: Final = ("CreatedAt", "UpdatedAt", "FirstObservedAt", "LastObservedAt")
_MAX_RECOMMENDATION_CHARACTERS: Final = 512
_TYPE: Final = re.compile(r"([^/]+)(/[^/]+){0,2}")
_USER_DEFINED_KEY: Final = re.compile(r"[A-Za-z0-9\-_=+@./:]+")
_ACCOUNT_ID: Final = re.compile(r"\d{12}")
_PRODUCT_ARN: Final = re.compile(
    r"arn:[a-z-]+:securityhub:(?P<region>[a-z0-9-]+):\d{0,12}:product/(?P<company>[^/]+)/(?P<product>.+)"
)
# The lowest normalized score of each label.
_NORMALIZED: Final = {"CRITICAL": 90, "HIGH": 70, "MEDIUM": 40, "LOW": 1, "INFORMATIONAL": 0}


def rejection_of(finding: Document) -> str | None:
    """Why BatchImportFindings rejects a finding, or None if it accepts it."""
    # The documented constraints are about members of the right type, so they come second.
    # AWS's model forbids blank entries of maps, and yet its findings have some, which it stores.
    # Source: https://github.com/cloud-custodian/cloud-custodian/blob/df800e9/tests/data/placebo/test_security_hub_lambda_update/securityhub.GetFindings_1.json
    found = list(problems(finding, service_model().shape_for("AwsSecurityFinding"), blank_entries=True))
    found = found or list(_documented_problems(finding))
    if not found:
        return None
    return f"Finding does not adhere to Amazon Finding Format: {'; '.join(found)}"


def moment_of(timestamp: str) -> datetime:
    """A finding's timestamp as a point in time.

    Raises:
        ValueError: It isn't ISO 8601, or it has no time zone.
    """
    moment = datetime.fromisoformat(timestamp)
    if moment.tzinfo is None:
        raise ValueError(f"{timestamp!r} has no time zone")
    return moment


def completed(finding: Document) -> Document:
    """A new finding with what Security Hub adds: provider fields, product, workflow, record state."""
    product = _PRODUCT_ARN.fullmatch(finding["ProductArn"])
    name, company = "Default", "Personal"
    if product and product["product"] != "default":
        name, company = _PRODUCT_NAMES.get(product["product"], product["product"]), product["company"]
    complete = with_provider_fields(finding)
    complete.setdefault("ProductName", name)
    complete.setdefault("CompanyName", "AWS" if company == "aws" else company)
    if product:
        complete.setdefault("Region", product["region"])
    complete.setdefault("Workflow", {}).setdefault("Status", "RESOLVED" if passes(complete) else "NEW")
    complete.setdefault("WorkflowState", "NEW")
    complete.setdefault("RecordState", "ACTIVE")
    complete["ProductFields"] = {
        **complete.get("ProductFields", {}),
        "aws/securityhub/FindingId": f"{finding['ProductArn']}/{finding['Id']}",
        "aws/securityhub/ProductName": complete["ProductName"],
        "aws/securityhub/CompanyName": complete["CompanyName"],
    }
    complete["ProcessedAt"] = now_iso()
    return complete


def passes(finding: Document) -> bool:
    """Whether a finding is of a control that passes, which Security Hub itself resolves.

    Source: https://docs.aws.amazon.com/securityhub/latest/userguide/findings-workflow-status.html
    """
    product = _PRODUCT_ARN.fullmatch(finding["ProductArn"])
    is_control = product is not None and (product["company"], product["product"]) == ("aws", "securityhub")
    return is_control and (finding.get("Compliance") or {}).get("Status") == "PASSED"


def with_provider_fields(finding: Document) -> Document:
    """A copy of a finding whose FindingProviderFields and their top-level counterparts both have values.

    If both are given, the provider fields take precedence.
    """
    complete: Document = json.loads(json.dumps(finding))
    provider = complete.setdefault("FindingProviderFields", {})
    for attribute in PROVIDER_ATTRIBUTES:
        if attribute in provider:
            complete[attribute] = provider[attribute]
        elif attribute in complete:
            provider[attribute] = complete[attribute]
    if "Severity" in complete:
        complete["Severity"] = with_both_scales(complete["Severity"])
        provider["Severity"] = {
            key: value
            for key, value in {**provider["Severity"], "Label": complete["Severity"]["Label"]}.items()
            if key in {"Label", "Original"}
        }
    return complete


def with_both_scales(severity: Document) -> Document:
    """A severity with its label and its normalized score, each derived from the other if missing."""
    complete = dict(severity)
    if "Label" in complete:
        complete.setdefault("Normalized", _NORMALIZED[complete["Label"]])
    elif "Normalized" in complete:
        complete["Label"] = next(
            label for label, lowest in _NORMALIZED.items() if complete["Normalized"] >= lowest
        )
    return complete


def _documented_problems(finding: Document) -> Iterator[str]:
    """The problems that only the documentation mentions, of members of the right type."""
    if finding["SchemaVersion"] != SCHEMA_VERSION:
        yield f"SchemaVersion must be {SCHEMA_VERSION}, but is {finding['SchemaVersion']!r}"
    for name, limit in _MAX_CHARACTERS.items():
        if len(finding[name]) > limit:
            yield f"{name} may have up to {limit} characters, but has {len(finding[name])}"
    for name in _MAX_ENTRIES:
        yield from _entries_problems(name, finding.get(name) or ())
    if not finding["Resources"]:
        yield "Resources must have at least one entry"
    for name in _TIMESTAMPS:
        if finding.get(name):
            yield from _timestamp_problems(name, finding[name])
    yield from type_problems(finding.get("Types") or [])
    yield from _rating_problems(finding)
    yield from _recommendation_problems(finding)
    yield from _owner_problems(finding)
    if len(json.dumps(finding).encode()) > MAX_BYTES:
        yield f"a finding may have up to {MAX_BYTES // 1024} KB"


def type_problems(types: list[str]) -> Iterator[str]:
    """What is wrong with finding types.

    Source: https://github.com/prowler-cloud/prowler/issues/2519 (AWS's error)
    """
    for index, one in enumerate(types):
        if not _TYPE.fullmatch(one):
            yield f'Types[{index}] should match pattern "^{_TYPE.pattern}$", but is {one!r}'


def user_defined_problems(fields: Mapping[str, str]) -> Iterator[str]:
    """What is wrong with user-defined fields. AWS documents no limit on the length of a key or a value.

    Source: https://github.com/awsdocs/aws-security-hub-user-guide/blob/00722d4/doc_source/securityhub-findings-format-attributes.md
    """
    yield from _entries_problems("UserDefinedFields", fields)
    for key in fields:
        if not _USER_DEFINED_KEY.fullmatch(key):
            yield f"a key of UserDefinedFields may have letters, digits, and -_=+@./:, but is {key!r}"


def _entries_problems(name: str, entries: Sized) -> Iterator[str]:
    if len(entries) > _MAX_ENTRIES[name]:
        yield f"{name} may have up to {_MAX_ENTRIES[name]} entries, but has {len(entries)}"


def _recommendation_problems(finding: Document) -> Iterator[str]:
    """What is wrong with the recommendation.

    Source: https://github.com/tenable/Security-Hub/issues/13 (AWS's error)
    """
    text = ((finding.get("Remediation") or {}).get("Recommendation") or {}).get("Text") or ""
    if len(text) > _MAX_RECOMMENDATION_CHARACTERS:
        yield (
            "Remediation.Recommendation.Text should not be longer than "
            f"{_MAX_RECOMMENDATION_CHARACTERS} characters, but has {len(text)}"
        )


def _rating_problems(finding: Document) -> Iterator[str]:
    provider = finding.get("FindingProviderFields") or {}
    severity = provider.get("Severity") or finding.get("Severity") or {}
    if not {"Label", "Normalized"} & severity.keys():
        yield "Severity needs a Label or a Normalized score"
    if not (provider.get("Types") or finding.get("Types")):
        yield "Types is required"
    yield from type_problems(provider.get("Types") or [])


def _timestamp_problems(name: str, value: str) -> Iterator[str]:
    try:
        moment_of(value)
    except ValueError:
        yield f"{name} must be an ISO 8601 timestamp with a time zone, but is {value!r}"


def _owner_problems(finding: Document) -> Iterator[str]:
    account, product_arn = finding["AwsAccountId"], finding["ProductArn"]
    if not _ACCOUNT_ID.fullmatch(account):
        yield f"AwsAccountId must be 12 digits, but is {account!r}"
    product = _PRODUCT_ARN.fullmatch(product_arn)
    if product is None:
        yield f"ProductArn must be the ARN of a product, but is {product_arn!r}"
    elif product["product"] == "default" and not product["company"] == account == get_account_id():
        # Integrated products may send for any account; the default product only for its own.
        yield (
            f"the default product of account {product['company']}, called from {get_account_id()}, "
            f"cannot send findings of account {account}"
        )
