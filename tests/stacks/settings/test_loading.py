from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from securityhub_actions.filters import FindingFilter
from stacks.settings import SettingsError, load_settings
from tests.hypothesis_profiles import examples
from tests.shipped_settings import load_shipped_settings


def test_the_settings_of_the_app_load():
    load_settings()


def test_another_file_says_what_differs(overlaid):
    shipped, settings = load_shipped_settings(), overlaid("[routing.archive]\nretention_days = 30")
    assert settings.routing.archive.retention_days == 30
    assert settings.routing.archive.filter == shipped.routing.archive.filter
    assert settings.routing.high == shipped.routing.high


def test_a_list_of_the_other_file_replaces_the_list(overlaid):
    changed = overlaid('[remediation]\nremediations = ["s3_public_access"]')
    assert changed.remediation.remediations == ["s3_public_access"]


def test_a_filter_of_the_other_file_replaces_the_filter(overlaid):
    archive = overlaid('[routing.archive.filter]\nseverity = "HIGH"').routing.archive
    assert archive.filter == FindingFilter(severity=["HIGH"])
    assert archive.enabled


def test_a_fault_names_both_files(overlaid):
    with pytest.raises(
        SettingsError, match=r"settings\.toml with .*production\.toml has an error:\n.*= \"yes\""
    ):
        overlaid('[routing.high]\nenabled = "yes"')


def test_a_missing_second_file_is_reported(tmp_path):
    with pytest.raises(SettingsError, match=r"correct the path in -c settings=PATH"):
        load_shipped_settings(overlay=tmp_path / "missing.toml")


def test_a_missing_file_is_named_with_what_to_do(tmp_path):
    with pytest.raises(SettingsError, match=r"none\.toml does not exist\. Restore settings.toml"):
        load_settings(tmp_path / "none.toml")


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(SettingsError, match=r"cannot be read: Is a directory\."):
        load_settings(tmp_path)


@pytest.mark.parametrize(
    "content",
    [b"routing = ", b"\xff", b"a = " + b"[" * 5000, b"a = " + b"1" * 5000, b"[a]\n[a]"],
    ids=["incomplete", "no-utf-8", "too-deep", "too-long-number", "twice"],
)
def test_a_file_that_is_no_toml_is_named_with_the_reason(tmp_path, content):
    file = tmp_path / "settings.toml"
    file.write_bytes(content)
    with pytest.raises(SettingsError, match=r"settings\.toml is not a TOML file.*: .+\."):
        load_settings(file)


@examples(1, suppress=[HealthCheck.function_scoped_fixture])
@given(text=st.text(max_size=40) | st.text(alphabet="a.[]{}=\"'\n1-:", max_size=40))
def test_a_text_without_the_settings_is_refused_with_a_settingserror(load, text):
    with pytest.raises(SettingsError):
        load(text)
