from __future__ import annotations

import pytest

from functions.remediate.settings import Settings

REQUIRED = dict.fromkeys(
    ("MEMBER_ROLE", "AUTOMATION_ROLE", "EXTERNAL_ID", "RECORDS_BUCKET", "IDEMPOTENCY_TABLE"), "x"
)
TABLE = "_RESOURCE_TAGS must be a JSON object of tag keys and lists of values"


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("AUTOMATIC_MODE", "yes", "AUTOMATIC_MODE must be one of dry-run, apply, but is 'yes'"),
        ("ALLOWED_ACCOUNTS", "all", "ALLOWED_ACCOUNTS or DENIED_ACCOUNTS is wrong: 'all' is not a 12-digit"),
        ("DENIED_ACCOUNTS", "444455556666,ou-abcd", "'ou-abcd' is not a 12-digit account ID, the ID of an"),
        ("DENIED_RESOURCE_TAGS", "team", f"DENIED{TABLE}"),
        ("DENIED_RESOURCE_TAGS", '["team"]', f"DENIED{TABLE}"),
        ("DENIED_RESOURCE_TAGS", '{"team": "payments"}', f"DENIED{TABLE}"),
        ("DENIED_RESOURCE_TAGS", '{"team": []}', f"DENIED{TABLE}"),
        ("ALLOWED_RESOURCE_TAGS", '{"team": [1]}', f"ALLOWED{TABLE}"),
        ("MEMBER_ROLE", " ", "MEMBER_ROLE must be a text that is not blank"),
    ],
)
def test_a_wrong_setting_is_refused_at_cold_start(name, value, message):
    with pytest.raises(ValueError, match=message):
        Settings.from_environment({**REQUIRED, name: value})


def test_without_an_allow_list_no_account_is_allowed():
    settings = Settings.from_environment(REQUIRED)
    assert settings.accounts.refusal("444455556666", lambda _: ("r-abcd",))


def test_without_lists_of_tags_these_do_not_matter():
    assert not Settings.from_environment(REQUIRED).resource_tags.decide


def test_lists_are_read():
    settings = Settings.from_environment(
        {
            **REQUIRED,
            "ALLOWED_ACCOUNTS": "444455556666, ou-abcd-12345678",
            "DENIED_ACCOUNTS": "r-abcd,ANY",
            "DENIED_RESOURCE_TAGS": '{"team": ["a", "b"]}',
        }
    )
    assert settings.accounts.allow == {"444455556666", "ou-abcd-12345678"}
    assert settings.accounts.deny == {"r-abcd", "ANY"}
    assert settings.resource_tags.deny == {"team": {"a", "b"}}


APPROVAL = {
    "APPROVAL_RUNBOOK": "runbook",
    "APPROVAL_TABLE": "requests",
    "APPROVAL_HOURS": "24",
    "APPROVAL_REMEDIATIONS": "ANY",
    "APPROVAL_ACCOUNTS": "444455556666,ou-abcd-12345678",
}


def test_what_needs_approval_is_read_and_nothing_does_by_default():
    assert Settings.from_environment(REQUIRED).approval is None
    approval = Settings.from_environment(REQUIRED | APPROVAL).approval
    assert approval.scope.accounts == {"444455556666", "ou-abcd-12345678"}
    assert (approval.runbook, approval.table, approval.hours) == ("runbook", "requests", 24)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("APPROVAL_RUNBOOK", ""),
        ("APPROVAL_TABLE", " "),
        ("APPROVAL_HOURS", "0"),
        ("APPROVAL_HOURS", "a day"),
        ("APPROVAL_ACCOUNTS", "all"),
    ],
)
def test_settings_of_approval_that_are_incomplete_do_not_mean_that_nothing_needs_it(name, value):
    with pytest.raises(ValueError, match=name):
        Settings.from_environment({**REQUIRED, **APPROVAL, name: value})
