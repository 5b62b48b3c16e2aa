from __future__ import annotations

from tests.emulator.securityhub.account import REGION, refused


def test_import_and_update_send_one_imported_event_a_finding(account):
    receive = account.listen()
    batch = [account.finding("a"), account.finding("b")]
    account.hub.batch_import_findings(Findings=batch)
    account.update({"Id": "a", "ProductArn": account.product_arn}, Workflow={"Status": "NOTIFIED"})
    events = receive(3)
    assert {event["detail-type"] for event in events} == {"Security Hub Findings - Imported"}
    assert [len(event["detail"]["findings"]) for event in events] == [1, 1, 1]
    assert sorted(event["resources"][0] for event in events) == [
        f"{account.product_arn}/a",
        f"{account.product_arn}/a",
        f"{account.product_arn}/b",
    ]
    (updated,) = [
        event for event in events if event["detail"]["findings"][0]["Workflow"]["Status"] == "NOTIFIED"
    ]
    assert (updated["account"], updated["region"]) == (account.id, REGION)


def test_v2_sends_the_finding_in_ocsf_as_well(account):
    refused("ResourceNotFoundException", account.hub.describe_security_hub_v2)
    arn = account.hub.enable_security_hub_v2()["HubV2Arn"]
    assert account.hub.describe_security_hub_v2()["HubV2Arn"] == arn
    receive = account.listen()
    account.imported(Compliance={"Status": "FAILED", "SecurityControlId": "S3.1"})
    by_type = {event["detail-type"]: event for event in receive(2)}
    (finding,) = by_type["Findings Imported V2"]["detail"]["findings"]
    assert by_type["Findings Imported V2"]["resources"] == [finding["metadata"]["uid"]]
    assert (finding["class_uid"], finding["type_uid"]) == (2003, 200301)
    assert finding["finding_info"]["uid"] == "finding-1"
    assert (finding["severity_id"], finding["severity"]) == (4, "High")
    assert finding["cloud"]["account"]["uid"] == account.id
    assert finding["compliance"] == {"status_id": 3, "status": "Fail", "control": "S3.1"}


def test_an_update_is_no_creation_in_ocsf(account):
    finding = account.imported()
    account.hub.enable_security_hub_v2()
    receive = account.listen()
    account.update(finding, Workflow={"Status": "SUPPRESSED"})
    by_type = {event["detail-type"]: event for event in receive(2)}
    (translated,) = by_type["Findings Imported V2"]["detail"]["findings"]
    assert (translated["class_uid"], translated["type_uid"]) == (2002, 200202)
    assert (translated["status_id"], translated["status"]) == (3, "Suppressed")


def test_disabled_v2_sends_asff_only(account):
    account.hub.enable_security_hub_v2()
    account.hub.disable_security_hub_v2()
    receive = account.listen()
    account.imported("a")
    account.imported("b")
    assert {event["detail-type"] for event in receive(2)} == {"Security Hub Findings - Imported"}
