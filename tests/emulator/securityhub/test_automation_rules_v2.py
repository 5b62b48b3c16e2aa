from __future__ import annotations

import pytest

from tests.emulator.securityhub.account import refused


@pytest.fixture
def account(account):
    account.hub.enable_security_hub_v2()
    return account


def rule(order=1, severity="High", **changes):
    condition = {"FieldName": "severity", "Filter": {"Value": severity, "Comparison": "EQUALS"}}
    return {
        "RuleName": f"rule-{order}",
        "Description": "Change findings",
        "RuleOrder": order,
        "Criteria": {"OcsfFindingCriteria": {"CompositeFilters": [{"StringFilters": [condition]}]}},
        "Actions": [{"Type": "FINDING_FIELDS_UPDATE", "FindingFieldsUpdate": changes}],
    }


def create(account, *given, **changes):
    return account.hub.create_automation_rule_v2(**rule(*given, **changes))


def only(account):
    (finding,) = account.hub.get_findings_v2()["Findings"]
    return finding


def test_a_rule_changes_what_arrives_from_now_on_and_the_event_has_it(account):
    account.imported("before")
    create(account, Comment="By rule", StatusId=3)
    receive = account.listen()
    account.imported("after")
    (sent,) = [
        event["detail"]["findings"][0]
        for event in receive(2)
        if event["detail-type"] == "Findings Imported V2"
    ]
    assert (sent["comment"], sent["status"]) == ("By rule", "Suppressed")
    before, after = account.hub.get_findings_v2()["Findings"]
    assert (before["status"], after["status"]) == ("New", "Suppressed")
    assert account.stored("after")["Workflow"] == {"Status": "NEW"}


def test_rules_apply_in_their_order_each_on_what_the_provider_supplied(account):
    create(account, 3, "Critical", Comment="third")
    create(account, 2, "High", Comment="second")
    create(account, 1, "High", SeverityId=5, Comment="first")
    account.imported()
    assert (only(account)["severity"], only(account)["comment"]) == ("Critical", "second")


def test_a_rule_ignores_what_people_have_changed(account):
    account.imported()
    uid = only(account)["metadata"]["uid"]
    account.hub.batch_update_findings_v2(MetadataUids=[uid], SeverityId=2)
    create(account, 1, "Low", Comment="as changed")
    account.imported(UpdatedAt="2026-02-01T00:00:00Z")
    assert "comment" not in only(account)
    create(account, 2, "High", Comment="as supplied")
    account.imported(UpdatedAt="2026-03-01T00:00:00Z")
    assert only(account)["comment"] == "as supplied"


def test_a_rule_that_is_disabled_or_deleted_changes_nothing(account):
    disabled = create(account, 1, Comment="disabled")["RuleId"]
    deleted = create(account, 2, Comment="deleted")["RuleArn"]
    account.hub.update_automation_rule_v2(Identifier=disabled, RuleStatus="DISABLED")
    account.hub.delete_automation_rule_v2(Identifier=deleted)
    account.imported()
    assert "comment" not in only(account)
    refused("ResourceNotFoundException", account.hub.get_automation_rule_v2, Identifier=deleted)


def test_a_rule_applies_to_findings_that_are_updated(account):
    account.imported()
    create(account, Comment="By rule")
    account.imported(UpdatedAt="2026-02-01T00:00:00Z")
    assert only(account)["comment"] == "By rule"


def test_a_rule_is_returned_as_it_was_given_and_changed(account):
    created = create(account, Comment="x")
    arn = created["RuleArn"]
    assert arn == f"arn:aws:securityhub:{account.region}:{account.id}:automation-rulev2/{created['RuleId']}"
    account.hub.update_automation_rule_v2(Identifier=arn, RuleName="renamed", RuleOrder=7.5)
    for identifier in (arn, created["RuleId"]):
        got = account.hub.get_automation_rule_v2(Identifier=identifier)
        assert (got["RuleName"], got["RuleOrder"], got["RuleStatus"]) == ("renamed", 7.5, "ENABLED")
        assert got["Criteria"] == rule()["Criteria"]
    (listed,) = account.hub.list_automation_rules_v2()["Rules"]
    assert (listed["RuleArn"], listed["Actions"]) == (arn, [{"Type": "FINDING_FIELDS_UPDATE"}])


def test_rules_are_listed_in_pages(account):
    for order in range(1, 4):
        create(account, order, Comment="x")
    first = account.hub.list_automation_rules_v2(MaxResults=2)
    second = account.hub.list_automation_rules_v2(MaxResults=2, NextToken=first["NextToken"])
    assert [one["RuleName"] for one in first["Rules"] + second["Rules"]] == ["rule-1", "rule-2", "rule-3"]


def test_the_same_client_token_creates_one_rule(account):
    ids = [
        account.hub.create_automation_rule_v2(**rule(Comment="x"), ClientToken="t")["RuleId"] for _ in "ab"
    ]
    assert len(set(ids)) == len(account.hub.list_automation_rules_v2()["Rules"]) == 1


def test_an_account_has_up_to_100_rules(account):
    for _ in range(100):
        create(account, Comment="x")
    refused("ServiceQuotaExceededException", account.hub.create_automation_rule_v2, **rule(Comment="x"))


CONNECTOR = {"Type": "EXTERNAL_INTEGRATION", "ExternalIntegrationConfiguration": {"ConnectorArn": "x"}}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"RuleOrder": 1001}, "RuleOrder must be 1.0 to 1000.0"),
        ({"Actions": [CONNECTOR]}, "need a connector"),
        ({"Actions": [{"Type": "FINDING_FIELDS_UPDATE"}]}, "needs FindingFieldsUpdate"),
        ({"Actions": [CONNECTOR] * 2}, "Actions must be 1 to 1 entries"),
        ({"Criteria": {"OcsfFindingCriteria": {"CompositeFilters": [{}] * 11}}}, "up to 10 entries"),
        (rule(StatusId=7), "StatusId must be one of"),
        (rule(), "Nothing is changed"),
    ],
)
def test_a_rule_that_cannot_be_is_refused(account, changes, reason):
    request = rule(Comment="x") | changes
    answer = refused("ValidationException", account.hub.create_automation_rule_v2, **request)
    assert reason in answer["Error"]["Message"]
