"""Whether ticketing's settings are what the trackers want, asked of servers that speak their APIs."""

from __future__ import annotations

import base64
import io
import json
import zipfile
from types import MappingProxyType

import pytest

from securityhub_actions.cli.doctor import State
from tests.cli.doctor.conftest import deployed, refusal
from tests.vendor_servers.jira import Issue, Transition
from tests.vendor_servers.jira_fields import Field
from tests.vendor_servers.jwt_verifier import RsaKey
from tests.vendor_servers.pager_duty import OTHER_SERVICE_ID, SERVICE_ID
from tests.vendor_servers.slack import CHANNEL, OTHER_CHANNEL

FILE = "tracker_settings/settings.json"
COMPONENT = Field(name="Component/s", type="array", items="component", required=True, allowed=["Cloud"])
RESOLUTION = Field(name="Resolution", type="resolution", required=True, allowed=["Done"])
CLOUD = {"components": {"type": "names", "value": ["Cloud"]}}


@pytest.fixture
def examined(doctor, tmp_path, vendor_servers):
    """A function that checks a tracker with settings, as synthesized: the state and text of each result."""

    def examined(name, settings=None, *, secret=None, answers=MappingProxyType({}), **variables):
        environment = {**vendor_servers.environment(name), **variables}
        resources = {"F": function(environment)}
        if settings is not None:
            file = tmp_path / "asset.abc" / "python" / FILE
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps({name: settings}))
            environment["TRACKER_SETTINGS"] = FILE
            resources["L"] = {
                "Type": "AWS::Lambda::LayerVersion",
                "Properties": {"Content": {"S3Bucket": "b", "S3Key": "abc.zip"}},
            }
        value = {"SecretString": json.dumps(secret or vendor_servers.server(name).secret)}
        found = doctor("trackers", resources, secretsmanager__GetSecretValue=value, **answers)
        shown = json.dumps([f"{one.text} {one.cure}" for one in found])
        hidden = {"email", "username", "client_id"}
        assert not any(
            text in shown
            for member, text in json.loads(value["SecretString"]).items()
            if member not in hidden
        )
        return [(one.state, f"{one.text} {one.cure}") for one in found]

    return examined


def function(environment):
    return {"Type": "AWS::Lambda::Function", "Properties": {"Environment": {"Variables": environment}}}


def only(found, state):
    """The one result of a state."""
    (text,) = (text for one, text in found if one == state)
    return text


def test_an_app_without_trackers_has_nothing_to_check(doctor):
    (found,) = doctor("trackers", {"F": function({"A": "b"})})
    assert found.state == State.SKIPPED


@pytest.mark.parametrize("name", ["jira", "servicenow", "pagerduty", "slack"])
def test_what_is_shipped_fits_a_tracker_that_requires_nothing_else(examined, name):
    assert State.OK in {state for state, _ in examined(name)} <= {State.OK, State.SKIPPED}


@pytest.mark.parametrize("name", ["jira", "servicenow", "pagerduty", "slack"])
def test_a_tracker_that_refuses_the_secret_is_a_fault(examined, vendor_servers, name):
    secret = {member: f"not-{value}" for member, value in vendor_servers.server(name).secret.items()}
    assert only(examined(name, secret=secret), State.FAULT)


def test_an_expired_token_of_jira_cloud_is_not_taken_for_a_missing_project(examined, vendor_servers):
    secret = {**vendor_servers.jira.secret, "api_token": "expired"}
    assert "refuses the credential (AUTHENTICATED_FAILED)" in only(
        examined("jira", secret=secret), State.FAULT
    )


def test_a_secret_that_can_not_be_read_is_a_warning(doctor, vendor_servers):
    environment = vendor_servers.environment("slack")
    (found,) = doctor(
        "trackers",
        {"F": function(environment)},
        secretsmanager__GetSecretValue=refusal("AccessDeniedException"),
    )
    assert (found.state, "secret-of-slack can't be read" in found.text) == (State.WARNING, True)


def test_a_field_that_jira_requires_is_named_with_its_key(examined, vendor_servers):
    vendor_servers.jira.screen = {"components": COMPONENT}
    text = only(examined("jira"), State.FAULT)
    assert "requires the field Component/s (components). Specify ticketing.jira.fields.components" in text
    assert only(examined("jira", {"fields": CLOUD}), State.OK)


OWNER = {"asff": ["Resources", 0, "Tags", "team"], "values": {"payments": "Cloud"}}


def test_a_field_that_jira_requires_needs_a_default_for_findings_without_a_value(examined, vendor_servers):
    vendor_servers.jira.screen = {"components": COMPONENT}
    team = {"type": "names", **OWNER}
    text = only(examined("jira", {"fields": {"components": team}}), State.WARNING)
    assert "Findings without a value for it get no ticket" in text
    assert "Specify ticketing.jira.fields.components.default" in text
    assert only(examined("jira", {"fields": {"components": {**team, "default": ["Cloud"]}}}), State.OK)


def test_a_screen_of_jira_without_a_field_of_every_ticket_is_a_fault(examined, vendor_servers):
    vendor_servers.jira.off_screen = {"labels"}
    assert "Task in SEC has no field labels on its screen" in only(examined("jira"), State.FAULT)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"fields": {"components": {"type": "names", "value": ["X"]}}},
            "has no value 'X'. Correct ticketing.jira.fields",
        ),
        (
            {"fields": {**CLOUD, "customfield_9": {"type": "string", "value": "x"}}},
            "has no field customfield_9 on its screen",
        ),
        (
            {"fields": CLOUD, "rules": [{"controls": ["S3.8"], "project": "NOPE"}]},
            "no project NOPE in which the user can create issues. Correct ticketing.jira.rules[0].project",
        ),
        (
            {"fields": CLOUD, "rules": [{"controls": ["S3.8"], "issue_type": "Epic"}]},
            "no issue type 'Epic', only Task, Bug. Correct ticketing.jira.rules[0].issue_type",
        ),
    ],
)
def test_what_jira_does_not_have_is_named_with_its_key(examined, vendor_servers, settings, message):
    vendor_servers.jira.screen = {"components": COMPONENT}
    found = examined("jira", settings)
    assert message in " ".join(text for state, text in found if state == State.FAULT)


def test_the_transitions_of_an_open_issue_are_checked(examined, vendor_servers):
    server = vendor_servers.jira
    assert "no open issue of the type Task in SEC yet" in only(examined("jira"), State.SKIPPED)
    server.issues["SEC-1"] = Issue("10001", "SEC-1", "x", {}, ["security-hub"])
    server.transitions = {
        "Start": Transition(to="In Progress", sources=("Open",)),
        "Finish": Transition(to="Done", sources=("In Progress",), screen={"resolution": RESOLUTION}),
    }
    assert "neither the transition that resolves it nor one of the steps, only 'Start'" in only(
        examined("jira"), State.FAULT
    )
    assert "'Start'" in examined("jira", {"steps": ["Start"]})[-1][1]
    server.issues["SEC-1"].status = "In Progress"
    assert (
        "requires the field Resolution (resolution). Specify ticketing.jira.close_fields.resolution"
        in only(examined("jira"), State.FAULT)
    )
    closing = {"close_fields": {"resolution": {"type": "name", "value": "Done"}}}
    assert {state for state, _ in examined("jira", closing)} == {State.OK}


RULE = {"controls": ["S3.8"], "close_fields": {"resolution": {"type": "name", "value": "Done"}}}


@pytest.fixture
def finishing(vendor_servers):
    """Jira with an open issue in each of two projects, whose last transition demands a resolution."""
    server = vendor_servers.jira
    for number, key in enumerate(("SEC-1", "PAY-1"), start=10_001):
        server.issues[key] = Issue(str(number), key, "x", {}, ["security-hub"])
    server.transitions = {
        "Finish": Transition(to="Done", sources=("Open",), screen={"resolution": RESOLUTION})
    }
    return server


@pytest.mark.usefixtures("finishing")
@pytest.mark.parametrize(
    ("settings", "faults"),
    [
        # Findings that no rule matches have none.
        ({"rules": [RULE]}, ["Specify ticketing.jira.close_fields.resolution"]),
        ({"rules": [{**RULE, "project": "PAY"}]}, ["of SEC requires the field Resolution"]),
        ({"close_fields": RULE["close_fields"], "rules": [{**RULE, "project": "PAY"}]}, []),
        (
            {"rules": [{"controls": ["S3.8"], "project": "PAY"}]},
            [
                "of SEC requires the field Resolution (resolution). Specify ticketing.jira.close_fields.",
                "of PAY requires the field Resolution (resolution). Specify "
                "ticketing.jira.rules[0].close_fields.resolution",
            ],
        ),
        (
            {
                "close_fields": RULE["close_fields"],
                "rules": [{**RULE, "close_fields": {"resolution": {"type": "name", "value": "Magic"}}}],
            },
            ["has no value 'Magic'. Correct ticketing.jira.rules[0].close_fields.resolution"],
        ),
        (
            {"close_fields": {"resolution": {"type": "name", "value": "Magic"}}, "rules": [RULE]},
            ["has no value 'Magic'. Correct ticketing.jira.close_fields.resolution"],
        ),
        (
            {
                "close_fields": {"resolution": {"type": "name", "value": "Magic"}},
                "rules": [{"controls": ["S3.8"], "project": "PAY"}],
            },
            [
                "'Finish' of SEC has no value 'Magic'. Correct ticketing.jira.close_fields.resolution",
                "'Finish' of PAY has no value 'Magic'. Correct ticketing.jira.close_fields.resolution",
            ],
        ),
    ],
)
def test_the_transitions_are_checked_with_the_fields_of_each_rule(examined, settings, faults):
    found = [text for state, text in examined("jira", settings) if state == State.FAULT]
    assert len(found) == len(faults)
    for text, fault in zip(found, faults, strict=True):
        assert fault in text


def test_jira_is_asked_once_about_all_rules_for_a_project(examined, finishing):
    rules = [{**RULE, "controls": [f"S3.{number}"]} for number in range(5)]
    found = examined("jira", {"close_fields": RULE["close_fields"], "rules": rules})
    assert [state for state, _ in found] == [State.OK, State.OK]
    assert len([one for one in finishing.requests if one.path.endswith("/transitions")]) == 1


ASSIGNEE = Field(name="Assignee", type="user")


@pytest.mark.parametrize(
    ("user", "assignable", "state"),
    [
        ("5b10ac8d82e05b22cc7d4ef5", ["5b10ac8d82e05b22cc7d4ef5"], None),
        ("5b10ac8d82e05b22cc7d4ef5", [], State.FAULT),
        ("5b10ac8d82e05b22cc7d4ef", ["5b10ac8d82e05b22cc7d4ef5"], State.FAULT),
        ("5b10ac8d82e05b22cc7d4ef5", None, State.SKIPPED),
    ],
)
@pytest.mark.parametrize("is_in_rule", [False, True])
def test_issues_can_be_assigned_to_whom_the_settings_name(
    examined, vendor_servers, user, *, assignable, state, is_in_rule
):
    server = vendor_servers.jira
    server.screen, server.assignable = {"assignee": ASSIGNEE}, assignable
    fields = {"fields": {"assignee": {"type": "user", "value": user}}}
    rule = {"controls": ["S3.8"], "project": "PAY", **fields}
    found = examined("jira", {"rules": [rule]} if is_in_rule else fields)
    told = {one: text for one, text in found if "assigned" in text}
    assert {*told} == ({state} if state else set())
    if state == State.FAULT:
        key = "ticketing.jira.rules[0].fields" if is_in_rule else "ticketing.jira.fields"
        assert f"Issues in {'PAY' if is_in_rule else 'SEC'} can't be assigned to {user}." in told[state]
        assert f"Correct {key}.assignee in" in told[state]


CALLER = {"type": "reference", "value": "securityhub", "table": "sys_user", "column": "user_name"}


def test_a_column_that_servicenow_requires_is_named_with_its_key(examined, vendor_servers):
    vendor_servers.service_now.mandatory["1"] = {"caller_id"}
    text = only(examined("servicenow"), State.FAULT)
    assert "require the column Caller (caller_id). Specify ticketing.service_now.fields.caller_id" in text
    assert only(examined("servicenow", {"fields": {"caller_id": CALLER}}), State.OK)


def test_a_column_that_servicenow_requires_needs_a_default_for_findings_without_a_value(
    examined, vendor_servers
):
    vendor_servers.service_now.mandatory["1"] = {"caller_id"}
    owner = {name: CALLER[name] for name in ("type", "table", "column")} | OWNER
    owner["values"] = {"payments": "securityhub"}
    text = only(examined("servicenow", {"fields": {"caller_id": owner}}), State.WARNING)
    assert "Specify ticketing.service_now.fields.caller_id.default" in text


def test_a_column_to_which_servicenow_gives_a_value_itself_needs_no_setting(examined, vendor_servers):
    vendor_servers.service_now.mandatory["1"] = {"assignment_group"}
    vendor_servers.service_now.defaults = {"assignment_group": "javascript:groupOnDuty()"}
    assert only(examined("servicenow"), State.OK)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"fields": {"u_none": {"type": "string", "value": "x"}}},
            "no column u_none. Correct ticketing.service_now.fields",
        ),
        (
            {"rules": [{"close_fields": {"u_none": {"type": "string", "value": "x"}}}]},
            "no column u_none. Correct ticketing.service_now.rules[0].close_fields.u_none",
        ),
        ({"steps": ["99"]}, "state has no choice '99'"),
        (
            {"fields": {"caller_id": {**CALLER, "value": "nobody"}}},
            "sys_user has no record with the user_name",
        ),
        (
            {"rules": [{"fields": {"caller_id": {**CALLER, "value": "Jo Doe", "column": "name"}}}]},
            "more than one record with the name 'Jo Doe'. Correct ticketing.service_now.rules[0].fields.",
        ),
    ],
)
def test_what_servicenow_does_not_have_is_named_with_its_key(examined, settings, message):
    assert message in only(examined("servicenow", settings), State.FAULT)


def test_a_close_code_that_servicenow_does_not_have_is_named(examined):
    assert "close_code has no choice 'Magic'" in only(
        examined("servicenow", SERVICENOW_CLOSE_CODE="Magic"), State.FAULT
    )


def test_a_dictionary_that_can_not_be_read_is_a_warning(examined, vendor_servers):
    vendor_servers.service_now.shows_dictionary = False
    assert "can't read sys_dictionary" in only(examined("servicenow"), State.WARNING)


def test_servicenow_is_asked_with_a_token_of_oauth(examined, vendor_servers):
    vendor_servers.service_now.use_oauth()
    assert only(examined("servicenow"), State.OK)
    assert len(vendor_servers.service_now.tokens) == 1


@pytest.mark.parametrize(
    ("settings", "variables", "message"),
    [
        ({}, {"PAGERDUTY_SERVICE_ID": "PNONE"}, "no service PNONE. Correct ticketing.pager_duty.service_id"),
        ({"rules": [{"service_id": "PNONE"}]}, {}, "Correct ticketing.pager_duty.rules[0].service_id"),
        ({"rules": [{"service_id": OTHER_SERVICE_ID}]}, {}, f"service {OTHER_SERVICE_ID} is disabled"),
        ({"fields": {"priority": {"type": "id", "value": "PNONE"}}}, {}, "no priority PNONE"),
        (
            {"rules": [{"fields": {"priority": {"type": "id", "value": "PNONE"}}}]},
            {},
            "no priority PNONE. Correct ticketing.pager_duty.rules[0].fields.priority",
        ),
        (
            {"fields": {"escalation_policy": {"type": "id", "values": {"HIGH": "PNONE"}}}},
            {},
            "no escalation policy PNONE. Correct ticketing.pager_duty.fields.escalation_policy",
        ),
        ({}, {"PAGERDUTY_FROM": "nobody@example.com"}, "no user with the email address nobody@example.com"),
    ],
)
def test_what_pagerduty_does_not_have_is_named_with_its_key(
    examined, vendor_servers, settings, variables, message
):
    vendor_servers.pager_duty.disabled = {OTHER_SERVICE_ID}
    assert SERVICE_ID not in vendor_servers.pager_duty.disabled
    assert message in only(examined("pagerduty", settings, **variables), State.FAULT)


def test_a_service_of_pagerduty_that_resolves_incidents_by_itself_is_a_warning(examined, vendor_servers):
    vendor_servers.pager_duty.auto_resolve_timeout = 14_400
    found = examined("pagerduty")
    assert "PSECHUB resolves incidents by itself after 4 hours" in only(found, State.WARNING)
    assert only(found, State.OK)


def test_channels_without_the_app_are_named_with_their_keys(examined, vendor_servers):
    vendor_servers.slack.channels[OTHER_CHANNEL] = False
    rules = [{"channel": OTHER_CHANNEL}, {"channel": "C0MISTAKE00"}]
    found = examined("slack", {"rules": rules})
    assert [state for state, _ in found] == [State.OK, State.FAULT, State.FAULT]
    assert CHANNEL in found[0][1]
    assert "doesn't have the app as a member" in found[1][1]
    assert "ticketing.slack.rules[1].channel" in found[2][1]


def test_deployed_settings_are_read_from_the_layer(doctor, vendor_servers):
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as opened:
        opened.writestr(f"python/{FILE}", json.dumps({"slack": {"rules": [{"channel": "C0MISTAKE00"}]}}))
    location = "data:application/zip;base64," + base64.b64encode(archive.getvalue()).decode()
    layer = "arn:aws:lambda:us-east-1:111122223333:layer:s:1"
    variables = {**vendor_servers.environment("slack"), "TRACKER_SETTINGS": FILE}
    answers = {
        "lambda__GetFunctionConfiguration": {
            "Role": "arn:aws:iam::111122223333:role/r",
            "Environment": {"Variables": variables},
            "Layers": [{"Arn": layer}],
        },
        "lambda__GetLayerVersionByArn": {"Content": {"Location": location, "CodeSize": 1}},
        "secretsmanager__GetSecretValue": {"SecretString": json.dumps(vendor_servers.slack.secret)},
    }
    found = doctor("trackers", stacks=["App"], **answers, **deployed(("AWS::Lambda::Function", "F", "f")))
    assert [one.state for one in found] == [State.OK, State.FAULT]


def test_nothing_is_sent_where_others_could_read_it(examined, vendor_servers):
    found = examined("slack", SLACK_URL="http://slack.example.com/api/")
    assert "it isn't an https URL" in only(found, State.FAULT)
    assert vendor_servers.slack.requests == []


CONNECTORS = [f"a1b2c3d4-5678-90ab-cdef-00000000000{number}" for number in range(2)]


def connector(status, **health):
    checked = {"ConnectorStatus": status, "LastCheckedAt": "2026-01-01T00:00:00Z", **health}
    detail = {"ServiceNow": {"SecretArn": "arn", "AuthStatus": "ACTIVE"}}
    return {
        "ConnectorId": CONNECTORS[0],
        "Name": "ITSM",
        "CreatedAt": "2026-01-01T00:00:00Z",
        "LastUpdatedAt": "2026-01-01T00:00:00Z",
        "Health": checked,
        "ProviderDetail": detail,
    }


@pytest.mark.parametrize(
    ("answer", "state", "said"),
    [
        (connector("CONNECTED"), State.OK, "ITSM is connected"),
        (connector("DEGRADED", Message="slow"), State.WARNING, r"ITSM is DEGRADED (slow)"),
        (connector("FAILED_TO_CONNECT"), State.FAULT, "create a test ticket"),
        (connector("PENDING_AUTHORIZATION"), State.FAULT, "Authorize it"),
        (refusal("ResourceNotFoundException"), State.FAULT, "Correct ticketing.connector.connector_id"),
        (
            refusal("AccessDeniedException", "not authorized to perform: securityhub:GetConnectorV2 on x"),
            State.WARNING,
            "Allow securityhub:GetConnectorV2",
        ),
    ],
)
def test_a_connector_has_to_be_connected(doctor, answer, state, said):
    environment = {"TRACKERS": "connector", "CONNECTOR_ID": CONNECTORS[0]}
    (found,) = doctor("trackers", {"F": function(environment)}, securityhub__GetConnectorV2=answer)
    assert (found.state, said in f"{found.text} {found.cure}") == (state, True)


KEY_ID = "1234abcd-12ab-34cd-56ef-1234567890ab"


def test_servicenow_is_signed_in_to_with_the_key_in_kms(examined, vendor_servers):
    key = RsaKey()
    vendor_servers.service_now.use_jwt(key, kid="verifier-1")
    answers = {"kms__Sign": lambda asked: {"Signature": key.sign(asked["Message"])}}
    assert only(examined("servicenow", answers=answers, SERVICENOW_JWT_KEY=KEY_ID), State.OK)


@pytest.mark.parametrize(
    ("code", "state", "said"),
    [
        ("DisabledException", State.FAULT, "Correct ticketing.service_now.jwt_key_id"),
        ("AccessDeniedException", State.WARNING, "it needs kms:Sign"),
    ],
)
def test_a_key_that_does_not_sign_is_named(examined, vendor_servers, code, state, said):
    vendor_servers.service_now.use_jwt(RsaKey())
    error = refusal(code, "User: x is not authorized to perform: kms:Sign on y")
    ((found, text),) = examined("servicenow", answers={"kms__Sign": error}, SERVICENOW_JWT_KEY=KEY_ID)
    assert (found, said in text) == (state, True)


def decisions(**names):
    return json.dumps({name: {"resolved": [], "suppressed": one} for name, one in names.items()})


@pytest.mark.parametrize(
    ("name", "right", "wrong", "key"),
    [
        ("jira", ["won't do", "Closed"], "Accepted", "jira"),
        ("servicenow", ["Canceled"], "Accepted", "service_now"),
        ("pagerduty", ["Resolved"], "closed", "pager_duty"),
    ],
)
def test_a_state_that_a_tracker_does_not_have_is_named_with_its_key(examined, name, right, wrong, key):
    found = examined(name, TICKET_DECISIONS=decisions(**{name: [*right, wrong]}))
    text = only(found, State.FAULT)
    assert f"has no state {wrong!r}, only " in text
    assert text.endswith(f"Correct ticketing.{key}.decisions.suppressed in settings.toml.")
    assert State.FAULT not in {
        state for state, _ in examined(name, TICKET_DECISIONS=decisions(**{name: right}))
    }


def test_a_transition_that_leads_to_no_done_status_is_a_fault(examined, vendor_servers):
    server = vendor_servers.jira
    server.issues["SEC-1"] = Issue("10001", "SEC-1", "x", {}, ["security-hub"])
    server.transitions = {"Review": Transition(to="In Review", sources=("Open",))}
    text = only(examined("jira", JIRA_DONE_TRANSITION="Review"), State.FAULT)
    assert "leads to the status 'In Review', which isn't of the category Done" in text
    assert "ticketing.jira.steps" in text


@pytest.mark.parametrize(
    ("secret", "states"),
    [
        ({"webhook_url": "https://x.example.com/a", "payments": "https://x.example.com/b"}, ["ok", "ok"]),
        ({"webhook_url": "https://x.example.com/a"}, ["ok", "fault"]),
        ({"webhook_url": "http://x.example.com/a", "payments": "nowhere"}, ["fault", "fault"]),
    ],
)
def test_teams_needs_the_url_of_each_workflow(examined, secret, states):
    rule = {"webhook": "payments", "controls": ["S3.8"]}
    settings = {"rules": [rule, rule, {"channel_url": "https://teams.microsoft.com/x"}]}
    assert [state.value for state, _ in examined("teams", settings, secret=secret)] == states
