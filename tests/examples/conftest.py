"""The embedded AWS that the examples are deployed onto, and what they all need to be seen at work.

They share an account: a test looks only at what is about its own findings.
"""

from __future__ import annotations

import json
import uuid

import pytest

from emulator.server import DEFAULT_ACCOUNT, DEFAULT_REGION, EmbeddedAws
from tests.examples.running import ROOT
from tools.deploy import bootstrap


@pytest.fixture(scope="session")
def aws():
    with EmbeddedAws.start() as aws:
        bootstrap(aws)
        aws.client("securityhub").enable_security_hub()
        yield aws


@pytest.fixture(scope="session")
def import_finding(aws):
    """Import a finding that is like the event's in tests/events but for what is given; return it."""

    def import_finding(*, account=DEFAULT_ACCOUNT, region=DEFAULT_REGION, **fields):
        event = (ROOT / "tests" / "events" / "findings_imported.json").read_text()
        (finding,) = json.loads(event.replace("eu-west-1", region))["detail"]["findings"]
        # They would take precedence over the fields that are given.
        del finding["FindingProviderFields"]
        finding |= {"Id": f"example-{uuid.uuid4()}", **fields}
        hub = aws.client("securityhub", account=account, region=region)
        assert hub.batch_import_findings(Findings=[finding])["FailedFindings"] == []
        return finding

    return import_finding
