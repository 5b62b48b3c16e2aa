from __future__ import annotations

import pytest

from stacks.settings import SettingsError
from tests.stacks.settings.documents import VALID, changed, with_filter


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            changed("retention_days", "retention"),
            [
                "routing.archive.retention_days is missing. Specify a whole number from 1 to 36500, the days",
                "routing.archive.retention is not a valid key. Use a table with enabled, "
                "retention_days, and filter",
            ],
        ),
        (
            "[route]",
            [
                "routing is missing. Specify a table with archive, critical, and high.",
                "route is not a valid key. Use a table with routing, remediation, ticketing, summary, "
                "press, hubs, insight_results, stop_switch, outcomes, alarms, encryption, dashboards, "
                "tracing, and "
                "suppressions",
            ],
        ),
        (
            VALID.replace("enabled = true", "enabled = 1"),
            [
                "routing.archive.enabled = 1 is not valid. Specify true or false",
                "routing.critical.enabled = 1 is not valid. Specify true or false",
                "routing.high.enabled = 1 is not valid. Specify true or false",
            ],
        ),
        (
            with_filter('{ severity = "HUGE", severty = "LOW", title = { prefx = "S3" } }'),
            [
                'routing.high.filter.severity = "HUGE": severity must be one of INFORMATIONAL, LOW, MEDIUM',
                'routing.high.filter.severty = "LOW": there is no such field; the fields of FindingFilter',
                'routing.high.filter.title = {"prefx": "S3"}: unknown operator \'prefx\'; the operators are',
            ],
        ),
    ],
)
def test_several_faults_are_listed_together(load, text, expected):
    with pytest.raises(SettingsError) as raised:
        load(text)
    count, *lines = str(raised.value).split("\n")
    assert count.endswith(f"settings.toml has {len(expected)} errors:")
    assert [line.strip()[: len(start)] for line, start in zip(lines, expected, strict=True)] == expected


def test_a_long_value_is_shown_in_part(fault):
    line = fault(changed('"slack"', f'"{"s" * 600}"'))
    assert f'"{"s" * 79}…' in line


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("retention_days = 400", "retention_days = {}", " is not valid. "),
        ('severity = "HIGH"', "severity_score = {}", ": "),
    ],
)
def test_a_number_that_is_too_long_to_show_is_refused(fault, old, new, reason):
    assert f"= a number that is too long to show{reason}" in fault(
        changed(old, new.format("0x" + "f" * 5000))
    )
