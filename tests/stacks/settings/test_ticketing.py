from __future__ import annotations

import re

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
        (
            'group_by = "finding"',
            'group_by = "severity"',
            "group_by = .severity. is not valid. Specify 'finding' for .*, or 'control', 'control and",
        ),
        ('group_by = "finding" #', "#", r"ticketing\.group_by is missing"),
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
        (
            'url = "https://slack.com/api/"\nchannel',
            'url = "https://user@slack.com/api/"\nchannel',
            "ticketing.slack.url",
        ),
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
        ('product_name = "Prowler"\nproduct_arn = "ANY"', None, ["Prowler"]),
        ('product_name = "ANY"', [Wildcard("arn:*:securityhub:*::product/aws/*")], None),
        ('product_arn = { suffix = "/default" }', [Suffix("/default")], None),
    ],
)
def test_a_filter_that_names_products_has_only_those(written, product_arn, product_name):
    settings = check_settings(with_rest(FILTERED, f"{FILTERED}\n{written}"), source="settings.toml")
    found = settings.ticketing.automatic.filter
    assert (found.product_arn, found.product_name) == (product_arn, product_name)


def test_the_name_of_a_product_which_any_account_can_choose_does_not_stand_for_its_arn():
    said = r'ticketing\.automatic\.filter\.product_name = "GuardDuty": .* set product_arn as well, such as'
    with pytest.raises(SettingsError, match=said):
        check_settings(with_rest(FILTERED, f'{FILTERED}\nproduct_name = "GuardDuty"'), source="settings.toml")


DECISIONS = "[ticketing.jira.decisions]\n"


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ('resolved = ["Done"]\nsuppressed = ["done "]', "decisions: 'done' is listed twice"),
        (
            'resolved = ["Done", " "]',
            "decisions: a name of a state is blank, or has more than 100 characters",
        ),
        ('webhook_secret_name = "jira"', "webhook_secret_name is set, but resolved and suppressed are empty"),
        ('webhook_secret_name = "a b"\nresolved = ["Done"]', "the name, not the ARN, of a secret"),
        ('resolved = "Done"', r"resolved = .Done. is not valid. Specify a list of names of states"),
        ("accepted = []", "accepted is not a valid key. Use a table with resolved, suppressed, and webhook"),
    ],
)
def test_decisions_that_say_nothing_clear_are_refused(overlaid, table, message):
    with pytest.raises(SettingsError, match=message):
        overlaid(DECISIONS + table)


def test_a_decision_that_nobody_can_take_in_pager_duty_is_refused(overlaid):
    message = (
        "pager_duty.decisions: PagerDuty has no state 'Done'; the states of closed incidents are resolved"
    )
    with pytest.raises(SettingsError, match=message):
        overlaid('[ticketing.pager_duty.decisions]\nresolved = ["Done"]')


def test_decisions_are_off_as_shipped_and_on_with_a_state_that_has_a_meaning(overlaid):
    assert not load_shipped_settings().ticketing.jira.decisions.enabled
    assert overlaid(DECISIONS + 'suppressed = ["Won\'t Do"]').ticketing.jira.decisions.enabled


def test_a_file_of_an_earlier_version_is_told_what_to_add():
    document = with_rest("poll_minutes = 60", "")
    del document["ticketing"]["jira"]["decisions"]
    with pytest.raises(SettingsError) as raised:
        check_settings(document, source="settings.toml")
    assert "ticketing.poll_minutes is missing. Specify a whole number from 5 to 1440" in str(raised.value)
    assert (
        "ticketing.jira.decisions is missing. Specify a table with resolved, suppressed, and webhook_secret"
        in str(raised.value)
    )


def test_what_is_decided_about_a_group_can_be_followed(overlaid):
    settings = overlaid('[ticketing]\ngroup_by = "control"\n' + DECISIONS + 'resolved = ["Done"]')
    assert settings.ticketing.decisions["jira"].enabled


CONNECTOR = (
    "[ticketing]\nenabled = true\n{}\n[ticketing.connector]\nenabled = true\n"
    'connector_id = "a1b2c3d4-5678-90ab-cdef-000000000001"\n[hubs]\nticketing = "{}"\n'
)


def test_a_connector_is_for_findings_of_the_new_security_hub(overlaid):
    settings = overlaid(CONNECTOR.format("", "v2")).ticketing
    assert [name for name, one in settings.trackers.items() if one.enabled] == ["connector"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            CONNECTOR.format("", "cspm"),
            r"hubs\.ticketing is 'cspm'; a connector is only for findings of the new",
        ),
        (CONNECTOR.format("", "both"), "hubs.ticketing is 'both'"),
        (CONNECTOR.format('group_by = "control"', "v2"), "a ticket that Security Hub creates .* about one"),
        (
            CONNECTOR.format("", "v2").replace("000000000001", "1"),
            r"ticketing\.connector\.connector_id = .*the ID of a connector of the new Security Hub",
        ),
        (
            CONNECTOR.format("", "v2") + "[[ticketing.connector.rules]]\naccounts = ['111122223333']",
            "the rule changes nothing; specify one or more of connector_id",
        ),
    ],
)
def test_what_a_connector_can_not_do_is_refused(overlaid, text, reason):
    with pytest.raises(SettingsError, match=reason):
        overlaid(text)


@pytest.mark.parametrize(
    "url",
    [
        "https://teams.microsoft.com/l/channel/19%3Ax%40thread.tacv2/Security?groupId=a&tenantId=b",
        "https://teams.cloud.microsoft/l/channel/1",
        "https://gov.teams.microsoft.us/l/channel/1",
    ],
)
def test_the_link_to_a_channel_is_one_of_teams(overlaid, url):
    assert overlaid(f'[ticketing.teams]\nchannel_url = "{url}"').ticketing.teams.channel_url == url


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('channel_url = "https://teams.example.com/x"', "the link to the channel, which Teams shows"),
        ('channel_url = "https://teams.microsoft.com.example.com/x"', "the link to the channel"),
        ('channel_url = "https://teams.microsoft.com/a b"', "the link to the channel"),
        ('fields = { "a:b" = "x" }', "a field of Microsoft Teams is what stands before the colon"),
        ('rules = [{ controls = ["S3.8"] }]', "specify one or more of webhook, channel_url, and fields"),
        ('rules = [{ controls = ["S3.8"], webhook = "https://x" }]', "webhook"),
    ],
)
def test_a_wrong_setting_of_teams_is_named(overlaid, text, reason):
    with pytest.raises(SettingsError, match=reason):
        overlaid(f"[ticketing.teams]\n{text}")


@pytest.mark.parametrize(
    ("tracker", "url", "message"),
    [
        ("jira", "https://example.atlassian.net/jira", "specify https://example.atlassian.net"),
        ("jira", "https://example.atlassian.net/browse/SEC-1", "specify https://example.atlassian.net"),
        ("jira", "https://api.atlassian.com/ex/jira/", "specify https://api.atlassian.com/ex/jira/CLOUD_ID"),
        ("jira", "https://api.atlassian.com", "specify https://api.atlassian.com/ex/jira/CLOUD_ID"),
        (
            "jira",
            "https://api.atlassian.com/ex/jira/11223344-a1b2-4c3d-8e9f-123456789abc/rest/api/3",
            "the gateway needs the cloud ID of the site, and nothing else",
        ),
        ("jira", "https://example.com/jira/rest/api/2", "specify https://example.com/jira"),
        (
            "service_now",
            "https://example.service-now.com/navpage.do",
            "specify https://example.service-now.com",
        ),
    ],
)
def test_a_url_that_leads_to_no_api_is_an_error(overlaid, tracker, url, message):
    with pytest.raises(SettingsError, match=rf"ticketing\.{tracker}\.url.*{re.escape(message)}"):
        overlaid(f'[ticketing.{tracker}]\nurl = "{url}"')


@pytest.mark.parametrize(
    "url",
    [
        "https://example.atlassian.net/",
        "https://jira.example.com/jira",
        "https://api.atlassian.com/ex/jira/11223344-a1b2-4c3d-8e9f-123456789abc",
    ],
)
def test_sites_gateways_and_data_centers_below_a_path_are_urls_of_jira(overlaid, url):
    assert overlaid(f'[ticketing.jira]\nurl = "{url}"').ticketing.jira.url == url


@pytest.mark.parametrize("tracker", ["jira", "pager_duty"])
def test_the_function_for_webhooks_may_not_read_the_credential_of_a_tracker(overlaid, tracker):
    with pytest.raises(
        SettingsError, match="webhook_secret_name is 'the-secret', the secret with a tracker's"
    ):
        overlaid(
            f'[ticketing.{tracker}]\nenabled = true\nsecret_name = "the-secret"\n'
            '[ticketing.jira.decisions]\nresolved = ["Done"]\nwebhook_secret_name = "the-secret"'
        )
