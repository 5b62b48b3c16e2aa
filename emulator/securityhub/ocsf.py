"""A finding in the Open Cybersecurity Schema Framework 1.6, the format of Security Hub V2.

A finding with a compliance status becomes a Compliance Finding (class 2003), any other a Detection Finding
(class 2004). The mapping covers what an event pattern or a responder looks at; attributes without a
counterpart are left out.

Source: https://schema.ocsf.io/1.6.0/classes/compliance_finding
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from emulator.securityhub.model import Document

VERSION: Final = "1.6.0"
_FINDINGS_CATEGORY: Final = 2
_COMPLIANCE_FINDING: Final = (2003, "Compliance Finding")
_DETECTION_FINDING: Final = (2004, "Detection Finding")
_CREATE: Final = (1, "Create")
_UPDATE: Final = (2, "Update")
_SEVERITIES: Final = {
    "INFORMATIONAL": (1, "Informational"),
    "LOW": (2, "Low"),
    "MEDIUM": (3, "Medium"),
    "HIGH": (4, "High"),
    "CRITICAL": (5, "Critical"),
}
_UNKNOWN: Final = (0, "Unknown")
_STATUSES: Final = {
    "NEW": (1, "New"),
    "NOTIFIED": (2, "In Progress"),
    "SUPPRESSED": (3, "Suppressed"),
    "RESOLVED": (4, "Resolved"),
}
_COMPLIANCE_STATUSES: Final = {"PASSED": (1, "Pass"), "WARNING": (2, "Warning"), "FAILED": (3, "Fail")}


def finding_of(finding: Document, *, is_new: bool) -> Document:
    """Translate a finding.

    Args:
        finding: A finding in the AWS Security Finding Format, complete as Security Hub stores it.
        is_new: Whether the finding was created rather than updated.

    Returns:
        The OCSF finding; times are in milliseconds since the epoch.
    """
    compliance = finding.get("Compliance", {})
    class_uid, class_name = _COMPLIANCE_FINDING if compliance.get("Status") else _DETECTION_FINDING
    activity_id, activity_name = _CREATE if is_new else _UPDATE
    severity_id, severity = _SEVERITIES.get(finding.get("Severity", {}).get("Label", ""), _UNKNOWN)
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
        "finding_info": _finding_info(finding),
        "cloud": {
            "provider": "AWS",
            "region": finding.get("Region", ""),
            "account": {"uid": finding["AwsAccountId"], "type": "AWS Account"},
        },
        "resources": [_resource(resource) for resource in finding["Resources"]],
    }
    if compliance.get("Status"):
        translated["compliance"] = _compliance(compliance)
    if "Note" in finding:
        translated["comment"] = finding["Note"]["Text"]
    recommendation = finding.get("Remediation", {}).get("Recommendation", {})
    if recommendation:
        translated["remediation"] = {
            "desc": recommendation.get("Text", ""),
            "references": [recommendation["Url"]] if recommendation.get("Url") else [],
        }
    return translated


def _metadata(finding: Document) -> Document:
    return {
        "version": VERSION,
        "uid": f"{finding['ProductArn']}/{finding['Id']}",
        "profiles": ["cloud", "datetime"],
        "product": {
            "uid": finding["ProductArn"],
            "name": finding.get("ProductName", ""),
            "vendor_name": finding.get("CompanyName", ""),
        },
    }


def _finding_info(finding: Document) -> Document:
    return {
        "uid": finding["Id"],
        "title": finding["Title"],
        "desc": finding["Description"],
        "types": finding.get("Types", []),
        "analytic": {"uid": finding["GeneratorId"], "type_id": 1, "type": "Rule"},
        "created_time": _milliseconds(finding["CreatedAt"]),
        "created_time_dt": finding["CreatedAt"],
        "modified_time": _milliseconds(finding["UpdatedAt"]),
        "modified_time_dt": finding["UpdatedAt"],
    }


def _resource(resource: Document) -> Document:
    translated: Document = {"uid": resource["Id"], "type": resource["Type"]}
    if "Region" in resource:
        translated["region"] = resource["Region"]
    if "Partition" in resource:
        translated["cloud_partition"] = resource["Partition"]
    if "Tags" in resource:
        translated["tags"] = [{"name": name, "value": value} for name, value in resource["Tags"].items()]
    return translated


def _compliance(compliance: Document) -> Document:
    status_id, status = _COMPLIANCE_STATUSES.get(compliance["Status"], _UNKNOWN)
    translated: Document = {"status_id": status_id, "status": status}
    if "SecurityControlId" in compliance:
        translated["control"] = compliance["SecurityControlId"]
    standards = [standard["StandardsId"] for standard in compliance.get("AssociatedStandards", [])]
    if standards:
        translated["standards"] = standards
    if "RelatedRequirements" in compliance:
        translated["requirements"] = compliance["RelatedRequirements"]
    return translated


def _milliseconds(timestamp: str) -> int:
    return int(datetime.fromisoformat(timestamp).timestamp() * 1000)
