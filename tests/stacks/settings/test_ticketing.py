from __future__ import annotations

import pytest

from securityhub_actions.filters import Exists, FindingFilter, Suffix, Wildcard
from stacks.settings import SettingsError, check_settings
from tests.shipped_settings import load_shipped_settings
from tests.stacks.settings.documents import with_rest


@pytest.mark.parametrize("url", ["https://slack.com", "https://slack.com/api", "http://slack.com/api/"])
def test_slacks_url_is_that_of_its_api(overlaid, url):
    with pytest.raises(SettingsError, match=r"ticketing\.slack\.url = .* Specify 'https://slack\.com/api/'"):
        overlaid(f'[ticketing.slack]\nurl = "{url}"')


TICKETING = "enabled = false\nmaximum_concurrency = 5 # 2 to 1,000 batches"


FILTERED = '[ticketing.automatic.filter]\nseverity = ["CRITICAL", "HIGH"]'


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            TICKETING,
            "enabled = true\nmaximum_concurrency = 5 # ",
            "ticketing: enabled is true, but no tracker is enabled",
        ),
        (
            FILTERED,
            FILTERED + '\nworkflow_status = "ANY"',
            "workflow_status matches RESOLVED and SUPPRESSED",
        ),
        (FILTERED, FILTERED + '\nrecord_state = "ANY"', "record_state matches ARCHIVED"),
        (
            FILTERED,
            FILTERED + '\ncompliance_status = ["FAILED", "PASSED"]',
            "compliance_status matches PASSED",
        ),
        (
            FILTERED,
            FILTERED + '\nuser_defined_fields = { Tickets = "SEC-1" }',
            "user_defined_fields contains Tickets, where the function stores its links; remove it",
        ),
        ('issue_type = "Task"', 'issue_type = " "', "the name of an issue type"),
        (
            'close_code = "Solution provided"',
            'close_code = " "',
            "a resolution code of the instance",
        ),
        (
            'url = "https://example.atlassian.net"',
            'url = "http://example.atlassian.net"',
            "jira.url = .http://example.atlassian.net. is not valid. Specify the base URL of the API",
        ),
        ('url = "https://slack', 'url = "https://user@slack', "ticketing.slack.url"),
        ('service_id = "PABC123"', 'service_id = "a service"', "the ID of a service"),
        ('from_email = "securityhub@example.com"', 'from_email = "me"', "the email address of a user"),
        ('project = "SEC"', 'project = "my project"', "the key of a project"),
        ('secret_name = "securityhub-actions/jira"', 'secret_name = "a:b"', "the name, not the ARN"),
    ],
)
def test_a_wrong_setting_of_ticketing_is_named_with_what_is_allowed(old, new, message):
    with pytest.raises(SettingsError, match=message):
        check_settings(with_rest(old, new), source="settings.toml")


def test_automatic_tickets_are_by_default_for_failures_and_what_checks_nothing_of_products_of_aws():
    automatic = load_shipped_settings().ticketing.automatic
    assert automatic.filter == FindingFilter(
        severity=["CRITICAL", "HIGH"],
        product_arn=[Wildcard("arn:*:securityhub:*::product/aws/*")],
        compliance_status=["FAILED", Exists(present=False)],
    )


@pytest.mark.parametrize(
    ("written", "product_arn", "product_name"),
    [
        ('product_arn = "ANY"', None, None),
        ('product_name = "Prowler"', None, ["Prowler"]),
        ('product_arn = { suffix = "/default" }', [Suffix("/default")], None),
    ],
)
def test_a_filter_that_names_products_has_only_those(written, product_arn, product_name):
    settings = check_settings(with_rest(FILTERED, f"{FILTERED}\n{written}"), source="settings.toml")
    found = settings.ticketing.automatic.filter
    assert (found.product_arn, found.product_name) == (product_arn, product_name)
