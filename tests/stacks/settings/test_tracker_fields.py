from __future__ import annotations

import pytest

from stacks.settings import SettingsError


def jira(overlaid, fields, **others):
    lines = [f"{name} = {value}" for name, value in others.items()]
    text = "\n".join(["[ticketing.jira]", f"fields = {fields}", *lines])
    return overlaid(text).ticketing.jira


@pytest.mark.parametrize(
    ("written", "field"),
    [
        ('{ components = "Cloud" }', {"type": "names", "value": ["Cloud"]}),
        ('{ components = ["Cloud", "Web"] }', {"type": "names", "value": ["Cloud", "Web"]}),
        ('{ priority = "High" }', {"type": "name", "value": "High"}),
        ("{ duedate = 2026-01-31 }", {"type": "date", "value": "2026-01-31"}),
        ('{ customfield_1 = { type = "number", value = 3 } }', {"type": "number", "value": 3}),
        ('{ customfield_1 = { asff = "Title" } }', {"type": "string", "asff": ["Title"]}),
        (
            '{ priority = { asff = "Severity.Label", ocsf = "severity", values = { HIGH = "P1" }, '
            'default = "P2" } }',
            {
                "type": "name",
                "asff": ["Severity", "Label"],
                "ocsf": ["severity"],
                "values": {"HIGH": "P1"},
                "default": "P2",
            },
        ),
    ],
)
def test_a_field_becomes_what_the_function_reads(overlaid, written, field):
    assert [*jira(overlaid, written).fields.values()] == [field]


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ('{ summary = "x" }', r'fields\.summary = "x": the function fills this field; it\'s the title'),
        ('{ project = "x" }', "use project"),
        ('{ "my field" = "x" }', "a field of Jira is the ID of a field"),
        ('{ components = " " }', "' ' is not a text that is not blank"),
        ("{ components = [] }", "a list without items is no value"),
        ('{ f = { type = "magic", value = "x" } }', "type is 'magic'; allowed for Jira are string, text"),
        ('{ f = { values = { a = "b" } } }', "specify either value, or asff, ocsf, or both"),
        ('{ f = { value = "x", asff = "Title" } }', "specify either value, or asff"),
        ('{ f = { value = "x", default = "y" } }', "default has no meaning beside value"),
        ('{ f = { asff = "Titel" } }', "a finding in ASFF has no field 'Titel'; did you mean Title"),
        ('{ f = { ocsf = "title" } }', "a finding in OCSF has no field 'title'"),
        ('{ f = { asff = "Types[*]" } }', "a field of the type string has one"),
        ('{ priority = { asff = "Title" } }', "a finding may choose a value of the type name only among"),
        ('{ f = { type = "number", value = "3" } }', "'3' is not a number"),
        ('{ f = { type = "date", value = "soon" } }', "'soon' is not a date such as"),
        ('{ labels = "a b" }', "is not a label, because it has spaces"),
        ('{ f = { value = "x", table = "sys_user" } }', "table is only for the type reference"),
        ('{ f = { value = "x", colour = "red" } }', "colour is not allowed; a field has type, value"),
        ('{ f = { type = "cascade", value = ["a", "b", "c"] } }', "cascade has a parent option and one"),
    ],
)
def test_a_field_that_is_wrong_is_reported_with_the_reason(overlaid, written, message):
    with pytest.raises(SettingsError, match=message):
        jira(overlaid, written)


def test_all_wrong_fields_are_reported_at_once(overlaid):
    with pytest.raises(SettingsError, match="has 2 errors"):
        jira(overlaid, '{ summary = "x", project = "y" }')


def test_a_reference_knows_where_it_is_looked_up(overlaid):
    fields = (
        '{ caller_id = "securityhub", u_owner = { type = "reference", value = "x", table = "sys_user" } }'
    )
    found = overlaid(f"[ticketing.service_now]\nfields = {fields}").ticketing.service_now.fields
    assert found["caller_id"] == {
        "type": "reference",
        "value": "securityhub",
        "table": "sys_user",
        "column": "user_name",
    }
    assert found["u_owner"]["column"] == "name"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[ticketing.service_now]\nfields = { state = "2" }', "the function fills this field; use steps"),
        ('[ticketing.service_now]\nfields = { u_x = { type = "reference", value = "x" } }', "table is None"),
        (
            '[ticketing.service_now]\nsteps = ["6"]',
            r"steps\[0\] = \"6\" is not valid. Specify a list of values",
        ),
        ('[ticketing.pager_duty]\nfields = { title = "x" }', "a field of PagerDuty is 'priority' or"),
        ('[ticketing.slack]\nfields = { "a:b" = "x" }', "what stands before the colon"),
        ('[[ticketing.slack.rules]]\nchannel = "C0PAYMENTS"', r"rules\[0\]: the rule is for no findings"),
        ('[[ticketing.slack.rules]]\ncontrols = ["S3.8"]', r"rules\[0\]: the rule changes nothing"),
        (
            '[[ticketing.jira.rules]]\ncontrols = ["S3.8"]\nproject = "a b"',
            r"jira\.rules\[0\]\.project = .* Specify the key of a project",
        ),
        (
            '[[ticketing.jira.rules]]\naccounts = ["1"]\nproject = "PAY"',
            r"jira\.rules\[0\]\.accounts\[0\] = \"1\" is not valid",
        ),
        (
            '[[ticketing.jira.rules]]\ncontrols = ["S3.8"]\nfields = { summary = "x" }',
            r'jira\.rules\[0\]\.fields\.summary = "x": the function fills',
        ),
        (
            '[[ticketing.jira.rules]]\ncontrols = ["S3.8"]\nchannel = "C0PAYMENTS"',
            r"jira\.rules\[0\]\.channel is not a valid key",
        ),
    ],
)
def test_steps_and_rules_that_are_wrong_are_reported(overlaid, text, message):
    with pytest.raises(SettingsError, match=message):
        overlaid(text)


def test_too_many_rules_are_refused(overlaid):
    rules = ", ".join(f'{{ controls = ["S3.{number}"], channel = "C0PAYMENTS" }}' for number in range(1_001))
    with pytest.raises(SettingsError, match=r"slack\.rules"):
        overlaid(f"[ticketing.slack]\nrules = [{rules}]")


_FINANCE = 'resource_tags = { team = ["finance"] }'
_ANY_TEAM = 'resource_tags = { team = ["ANY"] }'


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ('controls = ["S3.8"]', 'controls = ["S3.8"]'),
        ('controls = ["S3.8", "S3.1"]', 'controls = ["S3.1", "S3.8"]'),
        ('controls = ["S3.8", "S3.1"]', 'controls = ["S3.1"], accounts = ["111122223333"]'),
        ('accounts = ["111122223333"]', f'accounts = ["111122223333"], {_FINANCE}'),
        (_ANY_TEAM, _FINANCE),
        (_ANY_TEAM, _ANY_TEAM),
        (_FINANCE, 'resource_tags = { team = ["finance"], stage = ["prod"] }'),
    ],
)
def test_a_rule_that_no_finding_reaches_is_refused(overlaid, earlier, later):
    other = 'controls = ["EC2.8"]'
    with pytest.raises(SettingsError, match=r"rules\[2\] never counts, because rules\[1\] matches all"):
        overlaid(_slack_rules(other, earlier, later))


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ('controls = ["S3.8"]', 'controls = ["S3.8", "S3.1"]'),
        ('controls = ["S3.8"]', 'accounts = ["111122223333"]'),
        ('controls = ["S3.8"], accounts = ["111122223333"]', 'controls = ["S3.8"]'),
        (_FINANCE, _ANY_TEAM),
        (_FINANCE, 'resource_tags = { stage = ["finance"] }'),
        ('resource_tags = { team = ["finance"], stage = ["ANY"] }', _FINANCE),
    ],
)
def test_a_rule_may_follow_one_that_leaves_it_findings(overlaid, earlier, later):
    assert len(overlaid(_slack_rules(earlier, later)).ticketing.slack.rules) == 2


def _slack_rules(*conditions):
    rules = ", ".join(f'{{ {one}, channel = "C0PAYMENTS" }}' for one in conditions)
    return f"[ticketing.slack]\nrules = [{rules}]"


@pytest.mark.parametrize("tracker", ["jira", "service_now"])
def test_a_rule_may_say_only_what_is_set_when_a_ticket_is_closed(overlaid, tracker):
    text = f"[[ticketing.{tracker}.rules]]\naccounts = ['111122223333']\nclose_fields = {{ u_x = 'y' }}"
    (rule,) = getattr(overlaid(text).ticketing, tracker).rules
    assert rule.close_fields == {"u_x": {"type": "string", "value": "y"}}
