from __future__ import annotations

import pytest

from securityhub_actions.filters import AnythingBut, Exists, FindingFilter, Numeric, Prefix, Suffix
from tests.stacks.settings.documents import with_filter


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ("{}", FindingFilter()),
        ('{ severity = "HIGH" }', FindingFilter(severity="HIGH")),
        ('{ severity = ["HIGH", "CRITICAL"] }', FindingFilter(severity=["HIGH", "CRITICAL"])),
        ('{ workflow_status = "ANY" }', FindingFilter(workflow_status=None)),
        ('{ severity_score = { numeric = [">=", 70] } }', FindingFilter(severity_score=Numeric(">=", 70))),
        (
            '{ resource_id = { prefix = "arn:aws:s3:::" } }',
            FindingFilter(resource_id=Prefix("arn:aws:s3:::")),
        ),
        (
            '{ product_name = { anything-but = ["Macie", "Inspector"] } }',
            FindingFilter(product_name=AnythingBut("Macie", "Inspector")),
        ),
        (
            '{ title = [{ prefix = "S3" }, { suffix = { equals-ignore-case = "bucket" } }, "Root"] }',
            FindingFilter(title=[Prefix("S3"), Suffix("bucket", ignore_case=True), "Root"]),
        ),
        (
            '{ resource_tags = { team = ["payments", { prefix = "core-" }], stage = "prod" } }',
            FindingFilter(resource_tags={"team": ["payments", Prefix("core-")], "stage": "prod"}),
        ),
        ('{ resource_tags = "ANY" }', FindingFilter()),
        (
            '{ user_defined_fields = { team = "payments", Tickets = { exists = false } } }',
            FindingFilter(user_defined_fields={"team": "payments", "Tickets": Exists(present=False)}),
        ),
    ],
)
def test_a_filter_reads_as_findingfilter_and_eventbridge_write_it(load, table, expected):
    loaded = load(with_filter(table)).routing.high.filter
    assert loaded.to_event_pattern() == expected.to_event_pattern()


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ("{ severity_score = 101 }", "severity_score must be a number from 0 to 100, not 101"),
        ("{ severity_score = nan }", "severity_score must be a number from 0 to 100, not nan"),
        ("{ severity = [] }", "severity is an empty list, which matches nothing"),
        ("{ severity = {} }", "a match expression must have one operator, not []"),
        ('{ account_ids = "123" }', "account_ids must be a 12-digit account ID, not '123'"),
        (
            "{ account_ids = 111122223333 }",
            "account_ids accepts strings that are not blank, not 111122223333",
        ),
        ("{ title = 2026-01-31 }", "title accepts strings that are not blank"),
        ('{ title = [["S3"]] }', "title accepts strings that are not blank, not ['S3']"),
        ('{ severity = { prefix = "H" } }', "severity accepts plain values, AnythingBut, Exists, not Prefix"),
        ('{ types = { anything-but = "TTPs" } }', "types can't use"),
        ('{ resource_tags = "team" }', "specify a table of tag keys and their values, such as { team ="),
        ('{ user_defined_fields = "team" }', "specify a table of keys and their values, such as { team ="),
        ('{ resource_tags = { "" = "x" } }', "resource_tags has the key '', which a pattern can't match"),
        (
            '{ workflow_status = ["ANY", "NEW"] }',
            "workflow_status must be one of NEW, NOTIFIED, RESOLVED, SUPPRESSED",
        ),
        (
            '{ severity = "LOW", severity_score = { numeric = [">=", 70] } }',
            "no finding can ever match it, because no severity that it allows has a "
            "severity_score that it allows",
        ),
    ],
)
def test_a_filter_that_eventbridge_cannot_express_is_refused_with_the_reason(fault, table, expected):
    line = fault(with_filter(table))
    assert line.startswith("routing.high.filter")
    assert expected in line
