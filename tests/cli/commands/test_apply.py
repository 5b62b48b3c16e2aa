"""Findings that were there before an automation rule was are changed as the rule would."""

from __future__ import annotations

from datetime import date

import pytest

from securityhub_actions import FindingFilter, OcsfFindingFilter, SuppressionRule
from securityhub_actions.suppression_rule import TODAY
from tests.cli.deployed import deploy, destroy, enable_security_hub, findings_of
from tests.e2e.findings import import_findings

UNTIL = date(2027, 3, 31)


@pytest.fixture(scope="module")
def findings(embedded_aws, tmp_path_factory):
    """Findings that are older than the two suppressions for them."""
    enable_security_hub(embedded_aws)
    embedded_aws.client("securityhub").enable_security_hub_v2()
    found = findings_of("RDS.7", 3)
    import_findings(embedded_aws, [*found, *findings_of("RDS.8", 1)])

    def declare(stack):
        stack.node.set_context(TODAY, "2027-01-01")
        for name, kind in (("Cspm", FindingFilter), ("NewHub", OcsfFindingFilter)):
            filter_ = kind(control_ids="RDS.7")
            rule_name = f"{name}Rule"
            SuppressionRule(stack, name, findings=filter_, reason="Fine", until=UNTIL, rule_name=rule_name)

    deployed = deploy(embedded_aws, declare, tmp_path_factory.mktemp("app"))
    yield found
    destroy(deployed)
    embedded_aws.client("securityhub").disable_security_hub_v2()


def stored(aws):
    filters = {"ComplianceSecurityControlId": [{"Value": "RDS.7", "Comparison": "EQUALS"}]}
    return aws.client("securityhub").get_findings(Filters=filters)["Findings"]


def stored_v2(aws):
    condition = {"FieldName": "compliance.control", "Filter": {"Value": "RDS.7", "Comparison": "EQUALS"}}
    filters = {"CompositeFilters": [{"StringFilters": [condition]}]}
    return aws.client("securityhub").get_findings_v2(Filters=filters)["Findings"]


def test_a_dry_run_says_what_would_be_changed_and_nobody_is_asked_without_a_terminal(
    cli, of_account, findings
):
    ran = cli("apply", "CspmRule", "--dry-run")
    assert (ran.code, ran.out.splitlines()[0]) == (0, "3 findings would be changed")
    ran = cli("apply", "CspmRule")
    assert (ran.code, "Specify --yes, or --dry-run" in ran.err) == (2, True)
    assert {one["Workflow"]["Status"] for one in stored(of_account)} == {"NEW"}
    assert len(findings) == 3


def test_what_meets_the_criteria_is_changed_as_the_rule_would_and_once(cli, of_account, findings):
    ran = cli("apply", "CspmRule", "--yes", "--limit", "1", "--json")
    assert (ran.code, len(ran.document["findings"]), ran.document["failures"]) == (0, 1, [])
    ran = cli("apply", "Cspm", "--yes")
    assert (ran.code, ran.out.splitlines()[0]) == (0, "2 changed")
    for one in stored(of_account):
        assert one["Workflow"]["Status"] == "SUPPRESSED"
        assert one["Note"]["Text"] == "Fine (suppressed until 2027-03-31)"
        assert one["Note"]["UpdatedBy"].startswith("securityhub-actions/")
    assert cli("apply", "CspmRule", "--yes").out.splitlines()[0] == "0 findings to change"
    assert len(findings) == 3


def reopen(aws):
    identifiers = [{name: one[name] for name in ("Id", "ProductArn")} for one in stored(aws)]
    note = {"Text": "Open", "UpdatedBy": "test"}
    aws.client("securityhub").batch_update_findings(
        FindingIdentifiers=identifiers, Workflow={"Status": "NEW"}, Note=note
    )
    return identifiers


def test_a_note_that_somebody_adds_before_the_answer_is_not_lost(cli, of_account, findings, meanwhile):
    hub = of_account.client("securityhub")
    first, *others = reopen(of_account)
    note = {"Text": "I look at it", "UpdatedBy": "jo"}
    asked = meanwhile(lambda: hub.batch_update_findings(FindingIdentifiers=[first], Note=note))
    ran = cli("apply", "CspmRule")
    assert (ran.code, ran.out.splitlines()[0]) == (0, "2 changed")
    assert asked == ["Change 3 findings as CspmRule does?"]
    assert "1 of 3 findings have changed since the question, and are left alone." in ran.err
    notes = {one["Id"]: (one["Workflow"]["Status"], one["Note"]["Text"]) for one in stored(of_account)}
    assert notes == {
        first["Id"]: ("NEW", "I look at it"),
        **{one["Id"]: ("SUPPRESSED", "Fine (suppressed until 2027-03-31)") for one in others},
    }
    assert len(findings) == 3


def test_a_finding_that_is_settled_before_the_answer_in_the_new_hub_is_left_alone(
    cli, of_account, findings, meanwhile
):
    hub = of_account.client("securityhub")
    uids = [one["metadata"]["uid"] for one in stored_v2(of_account)]
    hub.batch_update_findings_v2(MetadataUids=uids, StatusId=1)
    meanwhile(lambda: hub.batch_update_findings_v2(MetadataUids=uids[:1], StatusId=2))
    assert cli("apply", "NewHubRule").out.splitlines()[0] == "2 changed"
    statuses = sorted(one["status"] for one in stored_v2(of_account))
    assert statuses == ["In Progress", "Suppressed", "Suppressed"]
    assert len(findings) == 3


def test_nothing_is_changed_if_the_rule_changes_before_the_answer(cli, of_account, findings, meanwhile):
    hub = of_account.client("securityhub")
    reopen(of_account)
    (rule,) = (
        one for one in hub.list_automation_rules()["AutomationRulesMetadata"] if one["RuleName"] == "CspmRule"
    )
    change = {"RuleArn": rule["RuleArn"], "RuleStatus": "DISABLED"}
    meanwhile(lambda: hub.batch_update_automation_rules(UpdateAutomationRulesRequestItems=[change]))
    ran = cli("apply", "CspmRule")
    change["RuleStatus"] = "ENABLED"
    hub.batch_update_automation_rules(UpdateAutomationRulesRequestItems=[change])
    assert (ran.code, "The rule CspmRule has changed since the question" in ran.err) == (2, True)
    assert {one["Workflow"]["Status"] for one in stored(of_account)} == {"NEW"}
    assert len(findings) == 3


def test_in_the_new_hub_only_what_is_new_is_changed(cli, of_account, findings):
    first, *_ = stored_v2(of_account)
    of_account.client("securityhub").batch_update_findings_v2(
        MetadataUids=[first["metadata"]["uid"]], StatusId=2
    )
    for one in stored_v2(of_account)[1:]:
        of_account.client("securityhub").batch_update_findings_v2(
            MetadataUids=[one["metadata"]["uid"]], StatusId=1
        )
    assert cli("apply", "NewHubRule", "--yes").out.splitlines()[0] == "2 changed"
    statuses = sorted(one["status"] for one in stored_v2(of_account))
    assert statuses == ["In Progress", "Suppressed", "Suppressed"]
    assert len(findings) == 3


@pytest.mark.usefixtures("of_account", "findings")
@pytest.mark.parametrize(
    ("given", "said"),
    [("Nothing", "No automation rule is 'Nothing'"), ("Rule", "Several rules have 'Rule' in their name")],
)
def test_the_rule_must_be_one(cli, given, said):
    ran = cli("apply", given, "--yes")
    assert (ran.code, said in ran.err) == (2, True)
    assert "CspmRule" in ran.err


def test_what_security_hub_refuses_is_named(cli, of_account, findings):
    one, *_ = findings
    of_account.client("securityhub").batch_update_findings(
        FindingIdentifiers=[{"Id": one["Id"], "ProductArn": one["ProductArn"]}], Workflow={"Status": "NEW"}
    )
    finding = {"Id": one["Id"], "ProductArn": one["ProductArn"]}
    of_account.request(
        "POST",
        "/_securityhub/faults",
        {"account": "111122223333", "region": "eu-west-1", "finding": finding, "error": "InternalFailure"},
    )
    ran = cli("apply", "CspmRule", "--yes", "--json")
    assert ran.code == 3
    assert [failure["finding"] for failure in ran.document["failures"]] == [one["Id"]]
