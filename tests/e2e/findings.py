"""Findings of controls that fail, and their import."""

from __future__ import annotations

import json
from pathlib import Path

from emulator.server import DEFAULT_ACCOUNT, DEFAULT_REGION

_EVENT = Path(__file__).resolve().parents[1] / "events" / "custom_action_1_finding.json"
(_SAMPLE,) = json.loads(_EVENT.read_text())["detail"]["findings"]


def control_finding(control, number, *, account=DEFAULT_ACCOUNT, region=DEFAULT_REGION, **changes):
    """Return a new finding of a control, about the bucket of the sample unless the changes say otherwise."""
    return {
        **{name: value for name, value in _SAMPLE.items() if name != "FindingProviderFields"},
        "Id": f"arn:aws:securityhub:{region}:{account}:security-control/{control}/finding/{number}",
        "ProductArn": f"arn:aws:securityhub:{DEFAULT_REGION}::product/aws/securityhub",
        "AwsAccountId": account,
        "Region": region,
        "GeneratorId": f"security-control/{control}",
        "Compliance": {"Status": "FAILED", "SecurityControlId": control},
        "Workflow": {"Status": "NEW"},
        **changes,
    }


def import_findings(aws, findings):
    """Import findings, each of which Security Hub has to take."""
    answer = aws.client("securityhub").batch_import_findings(Findings=findings)
    assert answer["FailedCount"] == 0, answer
