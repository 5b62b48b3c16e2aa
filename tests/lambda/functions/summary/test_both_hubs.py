"""The findings of each hub as the embedded AWS has them: both give the same counts."""

from __future__ import annotations

from datetime import timedelta

import pytest

from functions.summary.counting import Count
from functions.summary.figures import SEVERITIES
from functions.summary.finding_pages import FindingPages, Pace
from functions.summary.tally import Period
from invocation.clients import create_client
from tests.e2e.findings import control_finding
from tests.summaries import NOW

REGION = "ca-west-1"
PERIOD = Period.until(NOW, length=timedelta(days=1), previous=None, overdue_days=(7, 30, 90, 180, 0))


@pytest.fixture(scope="module")
def imported(embedded_aws):
    """A Region with 230 findings, of which some are suppressed, resolved, passed, or archived."""
    hub = embedded_aws.client("securityhub", region=REGION)
    hub.enable_security_hub()
    hub.enable_security_hub_v2()
    product = f"arn:aws:securityhub:{REGION}::product/aws/securityhub"
    findings = [
        control_finding(
            f"S3.{number % 7}",
            number,
            region=REGION,
            ProductArn=product,
            Severity={"Label": SEVERITIES[number % 5]},
            Compliance={
                "Status": "PASSED" if number % 23 == 0 else "FAILED",
                "SecurityControlId": f"S3.{number % 7}",
            },
            RecordState="ARCHIVED" if number % 29 == 1 else "ACTIVE",
        )
        for number in range(230)
    ]
    for start in range(0, len(findings), 100):
        answer = hub.batch_import_findings(Findings=findings[start : start + 100])
        assert answer["FailedCount"] == 0, answer
    for status, chosen in (("SUPPRESSED", findings[10:20]), ("RESOLVED", findings[20:25])):
        hub.batch_update_findings(
            FindingIdentifiers=[{name: one[name] for name in ("Id", "ProductArn")} for one in chosen],
            Workflow={"Status": status},
        )
    return findings


@pytest.mark.usefixtures("function_aws")
@pytest.mark.parametrize("is_v2", [False, True], ids=["cspm", "v2"])
def test_every_finding_that_is_open_is_counted_and_no_other(imported, is_v2):
    count = Count()
    pages = FindingPages(create_client("securityhub", region=REGION), is_v2=is_v2)
    count.go_on(pages, PERIOD, has_time=lambda: True, pace=Pace(10**6, sleep=lambda _: None))
    assert count.missing == {}
    settled = range(10, 25)
    expected = [
        finding["Severity"]["Label"]
        for number, finding in enumerate(imported)
        if number not in settled
        and finding["Compliance"]["Status"] == "FAILED"
        and finding["RecordState"] == "ACTIVE"
    ]
    assert count.tally.by_severity("open") == tuple(expected.count(severity) for severity in SEVERITIES)
    assert count.tally.suppressed == 10
    controls, number = count.tally.groups("controls")
    assert number == 7
    assert {one.key for one in controls} == {f"S3.{control}" for control in range(7)}
