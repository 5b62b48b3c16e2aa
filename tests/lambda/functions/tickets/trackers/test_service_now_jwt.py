"""Signing in to ServiceNow with the JWT bearer grant, and a key that only AWS KMS has."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from functions.tickets.contract import TrackerError
from tests.vendor_servers.jwt_verifier import RsaKey

KEY_ID = "1234abcd-12ab-34cd-56ef-1234567890ab"


class Kms:
    """Signs with one key."""

    def __init__(self):
        self.key, self.failures, self.signed = RsaKey(), [], 0

    def sign(self, *, KeyId, Message, MessageType, SigningAlgorithm):  # noqa: N803 - boto3's names
        if self.failures:
            raise self.failures.pop(0)
        assert (KeyId, MessageType, SigningAlgorithm) == (KEY_ID, "RAW", "RSASSA_PKCS1_V1_5_SHA_256")
        assert len(Message) <= 4_096
        self.signed += 1
        return {"Signature": self.key.sign(Message)}


def refusal(code, status=400):
    error = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(error, "Sign")


@pytest.fixture
def kms(monkeypatch):
    kms = Kms()
    monkeypatch.setattr("functions.tickets.trackers.service_now_jwt.create_client", lambda service: kms)  # noqa: ARG005
    return kms


@pytest.fixture
def server(vendor_servers, kms):
    server = vendor_servers.service_now
    server.use_jwt(kms.key)
    return server


@pytest.fixture
def service_now(server, make_tracker):  # noqa: ARG001 - its secret
    return make_tracker("servicenow", SERVICENOW_JWT_KEY=KEY_ID)


def test_one_assertion_gives_a_token_for_all_requests(service_now, server, kms, draft, since):
    ticket = service_now.open(draft)
    assert service_now.find(draft, since) == ticket
    assert (len(server.tokens), kms.signed) == (1, 1)
    server.tokens.clear()
    service_now.resolve(ticket, "It passed.")
    assert server.incidents[ticket.id]["state"] == "6"
    assert kms.signed == 2


def test_the_verifier_map_is_named_where_the_secret_names_it(server, kms, make_tracker, draft):
    server.use_jwt(kms.key, subject="security.hub@example.com", kid="verifier-1")
    make_tracker("servicenow", SERVICENOW_JWT_KEY=KEY_ID).open(draft)
    assert len(server.incidents) == 1


def test_an_assertion_of_another_key_is_refused_and_reported_without_a_credential(
    service_now, server, kms, draft
):
    kms.key = RsaKey(modulus=kms.key.modulus - 2)
    with pytest.raises(
        TrackerError, match=r"HTTP 401, access_denied\..*jwt_key_id the certificate"
    ) as caught:
        service_now.open(draft)
    assert "servicenow-secret" not in str(caught.value)
    assert server.incidents == {}


@pytest.mark.parametrize(
    "failure",
    [refusal("ThrottlingException"), refusal("KMSInternalException", 500)],
)
def test_kms_is_asked_again_if_it_is_busy(service_now, server, kms, draft, failure):
    kms.failures = [failure]
    service_now.open(draft)
    assert len(server.incidents) == 1


@pytest.mark.parametrize("code", ["AccessDeniedException", "DisabledException", "NotFoundException"])
def test_a_refusal_of_kms_says_what_to_do_and_that_nothing_was_opened(service_now, server, kms, draft, code):
    kms.failures = [refusal(code)] * 9
    with pytest.raises(
        TrackerError, match=rf"AWS KMS did not sign.*\({code}\).*jwt_key_id must be"
    ) as caught:
        service_now.open(draft)
    assert caught.value.is_refusal
    assert server.requests == []


@pytest.mark.parametrize(
    ("code", "status"),
    [("AccessDeniedException", 400), ("DisabledException", 409), ("KMSInvalidStateException", 409)],
)
def test_a_key_that_cannot_be_used_is_like_a_refused_credential_which_somebody_will_mend(
    service_now, kms, draft, code, status
):
    kms.failures = [refusal(code, status)] * 9
    with pytest.raises(TrackerError) as caught:
        service_now.open(draft)
    assert (caught.value.is_about_credential, caught.value.is_temporary) == (True, True)


def test_a_key_that_kms_does_not_know_is_no_deleted_incident(service_now, server, kms, draft):
    ticket = service_now.open(draft)
    server.tokens.clear()
    kms.failures = [refusal("NotFoundException", 404)] * 9
    for use in (lambda: service_now.look(ticket), lambda: service_now.resolve(ticket, "It passed.")):
        with pytest.raises(TrackerError, match=r"did not read the incident: HTTP 404, AWS KMS did not sign"):
            use()
    assert server.incidents[ticket.id]["state"] == "1"


def test_kms_that_does_not_answer_is_reported(service_now, kms, draft):
    kms.failures = [ReadTimeoutError(endpoint_url="https://kms")] * 9
    with pytest.raises(TrackerError, match=r"AWS KMS gave no readable response \(ReadTimeoutError\)"):
        service_now.open(draft)


@pytest.mark.parametrize("member", ["client_id", "jwt_subject"])
def test_a_secret_that_lacks_a_member_is_reported(server, make_tracker, draft, member):
    secret = {name: value for name, value in server.secret.items() if name != member}
    service_now = make_tracker("servicenow", get_secret=lambda _, **__: secret, SERVICENOW_JWT_KEY=KEY_ID)
    with pytest.raises(TrackerError, match=f"non-empty string '{member}'"):
        service_now.open(draft)
