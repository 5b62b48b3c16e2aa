from __future__ import annotations

import pytest

from securityhub_actions.filters import FindingFilter
from tests.shipped_settings import load_shipped_settings
from tests.stacks.settings.documents import VALID, changed


def test_the_settings_that_come_with_the_app_archive_every_finding():
    assert load_shipped_settings().routing.archive.filter == FindingFilter(
        workflow_status=None, record_state=None
    )


def test_a_part_takes_its_values_from_the_file(load):
    archive = load(changed("retention_days = 400", "retention_days = 30")).routing.archive
    assert (archive.enabled, archive.retention_days) == (True, 30)


def test_settings_without_any_part_are_off(load):
    assert not load(VALID.replace("enabled = true", "enabled = false")).routing.enabled


@pytest.mark.parametrize("part", ["archive", "critical", "high"])
def test_settings_with_one_part_are_on(load, part):
    off = VALID.replace("enabled = true", "enabled = false")
    assert load(
        off.replace(f"[routing.{part}]\nenabled = false", f"[routing.{part}]\nenabled = true")
    ).routing.enabled


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "retention_days = 400",
            "retention_days = 0",
            "routing.archive.retention_days = 0 is not valid. Specify a whole",
        ),
        (
            "retention_days = 400",
            "retention_days = 36501",
            "retention_days = 36501 is not valid. Specify a whole number",
        ),
        (
            "retention_days = 400",
            'retention_days = "400"',
            'retention_days = "400" is not valid. Specify a whole number',
        ),
        (
            "retention_days = 400",
            "retention_days = 1.5",
            "retention_days = 1.5 is not valid. Specify a whole number",
        ),
        ("emails = []", 'emails = "soc@example.com"', "Specify a list of email addresses"),
        (
            "emails = []",
            'emails = ["a@example.com", "soc"]',
            'routing.critical.emails[1] = "soc" is not valid. Specify a',
        ),
        (
            "emails = []",
            'emails = ["a@example.com", "a@example.com"]',
            "emails: duplicate values are not allowed",
        ),
        (
            '"C024BE91L"',
            '"#soc"',
            'routing.critical.slack.channel = "#soc" is not valid. Specify the channel\'s ID',
        ),
        ('"slack"', '"arn:aws:secretsmanager:eu-west-1:1:secret:x"', "Specify the name, not the ARN"),
        ('"slack"', '""', 'routing.critical.slack.secret_name = "" is not valid. Specify the name'),
        (
            '{ severity = "HIGH" }',
            '"HIGH"',
            'routing.high.filter = "HIGH" is not valid. Specify a table with the findings',
        ),
    ],
)
def test_a_value_that_is_not_allowed_is_shown_with_what_is_allowed(fault, old, new, expected):
    assert expected in fault(changed(old, new))


def test_a_chat_without_the_topic_that_it_belongs_to_is_refused(fault):
    text = changed("[routing.critical]\nenabled = true", "[routing.critical]\nenabled = false")
    line = fault(text.replace("slack = { enabled = false", "slack = { enabled = true"))
    assert line.startswith("routing.critical.slack: enabled is true, but routing.critical.enabled is false")
