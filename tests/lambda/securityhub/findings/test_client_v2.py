from __future__ import annotations

from contextlib import suppress

import pytest

from securityhub.events import Finding, parse_finding, parse_finding_v2
from securityhub.findings import client_v2
from securityhub.findings.client import SecurityHub, create_client
from securityhub.findings.updates import RequestRefusedError, write_to_findings
from tests.both_formats import asff_finding, metadata_uid, ocsf_finding

UIDS = [metadata_uid(number) for number in range(3)]


@pytest.fixture
def findings(fake_security_hub_v2):
    given = [ocsf_finding(number) for number in range(3)]
    fake_security_hub_v2.send(*given)
    return [parse_finding_v2(one) for one in given]


@pytest.fixture
def client(fake_security_hub, fake_security_hub_v2, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda _: None)
    return fake_security_hub.attach(fake_security_hub_v2.attach(create_client()))


@pytest.fixture
def security_hub(client):
    return SecurityHub(client)


def update(security_hub, findings, status="NOTIFIED", note="A note", **more):
    return security_hub.batch_update_findings(
        findings, workflow_status=status, note_text=note, note_updated_by="arn:example", **more
    )


def write(security_hub, findings, **more):
    return write_to_findings(
        findings,
        security_hub=security_hub,
        workflow_status="NOTIFIED",
        note_text="A note",
        note_updated_by="arn:example",
        sleep=lambda _: None,
        **more,
    )


def test_status_and_comment_are_written_by_metadata_uid(security_hub, fake_security_hub_v2, findings):
    assert update(security_hub, findings) == []
    assert fake_security_hub_v2.requests == [{"MetadataUids": UIDS, "StatusId": 2, "Comment": "A note"}]


@pytest.mark.parametrize(
    ("status", "name"),
    [("NEW", "New"), ("NOTIFIED", "In Progress"), ("SUPPRESSED", "Suppressed"), ("RESOLVED", "Resolved")],
)
def test_a_status_that_was_written_is_read_as_the_same(
    security_hub, fake_security_hub_v2, findings, status, name
):
    update(security_hub, findings[:1], status)
    stored = fake_security_hub_v2.findings[UIDS[0]]
    assert stored["status"] == name
    assert parse_finding_v2(stored).workflow_status == status


@pytest.mark.parametrize(
    ("values", "body"),
    [({"status": None}, {"Comment": "A note"}), ({"note": None}, {"StatusId": 2})],
)
def test_what_is_none_stays(security_hub, fake_security_hub_v2, findings, values, body):
    update(security_hub, findings, **values)
    assert fake_security_hub_v2.requests == [{"MetadataUids": UIDS, **body}]


def test_fields_that_ocsf_does_not_have_are_not_sent(security_hub, fake_security_hub_v2, findings):
    update(security_hub, findings, user_defined_fields={"Tickets": "one"})
    assert "UserDefinedFields" not in fake_security_hub_v2.requests[0]


def test_an_unprocessed_finding_comes_back_with_its_reason(security_hub, fake_security_hub_v2, findings):
    fake_security_hub_v2.unprocessed[UIDS[1]] = ["ValidationException"]
    (item,) = update(security_hub, findings)
    assert item.finding is findings[1]
    assert (item.error_code, item.error_message) == ("ValidationException", "Because: ValidationException")


@pytest.mark.parametrize(
    ("item", "numbers"),
    [
        (
            {
                "FindingIdentifier": {
                    "CloudAccountUid": "444455556666",
                    "FindingInfoUid": ocsf_finding(2)["finding_info"]["uid"],
                    "MetadataProductUid": "arn:aws:securityhub:eu-west-1::productv2/aws/securityhub",
                }
            },
            [2],
        ),
        ({"ErrorCode": "ConflictException"}, [0, 1, 2]),
    ],
)
def test_an_unprocessed_finding_is_found_however_the_answer_names_it(findings, item, numbers):
    class Client:
        @staticmethod
        def batch_update_findings_v2(**_):
            return {"ProcessedFindings": [], "UnprocessedFindings": [item]}

    not_updated = client_v2.update_findings(Client(), findings, workflow_status="NEW", comment=None)
    assert [one.finding for one in not_updated] == [findings[number] for number in numbers]


@pytest.mark.parametrize("code", ["ConflictException", "InternalServerException"])
def test_what_may_succeed_later_is_tried_again(security_hub, fake_security_hub_v2, findings, code):
    fake_security_hub_v2.unprocessed[UIDS[0]] = [code, code]
    assert write(security_hub, findings) == []
    assert [body["MetadataUids"] for body in fake_security_hub_v2.requests] == [UIDS, UIDS[:1], UIDS[:1]]


def test_a_comment_that_is_refused_does_not_keep_the_status_from_being_written(
    security_hub, fake_security_hub_v2, findings
):
    fake_security_hub_v2.unprocessed[UIDS[0]] = ["ValidationException"]
    (item,) = write(security_hub, findings[:1])
    assert item.left_out == ("note",)
    assert fake_security_hub_v2.findings[UIDS[0]]["status"] == "In Progress"


def test_findings_of_both_hubs_are_written_each_to_its_own(
    security_hub, fake_security_hub, fake_security_hub_v2, findings
):
    given = [asff_finding(number) for number in range(2)]
    fake_security_hub.import_findings(given)
    mixed = [findings[0], parse_finding(given[0]), findings[1], parse_finding(given[1])]
    assert write(security_hub, mixed) == []
    assert [len(body["FindingIdentifiers"]) for body in fake_security_hub.requests] == [2]
    assert [body["MetadataUids"] for body in fake_security_hub_v2.requests] == [UIDS[:2]]


def test_two_hundred_findings_take_two_requests(security_hub, fake_security_hub_v2):
    given = [ocsf_finding(number) for number in range(200)]
    fake_security_hub_v2.send(*given)
    assert write(security_hub, [parse_finding_v2(one) for one in given]) == []
    assert [len(body["MetadataUids"]) for body in fake_security_hub_v2.requests] == [100, 100]


@pytest.mark.parametrize(
    ("refusal", "cure"),
    [
        ((403, "AccessDeniedException"), "allow securityhub:BatchUpdateFindings on hubv2"),
        ((429, "ThrottlingException"), "the event is retried later"),
        ((400, "ValidationException"), "Check the text of the comment"),
    ],
)
def test_a_refused_request_says_how_to_cure_it(security_hub, fake_security_hub_v2, findings, refusal, cure):
    fake_security_hub_v2.refusals = [(*refusal, "No")] * 20
    with pytest.raises(RequestRefusedError, match=cure) as error:
        update(security_hub, findings)
    assert error.value.code == refusal[1]


def test_a_finding_is_read_by_what_identifies_it(security_hub, fake_security_hub_v2, findings):
    fake_security_hub_v2.findings[UIDS[1]]["status"] = "Suppressed"
    known = Finding.identified(
        id_=findings[1].id, product=findings[1].product_uid, account=findings[1].aws_account_id
    )
    found = security_hub.get_finding(known)
    assert found == parse_finding_v2(fake_security_hub_v2.findings[UIDS[1]])
    assert found.workflow_status == "SUPPRESSED"


def test_a_finding_that_is_gone_is_none(security_hub, findings, fake_security_hub_v2):
    fake_security_hub_v2.findings.clear()
    assert security_hub.get_finding(findings[0]) is None


def test_a_finding_that_may_not_be_read_is_refused(security_hub, fake_security_hub_v2, findings):
    fake_security_hub_v2.refusals = [(403, "AccessDeniedException", "No")] * 20
    with pytest.raises(RequestRefusedError, match="allow securityhub:GetFindings on hubv2"):
        security_hub.get_finding(findings[0])


class TestOnTheEmbeddedAws:
    """What the API takes, rather than what the fake does."""

    @pytest.fixture
    def hub(self, function_aws):
        client = function_aws.client("securityhub")
        with suppress(client.exceptions.ResourceConflictException):
            client.enable_security_hub()
        client.enable_security_hub_v2()
        yield client
        client.disable_security_hub_v2()

    @pytest.fixture
    def known(self, hub):
        """Two findings of which only their identity is known, as Security Hub CSPM has them."""
        given = [asff_finding(900 + number) for number in range(2)]
        assert hub.batch_import_findings(Findings=given)["FailedCount"] == 0
        return [
            Finding.identified(
                id_=one["Id"],
                product=one["ProductArn"].replace("::product/", "::productv2/"),
                account=one["AwsAccountId"],
            )
            for one in given
        ]

    def test_a_finding_is_found_and_updated_by_what_its_counterpart_is_identified_by(self, known):
        security_hub = SecurityHub(create_client())
        found = [security_hub.get_finding(one) for one in known]
        assert [one.identity for one in found] == [one.identity for one in known]
        assert found[0].workflow_status == "NEW"

        assert write(security_hub, found, user_defined_fields={"Tickets": "none in OCSF"}) == []

        now = security_hub.get_finding(known[0])
        assert (now.workflow_status, now.note.text) == ("NOTIFIED", "A note")
        assert security_hub.get_finding(known[1]).workflow_status == "NOTIFIED"

    def test_a_comment_that_is_too_long_is_left_out_and_the_status_is_written(self, known):
        security_hub = SecurityHub(create_client())
        finding = security_hub.get_finding(known[0])
        (item,) = write_to_findings(
            [finding],
            security_hub=security_hub,
            workflow_status="RESOLVED",
            note_text="x" * 513,
            note_updated_by="arn:example",
            sleep=lambda _: None,
        )
        assert (item.error_code, item.left_out) == ("ValidationException", ("note",))
        assert security_hub.get_finding(known[0]).workflow_status == "RESOLVED"

    def test_a_finding_that_does_not_exist_is_reported(self, hub):
        assert hub
        security_hub = SecurityHub(create_client())
        (item,) = write(security_hub, [parse_finding_v2(ocsf_finding(999))])
        assert (item.error_code, item.left_out) == ("ResourceNotFoundException", ())
