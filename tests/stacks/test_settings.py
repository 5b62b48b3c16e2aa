import pytest

from stacks.settings import SETTINGS_FILE, SettingsError, load_settings


@pytest.fixture
def load_with(tmp_path):
    """A function that loads the shipped settings with one text replaced by another."""

    def load(old, new):
        text = SETTINGS_FILE.read_text()
        assert old in text
        path = tmp_path / "settings.toml"
        path.write_text(text.replace(old, new))
        return load_settings(path)

    return load


def test_remediation_is_shipped_switched_off_and_allowed_nowhere():
    remediation = load_settings().remediation
    assert not remediation.enabled
    assert remediation.accounts.allow == []
    assert (remediation.automatic.enabled, remediation.automatic.mode) == (False, "dry-run")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"ebs_default_encryption"', '"ebs"', "There is no remediation ebs; there are"),
        ('administrator_account = "111122223333"', 'administrator_account = "1111"', "administrator_account"),
        ('organization_id = "o-exampleorgid"', 'organization_id = "example"', "organization_id"),
        ("allow = []", 'allow = ["all"]', "accounts.allow.0"),
        ("deny = []", 'deny = ["ANY"]', "accounts.deny.0"),
        ('mode = "dry-run"', 'mode = "on"', "Input should be 'dry-run' or 'apply'"),
        ("maximum_concurrency = 5", "maximum_concurrency = 1", "maximum_concurrency"),
        ('path = "/securityhub/"', 'path = "securityhub"', "remediation.role.path"),
        (
            'enabled = false\norganizational_units = ["ou-abcd-12345678"]',
            "enabled = true\norganizational_units = []",
            "must name at least one unit",
        ),
    ],
)
def test_a_wrong_setting_of_remediation_is_named(load_with, old, new, message):
    with pytest.raises(SettingsError, match=message):
        load_with(old, new)
