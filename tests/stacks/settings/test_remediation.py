from __future__ import annotations

import tomllib

import pytest

from securityhub_actions.filters import FindingFilter, Wildcard
from stacks.settings import SettingsError, check_settings
from tests.shipped_settings import load_shipped_settings
from tests.stacks.settings.documents import REST, VALID, with_rest


@pytest.mark.parametrize(
    "region", ["eu-west-1", "us-gov-east-1", "cn-north-1", "eusc-de-east-1", "us-isob-east-1"]
)
def test_members_can_be_changed_in_a_region_of_any_partition(overlaid, region):
    assert overlaid(f'[remediation]\nregions = ["{region}"]').remediation.regions == [region]


TABLE = "[remediation.parameters]"


def table(module, key="kms_key", value="alias/security"):
    """The parameters of a remediation."""
    return f'[remediation.parameters.{module}]\n{key} = "{value}"\n'


@pytest.mark.parametrize("module", ["cloudtrail_encryption", "sns_topic_encryption"])
@pytest.mark.parametrize(
    "key",
    [
        "alias/security",
        "1234abcd-12ab-34cd-56ef-1234567890ab",
        "mrk-1234abcd12ab34cd56ef1234567890ab",
        "arn:aws-cn:kms:cn-north-1:444455556666:key/1234abcd-12ab-34cd-56ef-1234567890ab",
        "arn:aws:kms:eu-west-1:444455556666:alias/security",
    ],
)
def test_a_remediation_can_be_told_a_key_in_every_way_that_aws_names_one(module, key):
    remediation = check_parameters_of(module, table(module, value=key)).remediation
    assert remediation.parameters == {module: {"kms_key": key}}


@pytest.mark.parametrize("module", ["cloudtrail_encryption", "sns_topic_encryption"])
@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("kms_key", "security", "kms_key = 'security' is not valid; specify a customer managed key"),
        ("kms_key", "", "kms_key = '' is not valid; specify"),
        ("kms_key", "alias/aws/sns", "kms_key = .* is not valid; specify .* not an AWS managed key"),
        (
            "kms_key",
            "arn:aws:kms:eu-west-1:444455556666:alias/aws/s3",
            "kms_key = .* not an AWS managed key",
        ),
        (
            "key",
            "alias/security",
            r"key is unknown; \w+ takes kms_key; \w+\.kms_key is missing; specify a cust",
        ),
    ],
)
def test_a_parameter_that_a_remediation_does_not_take_is_named_with_what_it_takes(
    module, key, value, message
):
    with pytest.raises(SettingsError, match=rf"remediation\.parameters: {module}\.{message}"):
        check_parameters_of(module, table(module, key, value))


def check_parameters_of(module, parameters):
    """Check the shipped settings with one more remediation enabled and told these parameters."""
    text = REST.replace('"ebs_default_encryption"', f'"{module}"').replace(TABLE, parameters)
    return check_settings(tomllib.loads(VALID + text), source="settings.toml")


def test_remediation_is_shipped_switched_off_and_allowed_nowhere():
    remediation = load_shipped_settings().remediation
    assert not remediation.enabled
    assert remediation.accounts.allow == []
    assert (remediation.automatic.enabled, remediation.automatic.mode) == (False, "dry-run")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"ebs_default_encryption"', '"ebs"', r"remediations: there is no remediation ebs; there are"),
        (
            TABLE,
            table("nonsense"),
            "no remediation nonsense that .*; those that do are cloudtrail_encryption",
        ),
        (TABLE, table("s3_public_access"), "no remediation s3_public_access that takes parameters"),
        (
            TABLE,
            table("cloudtrail_encryption"),
            "cloudtrail_encryption is not enabled; add it to",
        ),
        (
            '"ebs_default_encryption"',
            '"cloudtrail_encryption"',
            "kms_key is missing; specify a customer",
        ),
        ('administrator_account = "111122223333"', 'administrator_account = "1111"', "12-digit ID"),
        (
            'administrator_account = "111122223333"',
            "administrator_account = 111122223333",
            "administrator_account = 111122223333 needs quotation marks. Specify the 12-digit ID",
        ),
        ('"ebs_default_encryption"', '"ebs_default_encrypt"', "did you mean ebs_default_encryption?"),
        ("regions = []", 'regions = ["Europe"]', r"such as \['eu-west-1'\]"),
        ('organization_id = "o-exampleorgid"', 'organization_id = "example"', "organization_id"),
        (
            "allow = []",
            'allow = ["all"]',
            r"accounts.allow\[0\] = .all. is not valid. Specify a list of 12-digit",
        ),
        ("deny = []", 'deny = ["ou-abcd"]', r"accounts.deny\[0\]"),
        (
            "allow = {}",
            "allow = { team = 'a' }",
            r"resource_tags.allow.team = .a. is not valid. Specify a table of tag",
        ),
        (
            "deny = {}",
            "deny = { team = [] }",
            r"resource_tags.deny.team = \[\] is not valid. Specify a table of",
        ),
        ("deny = {}", "deny = { '' = ['a'] }", r"resource_tags.deny"),
        ('mode = "dry-run"', 'mode = "on"', "mode = .on. is not valid. Specify 'dry-run'"),
        ("= 5 # 2 to 1,000 at a time", "= 1", "a whole number from 2 to 1000"),
        ('path = "/securityhub/"', 'path = "securityhub"', "a leading and a trailing slash"),
        (
            'administrator_name = "SecurityHubRemediation"',
            'administrator_name = "securityhubremediationmember"',
            r"remediation\.role: name, automation_name, and administrator_name are .* a name of its own",
        ),
        ('path = "/securityhub/"', f'path = "/{"a" * 511}/"', "up to 512 characters"),
        ('["ou-abcd-12345678"]', "[]", "at least one ID of an organizational unit"),
    ],
)
def test_a_wrong_setting_of_remediation_is_named_with_what_is_allowed(old, new, message):
    with pytest.raises(SettingsError, match=message):
        check_settings(with_rest(old, new), source="settings.toml")


def test_automatic_remediation_is_by_default_for_findings_of_products_of_aws():
    automatic = load_shipped_settings().remediation.automatic
    assert automatic.filter == FindingFilter(
        severity=["CRITICAL", "HIGH"], product_arn=[Wildcard("arn:*:securityhub:*::product/aws/*")]
    )


def test_a_rule_for_imported_findings_is_refused_where_no_remediation_serves_a_control():
    document = with_rest("enabled = false\nmode", "enabled = true\nmode")
    document["remediation"]["remediations"] = ["ec2_quarantine", "iam_exposed_access_key"]
    message = (
        r"remediation\.automatic: enabled is true, but no Security Hub .* ec2_quarantine and iam_exposed"
    )
    with pytest.raises(SettingsError, match=message):
        check_settings(document, source="settings.toml")


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("control_ids", "S3.8", r"filter\.control_ids lets none of EC2\.7 pass"),
        ("control_ids", {"anything-but": "EC2.7"}, r"filter\.control_ids lets none of EC2\.7 pass"),
        ("compliance_status", "WARNING", r"filter\.compliance_status lets none of FAILED pass"),
        ("compliance_status", {"exists": False}, r"filter\.compliance_status lets none of FAILED pass"),
    ],
)
def test_a_filter_that_lets_nothing_pass_that_can_be_remediated_is_refused(field, value, message):
    document = with_rest("enabled = false\nmode", "enabled = true\nmode")
    document["remediation"]["remediations"] = ["ebs_default_encryption"]
    document["remediation"]["automatic"]["filter"] = {field: value}
    with pytest.raises(SettingsError, match=rf"remediation\.automatic: {message}"):
        check_settings(document, source="settings.toml")
