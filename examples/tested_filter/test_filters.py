"""Unit tests of a filter. They need neither an AWS account nor synthesis."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest
from filters import EXPOSED_BUCKETS

from securityhub_actions.patterns import EventPattern

# To test with what your account really receives, send events to a log group and copy one from there.
EVENT = json.loads(Path(__file__).with_name("event.json").read_text(encoding="utf-8"))
PATTERN = EventPattern.parse(EXPOSED_BUCKETS.to_event_pattern())


def event_with(**fields):
    """Return the event with some fields of its finding changed."""
    event = copy.deepcopy(EVENT)
    event["detail"]["findings"][0] |= fields
    return event


def test_a_critical_finding_about_a_production_bucket_matches():
    assert PATTERN.matches(EVENT)


@pytest.mark.parametrize(
    "fields",
    [
        {"Severity": {"Label": "MEDIUM"}},
        {"Compliance": {"Status": "FAILED", "SecurityControlId": "EC2.19"}},
        {"Resources": [{"Type": "AwsS3Bucket", "Id": "arn:aws:s3:::sandbox", "Tags": {"stage": "test"}}]},
        {"Resources": [{"Type": "AwsS3Bucket", "Id": "arn:aws:s3:::untagged"}]},
        {"Workflow": {"Status": "SUPPRESSED"}},
        {"RecordState": "ARCHIVED"},
    ],
)
def test_another_finding_does_not_match(fields):
    assert not PATTERN.matches(event_with(**fields))


def test_the_reason_for_a_mismatch_is_named():
    mismatch = PATTERN.explain(event_with(Severity={"Label": "LOW"}))
    assert str(mismatch) == 'detail.findings.Severity.Label is "LOW", wanted "CRITICAL" or "HIGH"'
