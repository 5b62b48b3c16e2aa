from __future__ import annotations

import pytest

from tests.emulator.securityhub.account import Account, refused

HIGH = {"SeverityLabel": [{"Value": "HIGH", "Comparison": "EQUALS"}]}
SUPPRESS = {"Workflow": {"Status": "SUPPRESSED"}, "Note": {"Text": "By rule", "UpdatedBy": "rule"}}


def rule(order=1, criteria=HIGH, is_terminal=False, **changes):
    return {
        "RuleName": f"rule-{order}",
        "Description": "Change findings",
        "RuleOrder": order,
        "IsTerminal": is_terminal,
        "Criteria": criteria,
        "Actions": [{"Type": "FINDING_FIELDS_UPDATE", "FindingFieldsUpdate": changes}],
    }


def create(account, *given, **changes):
    return account.hub.create_automation_rule(**rule(*given, **changes))["RuleArn"]


def described(account, arn):
    (found,) = account.hub.batch_get_automation_rules(AutomationRulesArns=[arn])["Rules"]
    return found


def note(account, finding_id="finding-1"):
    return account.stored(finding_id)["Note"]["Text"]


def test_a_rule_changes_what_is_imported_from_now_on_and_the_event_has_it(account):
    account.imported("before")
    create(account, **SUPPRESS)
    receive = account.listen()
    account.imported("after")
    (event,) = receive(1)
    (sent,) = event["detail"]["findings"]
    assert sent["Workflow"] == {"Status": "SUPPRESSED"}
    assert (sent["Note"]["Text"], sent["Note"]["UpdatedBy"]) == ("By rule", "rule")
    assert account.stored("before")["Workflow"] == {"Status": "NEW"}
    assert account.stored("after") == sent


def test_a_rule_applies_to_a_provider_s_update_but_not_to_a_customer_s(account):
    identifier = account.imported()
    create(account, **SUPPRESS)
    account.update(identifier, Criticality=50)
    assert account.stored()["Workflow"] == {"Status": "NEW"}
    account.imported(UpdatedAt="2026-01-02T00:00:00Z")
    assert account.stored()["Workflow"] == {"Status": "SUPPRESSED"}


def test_criteria_are_compared_with_what_the_provider_supplied(account):
    criteria = {"WorkflowStatus": [{"Value": "NEW", "Comparison": "EQUALS"}]}
    identifier = account.imported()
    account.update(identifier, Workflow={"Status": "NOTIFIED"}, Severity={"Label": "LOW"})
    create(account, 1, {**criteria, **HIGH}, **SUPPRESS)
    account.imported(UpdatedAt="2026-01-02T00:00:00Z")
    assert account.stored()["Workflow"] == {"Status": "SUPPRESSED"}


def test_of_rules_that_set_the_same_field_the_one_with_the_highest_order_holds(account):
    create(account, 2, Note={"Text": "second", "UpdatedBy": "rule"})
    create(account, 1, Note={"Text": "first", "UpdatedBy": "rule"}, Severity={"Label": "LOW"})
    account.imported()
    assert (note(account), account.stored()["Severity"]["Label"]) == ("second", "LOW")


def test_of_equal_orders_the_rule_that_was_changed_last_holds(account):
    first = create(account, 1, Note={"Text": "first", "UpdatedBy": "rule"})
    create(account, 1, Note={"Text": "second", "UpdatedBy": "rule"})
    account.imported("a")
    account.hub.batch_update_automation_rules(
        UpdateAutomationRulesRequestItems=[{"RuleArn": first, "Description": "changed"}]
    )
    account.imported("b")
    assert (note(account, "a"), note(account, "b")) == ("second", "first")


def test_nothing_follows_a_terminal_rule_that_a_finding_meets(account):
    create(account, 1, HIGH, True, Note={"Text": "first", "UpdatedBy": "rule"})
    create(account, 2, Note={"Text": "second", "UpdatedBy": "rule"})
    account.imported()
    assert note(account) == "first"


def test_a_rule_that_is_disabled_or_deleted_changes_nothing(account):
    disabled, deleted = create(account, **SUPPRESS), create(account, **SUPPRESS)
    answer = account.hub.batch_update_automation_rules(
        UpdateAutomationRulesRequestItems=[{"RuleArn": disabled, "RuleStatus": "DISABLED"}]
    )
    assert answer["ProcessedAutomationRules"] == [disabled]
    account.hub.batch_delete_automation_rules(AutomationRulesArns=[deleted])
    account.imported()
    assert account.stored()["Workflow"] == {"Status": "NEW"}
    (listed,) = account.hub.list_automation_rules()["AutomationRulesMetadata"]
    assert (listed["RuleArn"], listed["RuleStatus"]) == (disabled, "DISABLED")
    assert "Criteria" not in listed
    assert described(account, disabled)["Criteria"] == HIGH


def test_what_a_rule_set_stays_when_the_provider_updates_the_finding(account):
    arn = create(account, 1, HIGH, Severity={"Label": "LOW"})
    account.imported()
    account.hub.batch_delete_automation_rules(AutomationRulesArns=[arn])
    account.imported(UpdatedAt="2026-01-02T00:00:00Z")
    assert account.stored()["Severity"]["Label"] == "LOW"


def test_unknown_rules_are_reported_one_by_one(account):
    arn = create(account, **SUPPRESS)
    unknown = arn[:-1] + ("0" if arn[-1] != "0" else "1")
    answer = account.hub.batch_delete_automation_rules(AutomationRulesArns=[unknown, arn])
    assert answer["ProcessedAutomationRules"] == [arn]
    assert [one["RuleArn"] for one in answer["UnprocessedAutomationRules"]] == [unknown]


@pytest.mark.parametrize(
    "changes",
    [
        {"RuleOrder": 1001},
        {"Criteria": {}},
        {"Criteria": {"Title": [{"Value": "a", "Comparison": "EQUALS"}] * 101}},
        {"Criteria": {"Type": [{"Value": "a", "Comparison": "EQUALS"}] * 21}},
        {"Actions": [{"Type": "FINDING_FIELDS_UPDATE", "FindingFieldsUpdate": {}}]},
        {
            "Actions": [
                {
                    "Type": "FINDING_FIELDS_UPDATE",
                    "FindingFieldsUpdate": {"Note": {"Text": "x" * 513, "UpdatedBy": "x"}},
                }
            ]
        },
    ],
)
def test_what_is_not_allowed_is_refused(account, changes):
    refused("InvalidInputException", account.hub.create_automation_rule, **(rule(**SUPPRESS) | changes))


def test_there_are_a_hundred_rules_at_most(account):
    for order in range(1, 101):
        create(account, order, **SUPPRESS)
    refused("LimitExceededException", account.hub.create_automation_rule, **rule(**SUPPRESS))


def test_the_administrator_s_rules_apply_to_members_which_can_have_none(account):
    organization = account.aws.client("securityhub", account=account.id, region=account.region)
    organization.enable_organization_admin_account(AdminAccountId=account.id)
    member = Account(account.aws)
    member.hub.enable_security_hub()
    account.hub.create_members(AccountDetails=[{"AccountId": member.id}])
    create(account, **SUPPRESS)
    member.imported()
    assert member.stored()["Workflow"] == {"Status": "SUPPRESSED"}
    refused("AccessDeniedException", member.hub.create_automation_rule, **rule(**SUPPRESS))
