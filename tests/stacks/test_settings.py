from __future__ import annotations

import tomllib

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from securityhub_actions.filters import AnythingBut, Exists, FindingFilter, Numeric, Prefix, Suffix, Wildcard
from stacks.settings import SettingsError, check_settings, load_settings
from tests.hypothesis_profiles import examples
from tests.shipped_settings import SHIPPED_SETTINGS_FILE, load_shipped_settings

VALID = """
[routing.archive]
enabled = true
retention_days = 400
filter = { workflow_status = "ANY", record_state = "ANY" }

[routing.critical]
enabled = true
emails = []
filter = { severity = "CRITICAL" }
slack = { enabled = false, channel = "C024BE91L", secret_name = "slack" }

[routing.high]
enabled = true
filter = { severity = "HIGH" }
"""
# The rest that is shipped, so that each of these files lacks nothing but what its test takes away.
REMEDIATION = (
    "\n[remediation]" + SHIPPED_SETTINGS_FILE.read_text(encoding="utf-8").partition("\n[remediation]")[2]
)


@pytest.fixture
def load(tmp_path):
    """A function that loads settings from the text of a file."""
    file = tmp_path / "settings.toml"

    def load(text):
        file.write_text(text + REMEDIATION, encoding="utf-8")
        return load_settings(file)

    return load


def changed(old, new):
    assert VALID.count(old) == 1, f"{old} must stand once in VALID"
    return VALID.replace(old, new)


def with_filter(table):
    return changed('{ severity = "HIGH" }', table)


@pytest.fixture
def fault(load):
    """A function that returns the one fault of a file."""

    def fault(text):
        with pytest.raises(SettingsError) as raised:
            load(text)
        count, line = str(raised.value).split("\n")
        assert count.endswith("settings.toml has an error:")
        return line.strip()

    return fault


def test_the_settings_of_the_app_load():
    load_settings()


@pytest.fixture
def overlaid(tmp_path):
    """A function that loads the shipped settings with what differs."""

    def load(text):
        file = tmp_path / "production.toml"
        file.write_text(text, encoding="utf-8")
        return load_shipped_settings(overlay=file)

    return load


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


@pytest.mark.parametrize(
    "region", ["eu-west-1", "us-gov-east-1", "cn-north-1", "eusc-de-east-1", "us-isob-east-1"]
)
def test_members_can_be_changed_in_a_region_of_any_partition(overlaid, region):
    assert overlaid(f'[remediation]\nregions = ["{region}"]').remediation.regions == [region]


@pytest.mark.parametrize("url", ["https://slack.com", "https://slack.com/api", "http://slack.com/api/"])
def test_slacks_url_is_that_of_its_api(overlaid, url):
    with pytest.raises(SettingsError, match=r"ticketing\.slack\.url = .* Specify 'https://slack\.com/api/'"):
        overlaid(f'[ticketing.slack]\nurl = "{url}"')


def test_what_is_no_topic_cannot_be_told_of_alarms(overlaid):
    with pytest.raises(
        SettingsError,
        match=r"alarms\.topic_arn = .* Specify the ARN of an SNS topic",
    ):
        overlaid('[alarms]\ntopic_arn = "on-call"')


def test_a_fault_names_both_files(overlaid):
    with pytest.raises(
        SettingsError, match=r"settings\.toml with .*production\.toml has an error:\n.*= \"yes\""
    ):
        overlaid('[routing.high]\nenabled = "yes"')


def test_a_missing_second_file_is_reported(tmp_path):
    with pytest.raises(SettingsError, match=r"correct the path in -c settings=PATH"):
        load_shipped_settings(overlay=tmp_path / "missing.toml")


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


def test_settings_cannot_be_changed_after_they_were_checked(load):
    with pytest.raises(ValueError, match="frozen"):
        load(VALID).routing.high.enabled = False


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
    ("text", "expected"),
    [
        (
            changed("retention_days", "retention"),
            [
                "routing.archive.retention_days is missing. Specify a whole number from 1 to 36500, the days",
                "routing.archive.retention is not a valid key. Use a table with enabled, "
                "retention_days and filter",
            ],
        ),
        (
            "[route]",
            [
                "routing is missing. Specify a table with archive, critical and high.",
                "route is not a valid key. Use a table with routing, remediation, ticketing, "
                "alarms and tracing",
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


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ("{ severity_score = 101 }", "severity_score must be a number from 0 to 100, not 101"),
        ("{ severity_score = nan }", "severity_score must be a number from 0 to 100, not nan"),
        ("{ severity = [] }", "severity is an empty list, which matches nothing"),
        ("{ severity = {} }", "a match expression has one operator, not []"),
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
            "no finding can ever match it, because none of the severities that it allows has a "
            "severity_score that it allows",
        ),
    ],
)
def test_a_filter_that_eventbridge_cannot_express_is_refused_with_the_reason(fault, table, expected):
    line = fault(with_filter(table))
    assert line.startswith("routing.high.filter")
    assert expected in line


def test_a_chat_without_the_topic_that_it_belongs_to_is_refused(fault):
    text = changed("[routing.critical]\nenabled = true", "[routing.critical]\nenabled = false")
    line = fault(text.replace("slack = { enabled = false", "slack = { enabled = true"))
    assert line.startswith("routing.critical.slack: enabled is true, but routing.critical.enabled is false")


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


_SCALARS = st.one_of(
    st.booleans(),
    st.integers(),
    st.floats(),
    st.dates(),
    st.text(max_size=5),
    st.sampled_from(["ANY", "NEW", "HIGH", "CRITICAL", "111122223333", "eu-west-1", ">=", "*"]),
)
_KEYS = st.sampled_from(
    [
        *FindingFilter.__dataclass_fields__,
        *("prefix", "suffix", "wildcard", "numeric", "anything-but", "equals-ignore-case", "exists", "cidr"),
    ]
)
_VALUES = st.recursive(
    _SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=3)
)


@st.composite
def documents(draw):
    """The valid document with a few of its values replaced, tables included."""
    document = tomllib.loads(VALID + REMEDIATION)
    for _ in range(draw(st.integers(1, 3))):
        table = document
        while True:
            key = draw(st.sampled_from(sorted(table))) if table else "routing"
            if not isinstance(table.get(key), dict) or draw(st.integers(0, 4)) == 0:
                break
            table = table[key]
        table[key] = draw(_VALUES)
    return document


@examples(2)
@given(document=documents())
def test_any_document_gives_usable_settings_or_a_settingserror(document):
    try:
        routing = check_settings(document, source="settings.toml").routing
    except SettingsError:
        return
    assert 1 <= routing.archive.retention_days <= 36_500
    for part in (routing.archive, routing.critical, routing.high):
        assert part.filter.unreachable_reason() is None


@examples(1, suppress=[HealthCheck.function_scoped_fixture])
@given(text=st.text(max_size=40) | st.text(alphabet="a.[]{}=\"'\n1-:", max_size=40))
def test_a_text_without_the_settings_is_refused_with_a_settingserror(load, text):
    with pytest.raises(SettingsError):
        load(text)


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
        ("kms_key", "alias/aws/sns", "kms_key = .* is not valid; specify .* no key that AWS manages"),
        (
            "kms_key",
            "arn:aws:kms:eu-west-1:444455556666:alias/aws/s3",
            "kms_key = .* no key that AWS manages",
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
    text = REMEDIATION.replace('"ebs_default_encryption"', f'"{module}"').replace(TABLE, parameters)
    return check_settings(tomllib.loads(VALID + text), source="settings.toml")


def with_remediation(old, new):
    """A valid file with one text of its part on remediation replaced."""
    assert REMEDIATION.count(old) == 1, f"{old} must stand once in REMEDIATION"
    return tomllib.loads(VALID + REMEDIATION.replace(old, new))


def test_remediation_is_shipped_switched_off_and_allowed_nowhere():
    remediation = load_shipped_settings().remediation
    assert not remediation.enabled
    assert remediation.accounts.allow == []
    assert (remediation.automatic.enabled, remediation.automatic.mode) == (False, "dry-run")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"ebs_default_encryption"', '"ebs"', r"remediations: There is no remediation ebs; there are"),
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
        ('["ou-abcd-12345678"]', "[]", "at least one ID of an organizational unit"),
    ],
)
def test_a_wrong_setting_of_remediation_is_named_with_what_is_allowed(old, new, message):
    with pytest.raises(SettingsError, match=message):
        check_settings(with_remediation(old, new), source="settings.toml")


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
        check_settings(with_remediation(old, new), source="settings.toml")


def test_automatic_tickets_are_by_default_for_failures_and_what_checks_nothing_of_products_of_aws():
    automatic = load_shipped_settings().ticketing.automatic
    assert automatic.filter == FindingFilter(
        severity=["CRITICAL", "HIGH"],
        product_arn=[Wildcard("arn:*:securityhub:*::product/aws/*")],
        compliance_status=["FAILED", Exists(present=False)],
    )


def test_automatic_remediation_is_by_default_for_findings_of_products_of_aws():
    automatic = load_shipped_settings().remediation.automatic
    assert automatic.filter == FindingFilter(
        severity=["CRITICAL", "HIGH"], product_arn=[Wildcard("arn:*:securityhub:*::product/aws/*")]
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
    settings = check_settings(with_remediation(FILTERED, f"{FILTERED}\n{written}"), source="settings.toml")
    found = settings.ticketing.automatic.filter
    assert (found.product_arn, found.product_name) == (product_arn, product_name)


def test_a_rule_for_imported_findings_is_refused_where_no_remediation_serves_a_control():
    document = with_remediation("enabled = false\nmode", "enabled = true\nmode")
    document["remediation"]["remediations"] = ["ec2_quarantine", "iam_exposed_access_key"]
    message = (
        r"remediation\.automatic: enabled is true, but no Security Hub .* ec2_quarantine and iam_exposed"
    )
    with pytest.raises(SettingsError, match=message):
        check_settings(document, source="settings.toml")
