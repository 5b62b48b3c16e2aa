"""A finding in the Open Cybersecurity Schema Framework (OCSF), the format of the new Security Hub.

The shape is the one of findings that AWS sent. The mapping covers what event patterns and responders look at.
Attributes without a counterpart are left out.

Source: https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-ocsf.html
Source: https://github.com/cruxstack/aws-securityhubv2-bot/blob/9af52c8/fixtures/samples.json
Source: https://schema.ocsf.io/1.6.0/classes/compliance_finding
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from hashlib import sha256
from typing import Final

from emulator.securityhub import asff
from emulator.securityhub.model import Document
from emulator.securityhub.ocsf_resources import ACCOUNT_TYPE, resource_of
from emulator.securityhub.state import Finding

VERSION: Final = "1.6.0"
_FINDINGS_CATEGORY: Final = 2
# The class of a finding, and the type that Security Hub adds to those of the product.
_VULNERABILITY: Final = (2002, "Vulnerability Finding", "Vulnerabilities")
_COMPLIANCE: Final = (2003, "Compliance Finding", "Posture Management")
_DETECTION: Final = (2004, "Detection Finding", "Threats")
_DATA_SECURITY: Final = (2006, "Data Security Finding", "Sensitive Data")
_CREATE: Final = (1, "Create")
_UPDATE: Final = (2, "Update")
_CLOSE: Final = (3, "Close")
_UNKNOWN: Final = (0, "Unknown")
_SEVERITIES: Final = {
    "INFORMATIONAL": (1, "Informational"),
    "LOW": (2, "Low"),
    "MEDIUM": (3, "Medium"),
    "HIGH": (4, "High"),
    "CRITICAL": (5, "Critical"),
}
_STATUSES: Final = {
    "NEW": (1, "New"),
    "NOTIFIED": (2, "In Progress"),
    "SUPPRESSED": (3, "Suppressed"),
    "RESOLVED": (4, "Resolved"),
}
# By the identifiers that BatchUpdateFindingsV2 takes.
# Source: https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_BatchUpdateFindingsV2.html
# Source: https://schema.ocsf.io/1.6.0/classes/detection_finding
SEVERITY_NAMES: Final = {
    0: "Unknown",
    **dict(_SEVERITIES.values()),
    6: "Fatal",
    99: "Other",
}
STATUS_NAMES: Final = {0: "Unknown", **dict(_STATUSES.values()), 5: "Archived", 99: "Other"}
_COMPLIANCE_STATUSES: Final = {"PASSED": (1, "Pass"), "WARNING": (2, "Warning"), "FAILED": (3, "Fail")}
_TIMES: Final = {
    "created_time": "CreatedAt",
    "modified_time": "UpdatedAt",
    "first_seen_time": "FirstObservedAt",
    "last_seen_time": "LastObservedAt",
}
_CONFIG_RULE: Final = "AWS::Config::ConfigRule"


def finding_of(finding: Document, *, is_new: bool) -> Document:
    """Translate a finding.

    Args:
        finding: A finding in the AWS Security Finding Format, complete as Security Hub stores it.
        is_new: Whether the finding was created rather than updated.

    Returns:
        The OCSF finding. Times are in milliseconds since the epoch.
    """
    class_uid, class_name, added_type = _class_of(finding)
    activity_id, activity_name = _activity_of(finding, is_new=is_new)
    severity_id, severity = _severity_of(finding, finding.get("Severity", {}))
    status_id, status = _STATUSES.get(finding.get("Workflow", {}).get("Status", ""), _UNKNOWN)
    translated: Document = {
        "activity_id": activity_id,
        "activity_name": activity_name,
        "category_uid": _FINDINGS_CATEGORY,
        "category_name": "Findings",
        "class_uid": class_uid,
        "class_name": class_name,
        "type_uid": class_uid * 100 + activity_id,
        "type_name": f"{class_name}: {activity_name}",
        "time": _milliseconds(finding["UpdatedAt"]),
        "time_dt": finding["UpdatedAt"],
        "severity_id": severity_id,
        "severity": severity,
        "status_id": status_id,
        "status": status,
        "metadata": _metadata(finding),
        "finding_info": _finding_info(finding, added_type),
        "cloud": {
            "provider": "AWS",
            "region": finding.get("Region", ""),
            "cloud_partition": finding["ProductArn"].split(":")[1],
            "account": {**ACCOUNT_TYPE, "uid": finding["AwsAccountId"]},
        },
        "resources": [resource_of(resource, finding) for resource in finding["Resources"]],
        "vendor_attributes": _vendor_attributes(finding),
    }
    return translated | dict(_optional_attributes(finding))


def stored(finding: Finding) -> Document:
    """A stored finding with what the new Security Hub alone has changed in it."""
    translated = finding_of(finding.document, is_new=finding.is_new) | finding.v2_changes
    translated["severity"] = SEVERITY_NAMES[translated["severity_id"]]
    translated["status"] = STATUS_NAMES[translated["status_id"]]
    return translated


def metadata_uid(finding: Document) -> str:
    """The opaque hash that identifies a finding of the new Security Hub, also as the event's resource."""
    return sha256(f"{finding['ProductArn']}/{finding['Id']}".encode()).hexdigest()


def _class_of(finding: Document) -> tuple[int, str, str]:
    product = finding["ProductArn"].rpartition("/")[2]
    if finding.get("Compliance", {}).get("Status"):
        return _COMPLIANCE
    if product == "inspector" or "Vulnerabilities" in finding:
        return _VULNERABILITY
    if any(one.startswith("Software and Configuration Checks/Vulnerabilities") for one in finding["Types"]):
        return _VULNERABILITY
    return _DATA_SECURITY if product == "macie" else _DETECTION


def _activity_of(finding: Document, *, is_new: bool) -> tuple[int, str]:
    if finding.get("RecordState") == "ARCHIVED":
        return _CLOSE
    return _CREATE if is_new else _UPDATE


def _severity_of(finding: Document, severity: Document) -> tuple[int, str]:
    """A severity, which is Informational for a control that passes."""
    if asff.passes(finding):
        return _SEVERITIES["INFORMATIONAL"]
    return _SEVERITIES.get(severity.get("Label", ""), _UNKNOWN)


def _vendor_attributes(finding: Document) -> Document:
    """The product's own severity, even if a customer changed the finding's."""
    provider = finding.get("FindingProviderFields", {}).get("Severity") or finding.get("Severity", {})
    severity_id, severity = _severity_of(finding, provider)
    return {"severity_id": severity_id, "severity": severity}


def _metadata(finding: Document) -> Document:
    return {
        "version": VERSION,
        "uid": metadata_uid(finding),
        "profiles": ["cloud", "datetime"],
        "product": {
            "uid": finding["ProductArn"].replace(":product/", ":productv2/", 1),
            "name": finding.get("ProductName", ""),
            "vendor_name": finding.get("CompanyName", ""),
        },
    }


def _finding_info(finding: Document, added_type: str) -> Document:
    translated: Document = {
        "uid": finding["Id"],
        "title": finding["Title"],
        "desc": finding["Description"],
        "types": [*(one for one in finding.get("Types", []) if one != added_type), added_type],
        "analytic": _analytic(finding),
    }
    for name, attribute in _TIMES.items():
        if finding.get(attribute):
            translated[name] = _milliseconds(finding[attribute])
            translated[f"{name}_dt"] = finding[attribute]
    return translated


def _analytic(finding: Document) -> Document:
    """What generated the finding: the rule of AWS Config behind a control, or the product's own generator."""
    rule = {"type_id": 1, "type": "Rule"}
    fields = finding.get("ProductFields", {})
    if fields.get("RelatedAWSResources:0/type") == _CONFIG_RULE:
        return {**rule, "category": _CONFIG_RULE, "name": fields["RelatedAWSResources:0/name"]}
    if finding.get("Compliance", {}).get("SecurityControlId"):
        return {**rule, "name": finding["GeneratorId"]}
    return {**rule, "uid": finding["GeneratorId"]}


def _optional_attributes(finding: Document) -> Iterator[tuple[str, object]]:
    compliance = finding.get("Compliance", {})
    if compliance.get("Status"):
        yield "compliance", _compliance(compliance)
    if "Vulnerabilities" in finding:
        yield "vulnerabilities", [_vulnerability(one) for one in finding["Vulnerabilities"]]
    if "Confidence" in finding:
        yield "confidence_score", finding["Confidence"]
    if "Note" in finding:
        yield "comment", finding["Note"]["Text"]
    recommendation = finding.get("Remediation", {}).get("Recommendation", {})
    if recommendation:
        references = [recommendation["Url"]] if recommendation.get("Url") else []
        yield "remediation", {"desc": recommendation.get("Text", ""), "references": references}


def _compliance(compliance: Document) -> Document:
    status_id, status = _COMPLIANCE_STATUSES.get(compliance["Status"], _UNKNOWN)
    translated: Document = {"status_id": status_id, "status": status}
    if "SecurityControlId" in compliance:
        translated["control"] = compliance["SecurityControlId"]
    standards = [standard["StandardsId"] for standard in compliance.get("AssociatedStandards", [])]
    if standards:
        translated["standards"] = standards
    if "StatusReasons" in compliance:
        translated["assessments"] = [
            _assessment(reason, meets_criteria=compliance["Status"] == "PASSED")
            for reason in compliance["StatusReasons"]
        ]
    if "SecurityControlParameters" in compliance:
        translated["control_parameters"] = [
            {"name": parameter.get("Name", ""), "values": parameter.get("Value", [])}
            for parameter in compliance["SecurityControlParameters"]
        ]
    if "RelatedRequirements" in compliance:
        translated["requirements"] = compliance["RelatedRequirements"]
    return translated


def _assessment(reason: Document, *, meets_criteria: bool) -> Document:
    translated: Document = {"name": reason["ReasonCode"], "meets_criteria": meets_criteria}
    return translated | ({"desc": reason["Description"]} if "Description" in reason else {})


def _vulnerability(vulnerability: Document) -> Document:
    translated: Document = {"cve": {"uid": vulnerability["Id"]}}
    if "ReferenceUrls" in vulnerability:
        translated["references"] = vulnerability["ReferenceUrls"]
    if "FixAvailable" in vulnerability:
        translated["is_fix_available"] = vulnerability["FixAvailable"] == "YES"
    packages = [
        {name: package[key] for name, key in (("name", "Name"), ("version", "Version")) if key in package}
        for package in vulnerability.get("VulnerablePackages", [])
    ]
    if packages:
        translated["affected_packages"] = packages
    return translated


def _milliseconds(timestamp: str) -> int:
    return int(datetime.fromisoformat(timestamp).timestamp() * 1000)
