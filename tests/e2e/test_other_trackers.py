"""Tickets in ServiceNow, PagerDuty, and Microsoft Teams as deployed, and decisions in the first two.

The function signs in to ServiceNow with a JWT, which a key in AWS KMS signs.
"""

from __future__ import annotations

import json
import os
import time

import pytest
from aws_cdk import App, Environment
from cryptography.hazmat.primitives import hashes, keywrap, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from emulator.server import DEFAULT_ACCOUNT, DEFAULT_REGION, EmbeddedAws
from stacks.settings import TicketingSettings
from stacks.ticketing import TicketingStack
from tests.e2e.findings import control_finding, import_findings
from tests.e2e.observed import dead_letter_queue, links, press, waiting
from tests.e2e.stacks import deploy_synthesized, physical_id, prepare_region
from tests.e2e.trackers import Webhooks, connect, note, status
from tests.shipped_settings import load_shipped_settings
from tests.tracker_webhooks import pager_duty_body, service_now_body
from tests.vendor_servers.jwt_verifier import RsaKey
from tests.vendor_servers.pager_duty import OTHER_SERVICE_ID, REFERENCES, SERVICE_ID
from tests.vendor_servers.teams import text_of

pytestmark = pytest.mark.long

STACK = "OtherTrackers"
MEMBER = "444455556666"
TRACKERS = ("servicenow", "pagerduty", "teams")
SECRETS = {tracker: f"securityhub-actions/other-{tracker}" for tracker in TRACKERS}
SIGNS = "signs the webhooks of these tests"
WEBHOOK_SECRETS = {tracker: f"securityhub-actions/{tracker}-webhook" for tracker in TRACKERS[:2]}
GROUPS = {"Cloud security": "d" * 32, "Payments": "e" * 32}
# Half an hour, after which a queue shows a message again, lasts longer than a lease of 40 seconds.
VISIBILITY_SECOND = 0.03

# What an instance may demand: a caller, a cause with the resolution, and a state in between.
SERVICE_NOW = {
    "steps": ["2"],
    "fields": {"caller_id": "securityhub", "assignment_group": "Cloud security"},
    "close_fields": {"u_root_cause": {"asff": "GeneratorId"}},
    "rules": [
        {
            "accounts": [MEMBER],
            "fields": {"assignment_group": "Payments"},
            "close_fields": {"u_root_cause": "payments"},
        }
    ],
    "decisions": {
        "resolved": ["Solution provided"],
        "suppressed": ["Duplicate"],
        "webhook_secret_name": WEBHOOK_SECRETS["servicenow"],
    },
}
PAGER_DUTY = {
    "fields": {"priority": REFERENCES["priority"]},
    "rules": [
        {"accounts": [MEMBER], "service_id": OTHER_SERVICE_ID},
        {"controls": ["S3.9"], "fields": {"priority": "PNONE99"}},
    ],
    "decisions": {
        "resolved": ["resolved"],
        "suppressed": [],
        "webhook_secret_name": WEBHOOK_SECRETS["pagerduty"],
    },
}
TEAMS = {
    "fields": {"Team": "Cloud"},
    "rules": [{"accounts": [MEMBER], "webhook": "payments"}, {"controls": ["S3.9"], "webhook": "missing"}],
}


@pytest.fixture(scope="module")
def aws():
    """An embedded AWS with queues that show failed messages again after a minute."""
    with EmbeddedAws.start(visibility_second=VISIBILITY_SECOND) as aws:
        prepare_region(aws, DEFAULT_REGION)
        yield aws


def use_key(aws, service_now):
    """Import a private key, of which ServiceNow gets the public one, and return its ID, as the docs say."""
    private = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
    kms = aws.client("kms")
    key = kms.create_key(KeySpec="RSA_2048", KeyUsage="SIGN_VERIFY", Origin="EXTERNAL")["KeyMetadata"]
    given = kms.get_parameters_for_import(
        KeyId=key["KeyId"], WrappingAlgorithm="RSA_AES_KEY_WRAP_SHA_256", WrappingKeySpec="RSA_3072"
    )
    once = os.urandom(32)
    oaep = padding.OAEP(mgf=padding.MGF1(hashes.SHA256()), algorithm=hashes.SHA256(), label=None)
    material = private.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    kms.import_key_material(
        KeyId=key["KeyId"],
        ImportToken=given["ImportToken"],
        EncryptedKeyMaterial=serialization.load_der_public_key(given["PublicKey"]).encrypt(once, oaep)
        + keywrap.aes_key_wrap_with_padding(once, material),
        ExpirationModel="KEY_MATERIAL_DOES_NOT_EXPIRE",
    )
    modulus = private.public_key().public_numbers().n
    service_now.use_jwt(RsaKey(modulus=modulus), kid="verifier-1")
    return key["KeyId"]


@pytest.fixture(scope="module")
def app(aws, vendors, feature_flags, tmp_path_factory):
    vendors.service_now.mandatory |= {"1": {"caller_id"}}
    vendors.service_now.mandatory["6"] |= {"u_root_cause"}
    vendors.service_now.next_states = {"1": {"2"}, "2": {"6"}}
    values = load_shipped_settings().ticketing.model_dump() | {"enabled": True}
    values["automatic"]["filter"] = {"severity": ["CRITICAL"]}
    key_id = use_key(aws, vendors.service_now)
    for name, given in {
        "service_now": SERVICE_NOW | {"jwt_key_id": key_id, "secret_name": SECRETS["servicenow"]},
        "pager_duty": PAGER_DUTY | {"secret_name": SECRETS["pagerduty"]},
        "teams": TEAMS | {"secret_name": SECRETS["teams"]},
    }.items():
        values[name] |= given | {"enabled": True, "tickets_per_account_and_hour": 1_000}
    folder = tmp_path_factory.mktemp("other-trackers")
    cdk = App(context=feature_flags, analytics_reporting=False, outdir=str(folder))
    environment = Environment(account=DEFAULT_ACCOUNT, region=DEFAULT_REGION)
    stack = TicketingStack(cdk, STACK, settings=TicketingSettings.model_validate(values), env=environment)
    connect(aws, stack, vendors, SECRETS)
    for name in WEBHOOK_SECRETS.values():
        aws.client("secretsmanager").create_secret(Name=name, SecretString=json.dumps({"secret": SIGNS}))
    cdk.synth()
    deploy_synthesized(aws, folder, STACK, region=DEFAULT_REGION)
    return aws


class Tickets:
    """The tickets about a finding, in all three trackers."""

    def __init__(self, vendors, finding):
        self._vendors, self._id = vendors, finding["Id"]

    @property
    def service_now(self):
        found = self._vendors.service_now.incidents.values()
        return [one for one in found if self._id in one["description"]]

    @property
    def pager_duty(self):
        return [one for one in self._vendors.pager_duty.incidents.values() if self._id in one.details]

    @property
    def cards(self):
        """The texts of the cards that name the finding, or refer to the one that does."""
        texts = [text_of(one) for one in (*self._vendors.teams.cards, *self._vendors.teams.other_cards)]
        references = [text.rpartition("Reference: ")[2] for text in texts if self._id in text]
        return [text for text in texts if text.rpartition("Reference: ")[2] in references]

    def are_open(self):
        """Whether there is exactly one in each, which is open."""
        return (
            [one["state"] for one in self.service_now] == ["1"]
            and [one.status for one in self.pager_duty] == ["triggered"]
            and len(self.cards) == 1
        )

    def are_closed(self):
        """Whether there is exactly one in each, and closed."""
        return (
            [one["state"] for one in self.service_now] == ["6"]
            and [one.status for one in self.pager_duty] == ["resolved"]
            and len(self.cards) == 2
            and self.cards[1].startswith("Resolved")
        )


@pytest.fixture
def tickets_of(vendors):
    return lambda finding: Tickets(vendors, finding)


@pytest.fixture
def ticketed(app, tickets_of):
    """A function that imports a finding that gets tickets, and returns it with them."""

    def make(number, **changes):
        finding = finding_of(number, severity="CRITICAL", **changes)
        import_findings(app, [finding])
        app.wait_until(lambda: "Ticket opened" in note(app, finding), what="the tickets")
        tickets = tickets_of(finding)
        assert tickets.are_open()
        return finding, tickets

    return make


def finding_of(number, *, control="S3.8", severity="MEDIUM", **changes):
    return control_finding(control, number, Severity={"Label": severity}, **changes)


def let_pass(aws, finding):
    compliance = {**finding["Compliance"], "Status": "PASSED"}
    import_findings(aws, [{**finding, "UpdatedAt": "2026-03-01T00:00:00.000Z", "Compliance": compliance}])


def settle(aws, finding):
    aws.client("securityhub").batch_update_findings(
        FindingIdentifiers=[{name: finding[name] for name in ("Id", "ProductArn")}],
        Workflow={"Status": "RESOLVED"},
    )


def change_secret(aws, tracker, server):
    aws.client("secretsmanager").put_secret_value(
        SecretId=SECRETS[tracker], SecretString=json.dumps(server.secret)
    )


def letters_about(aws, finding):
    """The dead letters about a finding, which stay in the queue."""
    answer = aws.client("sqs").receive_message(
        QueueUrl=dead_letter_queue(aws, STACK), MaxNumberOfMessages=10, VisibilityTimeout=0
    )
    return [one for one in answer.get("Messages", []) if finding["Id"] in one["Body"]]


def test_findings_get_tickets_as_the_rules_say_which_are_closed_with_them(app, vendors, tickets_of):
    own, member = finding_of("own"), finding_of("member", account=MEMBER)
    import_findings(app, [own, member])
    for _ in range(2):
        assert press(app, "OpenTicket", [own, member]).function_error is None
        assert tickets_of(own).are_open()
        assert tickets_of(member).are_open()

    (incident,), (theirs,) = tickets_of(own).service_now, tickets_of(member).service_now
    assert (incident["assignment_group"], incident["caller_id"]) == (GROUPS["Cloud security"], "a" * 32)
    assert theirs["assignment_group"] == GROUPS["Payments"]
    assert [one.service_id for one in tickets_of(own).pager_duty] == [SERVICE_ID]
    assert [one.service_id for one in tickets_of(member).pager_duty] == [OTHER_SERVICE_ID]
    assert tickets_of(own).pager_duty[0].references == {"priority": REFERENCES["priority"]}
    assert len(vendors.teams.other_cards) == 1
    assert "\nTeam: Cloud\n" in tickets_of(member).cards[0]
    for name in ("PagerDuty", "ServiceNow", "Teams"):
        assert f"{name} " in links(app, own)
    assert status(app, own) == "NOTIFIED"

    let_pass(app, own)
    settle(app, member)
    app.wait_until(
        lambda: tickets_of(own).are_closed() and tickets_of(member).are_closed(), what="the closed tickets"
    )
    assert (incident["close_code"], incident["u_root_cause"]) == (
        "Solution provided",
        "security-control/S3.8",
    )
    assert theirs["u_root_cause"] == "payments"
    assert len(vendors.teams.other_cards) == 2
    app.wait_until(
        lambda: all(note(app, one).startswith("Ticket resolved: ") for one in (own, member)), what="the notes"
    )


def test_an_imported_critical_finding_gets_tickets_with_tokens_for_assertions_that_kms_signed(
    app, vendors, ticketed
):
    finding, _ = ticketed("critical")
    assert status(app, finding) == "NOTIFIED"
    requests = vendors.service_now.sent("POST", "/oauth_token.do")
    assert len(requests) == len(vendors.service_now.jwt.seen) == len(vendors.service_now.tokens)
    assert not [one for one in requests if "password" in one.body]


def test_what_trackers_refuse_is_reported_with_its_cure_and_opened_by_the_next_press(
    app, vendors, tickets_of
):
    finding = finding_of("refused", control="S3.9")
    import_findings(app, [finding])
    vendors.service_now.mandatory["1"] = {"caller_id", "assigned_to"}
    try:
        answer = press(app, "OpenTicket", [finding])
    finally:
        vendors.service_now.mandatory["1"] = {"caller_id"}
    assert answer.function_error == "Unhandled"
    message = answer.payload["errorMessage"]
    assert "HTTP 403, Operation Failed: Data Policy Exception" in message
    assert "specify ticketing.service_now.fields.assigned_to in settings.toml" in message
    assert "PagerDuty did not trigger the incident: HTTP 400, Arguments Caused Error; Priority not" in message
    assert "non-empty string 'missing'" in message
    assert links(app, finding) == ""
    app.wait_until(lambda: letters_about(app, finding), what="the dead letter")

    assert press(app, "OpenTicket", [finding]).function_error == "Unhandled"  # as the settings still are
    assert [one["state"] for one in tickets_of(finding).service_now] == ["1"]
    assert links(app, finding).startswith("ServiceNow ")
    assert (tickets_of(finding).pager_duty, tickets_of(finding).cards) == ([], [])


def test_a_tracker_that_asks_for_a_pause_gets_it_and_one_ticket(app, vendors, tickets_of):
    paths = {"service_now": "/table/incident", "pager_duty": "/incidents", "teams": "/workflows"}
    before = {name: len(getattr(vendors, name).sent("POST", path)) for name, path in paths.items()}
    for name, path in paths.items():
        getattr(vendors, name).fail(429, Retry_After="2", methods=("POST",), path_part=path)
    finding = finding_of("limited")
    import_findings(app, [finding])
    assert press(app, "OpenTicket", [finding]).function_error is None
    assert tickets_of(finding).are_open()
    for name, path in paths.items():
        assert len(getattr(vendors, name).sent("POST", path)) == before[name] + 2


def test_tokens_that_expired_and_secrets_that_were_rotated_are_renewed_within_the_call(
    app, vendors, tickets_of
):
    vendors.service_now.tokens.clear()
    vendors.pager_duty.secret = {"api_token": "pagerduty-secret-2"}
    vendors.teams.signature = "teams-secret-2"
    change_secret(app, "pagerduty", vendors.pager_duty)
    change_secret(app, "teams", vendors.teams)
    finding = finding_of("renewed")
    import_findings(app, [finding])
    assert press(app, "OpenTicket", [finding]).function_error is None
    assert tickets_of(finding).are_open()
    assert vendors.service_now.tokens


def test_tickets_that_were_deleted_are_settled_with_their_finding(app, vendors, ticketed):
    finding, tickets = ticketed("deleted")
    del vendors.service_now.incidents[tickets.service_now[0]["sys_id"]]
    del vendors.pager_duty.incidents[tickets.pager_duty[0].id]
    let_pass(app, finding)
    app.wait_until(lambda: note(app, finding).startswith("Ticket resolved: "), what="the note")
    assert len(tickets.cards) == 2
    assert not letters_about(app, finding)


def test_after_an_outage_tickets_are_opened_and_closed_without_anybody(app, vendors, ticketed, tickets_of):
    settled, old = ticketed("before-the-outage")
    new = finding_of("in-the-outage", severity="CRITICAL")
    servers = (vendors.service_now, vendors.pager_duty, vendors.teams)
    before = [len(one.requests) for one in servers]
    vendors.service_now.tokens.clear()
    # The address for tokens is gone for a while, which says nothing about incidents.
    vendors.service_now.fail(404, times=1_000, path_part="/oauth_token.do", body="<html>Not Found</html>")
    vendors.pager_duty.fail(503, times=1_000)
    vendors.teams.fail(503, times=1_000)
    let_pass(app, settled)
    import_findings(app, [new])
    app.wait_until(
        lambda: all(len(one.requests) >= number + 2 for one, number in zip(servers, before, strict=True)),
        what="the attempts",
    )
    assert [one["state"] for one in old.service_now] == ["1"]
    assert [one.status for one in old.pager_duty] == ["triggered"]
    assert links(app, new) == ""

    for one in servers:
        one.recover()
    app.wait_until(
        lambda: old.are_closed() and tickets_of(new).are_open(), what="the recovery", patience=2_000
    )
    app.wait_until(lambda: links(app, new).count("; ") == 2, what="the links", patience=2_000)
    app.wait_until(
        lambda: note(app, settled).startswith("Ticket resolved: "), what="the note", patience=2_000
    )
    assert not letters_about(app, settled)
    assert not letters_about(app, new)


def test_who_accepts_a_finding_in_servicenow_suppresses_it_and_who_reopens_the_incident_takes_that_back(
    app, vendors, ticketed
):
    send = Webhooks(app, STACK, "servicenow", SIGNS).send
    finding, tickets = ticketed("accepted")
    sys_id = tickets.service_now[0]["sys_id"]
    vendors.service_now.decide(sys_id, "Resolved", by="Ann Lee", code="Duplicate")
    assert send(service_now_body(sys_id)) == 200
    app.wait_until(lambda: status(app, finding) == "SUPPRESSED", what="the suppression")
    assert note(app, finding).startswith(f"Suppressed by Ann Lee in ServiceNow (Duplicate): {sys_id} ")
    app.wait_until(lambda: tickets.pager_duty[0].status == "resolved", what="the other incident")
    app.wait_until(lambda: len(tickets.cards) == 2, what="the other card")

    vendors.service_now.decide(sys_id, "In Progress", by="Bob")
    assert send(service_now_body(sys_id, updates=2)) == 200
    app.wait_until(lambda: status(app, finding) == "NOTIFIED", what="the status from before")
    assert "Reopened by bob in ServiceNow (In Progress)" in note(app, finding)


def test_who_resolves_an_incident_in_pagerduty_resolves_an_event_but_no_check_that_fails(
    app, vendors, ticketed, tickets_of
):
    send = Webhooks(app, STACK, "pagerduty", SIGNS).send
    failing, theirs = ticketed("resolved")
    event = finding_of("event", GeneratorId="detector")
    del event["Compliance"]
    import_findings(app, [event])
    assert press(app, "OpenTicket", [event]).function_error is None
    for tickets in (theirs, tickets_of(event)):
        vendors.pager_duty.decide(tickets.pager_duty[0].id, "resolved", by="Ann Lee")
        assert send(pager_duty_body(tickets.pager_duty[0].id, now=time.time())) == 200
    app.wait_until(lambda: status(app, event) == "RESOLVED", what="the resolution")
    assert note(app, event).startswith("Resolved by Ann Lee in PagerDuty (resolved): ")
    app.wait_until(lambda: tickets_of(event).are_closed(), what="the other tickets")
    app.wait_until(lambda: note(app, failing).startswith("Closed by Ann Lee in PagerDuty"), what="the note")
    assert "The finding is still failing, so its status stays." in note(app, failing)
    assert (status(app, failing), theirs.service_now[0]["state"]) == ("NOTIFIED", "1")


def test_decisions_whose_webhooks_are_lost_are_found_by_the_poll_and_what_the_app_closed_decides_nothing(
    app, vendors, ticketed
):
    (accepted, theirs), (failing, others), (passed, own) = map(ticketed, ("lost-1", "lost-2", "lost-3"))
    let_pass(app, passed)
    app.wait_until(own.are_closed, what="the tickets that the app closes")
    app.wait_until(lambda: note(app, passed).startswith("Ticket resolved: "), what="the note")
    vendors.service_now.decide(theirs.service_now[0]["sys_id"], "Resolved", by="Ann", code="Duplicate")
    vendors.pager_duty.decide(others.pager_duty[0].id, "resolved", by="Bob")
    time.sleep(1)  # a poll leaves the second in which it begins to the next one
    function = physical_id(app, STACK, "AWS::Lambda::Function", "Function")
    answer = app.client("lambda").invoke(FunctionName=function, Payload=json.dumps({"poll": "trackers"}))
    report = json.loads(answer["Payload"].read())
    assert report["failures"] == {}
    assert min(report["queued"][name] for name in ("ServiceNow", "PagerDuty")) >= 2
    app.wait_until(lambda: status(app, accepted) == "SUPPRESSED", what="the suppression")
    app.wait_until(lambda: note(app, failing).startswith("Closed by Bob in PagerDuty"), what="the note")
    hints = physical_id(app, STACK, "AWS::SQS::Queue", "TicketChanges")
    app.wait_until(lambda: waiting(app, hints) == 0, what="the last hint")
    # A decision would be in the note: `Resolved by Security Hub in PagerDuty`.
    assert note(app, passed).startswith("Ticket resolved: ")
    assert own.are_closed()


@pytest.mark.parametrize("tracker", WEBHOOK_SECRETS)
def test_a_webhook_that_is_not_genuine_or_not_about_a_ticket_of_the_app_changes_nothing(
    app, vendors, ticketed, tracker
):
    send = Webhooks(app, STACK, tracker, SIGNS).send
    finding, tickets = ticketed(f"forged-{tracker}")
    before = note(app, finding)
    if tracker == "servicenow":
        ticket_id, body = tickets.service_now[0]["sys_id"], service_now_body
        vendors.service_now.decide(ticket_id, "Resolved", by="Eve", code="Duplicate")
    else:
        ticket_id, body = tickets.pager_duty[0].id, lambda one: pager_duty_body(one, now=time.time())
        vendors.pager_duty.decide(ticket_id, "resolved", by="Eve")
    assert send(body(ticket_id), secret=SIGNS[::-1]) == 401
    assert send(b"{}") == 400
    assert send(body("0" * 32)) == 200
    hints = physical_id(app, STACK, "AWS::SQS::Queue", "TicketChanges")
    app.wait_until(lambda: waiting(app, hints) == 0, what="the hint about somebody's incident")
    assert (note(app, finding), status(app, finding)) == (before, "NOTIFIED")
