"""What the checks find in the templates, and what of it is acknowledged."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final

ACKNOWLEDGMENTS: Final = Path(__file__).with_name("acknowledgments.toml")
_FIELDS: Final = {"checks", "resources", "reason"}
_FEWEST_WORDS: Final = 5


class AcknowledgmentsError(ValueError):
    """The file with the acknowledgments has errors."""


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """What a check finds.

    Attributes:
        check: The ID of the check, such as `CKV_AWS_117`.
        resource: The construct path of the resource.
        description: What the check says.
    """

    check: str
    resource: str
    description: str


@dataclass(frozen=True, slots=True)
class Acknowledgment:
    """Findings that are accepted.

    Attributes:
        checks: The IDs of the checks.
        resources: The construct paths of resources, in which `*` stands for any text.
        reason: Why.
    """

    checks: Sequence[str]
    resources: Sequence[str]
    reason: str


def read_acknowledgments(path: Path = ACKNOWLEDGMENTS) -> Sequence[Acknowledgment]:
    """Read the acknowledged findings.

    Raises:
        AcknowledgmentsError: The file isn't of the form that its first lines describe.
    """
    found = []
    for number, row in enumerate(tomllib.loads(path.read_text(encoding="utf-8"))["acknowledged"], start=1):
        if row.keys() != _FIELDS or not (row["checks"] and row["resources"]):
            raise AcknowledgmentsError(
                f"Acknowledgment {number} in {path} has {', '.join(row) or 'nothing'}. It needs "
                f"{', '.join(sorted(_FIELDS))}, of which none may be empty."
            )
        if len(row["reason"].split()) < _FEWEST_WORDS:
            raise AcknowledgmentsError(
                f"Acknowledgment {number} in {path} has no reason that a reader can judge: {row['reason']!r}."
            )
        found.append(Acknowledgment(row["checks"], row["resources"], row["reason"]))
    return found


def compare(
    findings: Iterable[Finding], acknowledgments: Sequence[Acknowledgment]
) -> tuple[Sequence[Finding], Sequence[tuple[str, str]]]:
    """Return the findings that nobody acknowledged, and the acknowledgments that no finding needs.

    An acknowledgment counts for each of its checks and resources by itself: if one of them is no longer
    found, it has to go.
    """
    pairs = {
        (check, resource): False
        for one in acknowledgments
        for check in one.checks
        for resource in one.resources
    }
    open_findings = []
    for finding in sorted(set(findings)):
        needed = [
            pair for pair in pairs if pair[0] == finding.check and fnmatchcase(finding.resource, pair[1])
        ]
        if not needed:
            open_findings.append(finding)
        for pair in needed:
            pairs[pair] = True
    return open_findings, [pair for pair, is_needed in pairs.items() if not is_needed]


def findings_of_packs(folder: Path) -> Sequence[Finding]:
    """Return what cdk-nag's packs found in an app.

    Args:
        folder: The output folder of the app.

    Raises:
        FileNotFoundError: There is no report, because the app couldn't be synthesized.
    """
    report = json.loads((folder / "validation-report.json").read_text(encoding="utf-8"))
    return [
        Finding(violation["ruleName"], construct["constructPath"], " ".join(violation["description"].split()))
        for plugin in report["pluginReports"]
        for violation in plugin["violations"]
        if not violation["ruleName"].startswith("Annotation::")  # the library's own, which synthesis shows
        for construct in violation["violatingConstructs"]
    ]


def findings_of_checkov(report: object, folder: Path) -> Sequence[Finding]:
    """Return what checkov found in templates.

    Args:
        report: What it printed with `--output json`.
        folder: The folder with the templates.
    """
    reports: Sequence[Any] = report if isinstance(report, list) else [report]
    found = []
    for one in reports:
        for failed in one["results"]["failed_checks"]:
            template = folder / Path(failed["file_path"]).name
            found.append(
                Finding(failed["check_id"], _path(template, failed["resource"]), failed["check_name"])
            )
    return found


def _path(template: Path, resource: str) -> str:
    """Return the construct path of a resource that checkov calls `AWS::SQS::Queue.LogicalId`."""
    logical_id = re.sub(r"^AWS(::\w+)+\.", "", resource)
    resources = json.loads(template.read_text(encoding="utf-8"))["Resources"]
    stack = template.name.partition(".")[0]
    metadata = resources.get(logical_id, {}).get("Metadata", {})
    return str(metadata.get("aws:cdk:path", f"{stack}/{logical_id}"))
