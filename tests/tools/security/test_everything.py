from __future__ import annotations

from pydantic import BaseModel

from stacks.remediation_catalog import read_catalog
from stacks.settings import load_settings
from tests.shipped_settings import SHIPPED_SETTINGS_FILE
from tools.security.__main__ import EVERYTHING


def switches(section, path=""):
    """The values of all keys `enabled` in the settings by their path."""
    for name in type(section).model_fields:
        value = getattr(section, name)
        if isinstance(value, BaseModel):
            yield from switches(value, f"{path}{name}.")
        elif name == "enabled":
            yield f"{path}{name}", value


def test_everything_is_turned_on_in_the_app_that_is_checked():
    settings = load_settings(SHIPPED_SETTINGS_FILE, overlay=EVERYTHING)
    assert [path for path, is_on in switches(settings) if not is_on] == []
    assert settings.suppressions
    assert settings.alarms.topic_arn
    ticketing = settings.ticketing
    for tracker in (ticketing.jira, ticketing.service_now, ticketing.pager_duty):
        assert tracker.decisions.webhook_secret_name
    assert ticketing.service_now.jwt_key_id
    # The roles of members have the permissions of those that are enabled.
    assert settings.remediation.remediations == sorted(read_catalog())
