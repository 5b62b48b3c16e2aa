from __future__ import annotations

import json
import re

import pytest
from aws_cdk.assertions import Template

from stacks import member_role
from stacks.member_role import MemberRoleStack, member_role_template
from stacks.remediation_catalog import read_catalog

ADMINISTRATOR = "111122223333"
TAGS = {"deny": {"keep": ["ANY"]}}
EVERY_REMEDIATION = {
    "remediations": list(read_catalog()),
    "parameters": {
        name: dict.fromkeys(entry.parameters, "alias/security")
        for name, entry in read_catalog().items()
        if entry.parameters
    },
}


@pytest.fixture(scope="module")
def new_template(new_app, environment, remediation_settings):
    def make(**changes):
        settings = remediation_settings(**changes)
        stack = MemberRoleStack(new_app(), "Member", settings=settings, env=environment)
        return Template.from_stack(stack)

    return make


@pytest.fixture(scope="module")
def role(new_template):
    return role_of(new_template())


def role_of(template):
    (role,) = template.find_resources("AWS::IAM::Role").values()
    return role["Properties"]


def as_list(value):
    return value if isinstance(value, list) else [value]


def actions_of(policy):
    return {action for one in policy["PolicyDocument"]["Statement"] for action in as_list(one["Action"])}


def test_the_snapshot_is_what_was_reviewed(new_template, snapshot, without_asset_hashes):
    assert without_asset_hashes(new_template().to_json()) == snapshot


@pytest.mark.parametrize(
    "changes",
    [
        {"regions": ["eu-west-1"]},
        EVERY_REMEDIATION,
        {"remediations": ["s3_require_tls"], "resource_tags": TAGS},
    ],
)
def test_the_template_passes_every_check(new_checked_app, environment, remediation_settings, changes):
    app = new_checked_app()
    MemberRoleStack(app, "Member", settings=remediation_settings(**changes), env=environment)
    app.synth()


def test_each_enabled_remediation_has_a_policy_and_no_other_has(new_template):
    policies = role_of(new_template(remediations=["s3_public_access"]))["Policies"]
    assert [policy["PolicyName"] for policy in policies] == ["s3_public_access"]
    assert all(action.startswith("s3:") for action in actions_of(policies[0]))


def test_what_undoing_needs_is_granted_only_where_it_is_enabled(new_template):
    def may_authorize(**changes):
        policies = role_of(new_template(**changes))["Policies"]
        return any("ec2:AuthorizeSecurityGroupIngress" in actions_of(policy) for policy in policies)

    assert may_authorize(undo=True)
    assert not may_authorize(undo=False)


@pytest.mark.parametrize("tags", [{"allow": {"team": ["a"]}}, TAGS])
def test_the_role_may_read_tags_where_these_decide(new_template, role, tags):
    added = [
        policy
        for policy in role_of(new_template(resource_tags=tags))["Policies"]
        if policy not in role["Policies"]
    ]
    assert [policy["PolicyName"] for policy in added] == ["ReadResourceTags"]
    assert actions_of(added[0]) == {"tag:GetResources"}
    assert not any("tag:GetResources" in actions_of(policy) for policy in role["Policies"])


def test_no_policy_has_a_wildcard_action(role):
    assert not [action for policy in role["Policies"] for action in actions_of(policy) if "*" in action]


def test_all_but_the_chosen_regions_are_denied_to_both_roles_for_all_services_that_have_regions(new_template):
    regions = ["eu-west-1", "us-east-1"]
    for role in roles_of(new_template(remediations=WITH_RUNBOOKS, regions=regions)):
        (statement,) = role["Policies"][-1]["PolicyDocument"]["Statement"]
        assert statement == {
            "Effect": "Deny",
            "NotAction": "iam:*",
            "Resource": "*",
            "Condition": {"StringNotEquals": {"aws:RequestedRegion": regions}},
        }


def test_without_chosen_regions_nothing_is_denied(role):
    statements = [one for policy in role["Policies"] for one in policy["PolicyDocument"]["Statement"]]
    assert {one["Effect"] for one in statements} == {"Allow"}


def test_only_the_function_of_the_administrator_account_and_organization_is_trusted(role):
    assume, identity = role["AssumeRolePolicyDocument"]["Statement"]
    caller = {
        "aws:PrincipalArn": {
            "Fn::Join": [
                "",
                [
                    "arn:",
                    {"Ref": "AWS::Partition"},
                    f":iam::{ADMINISTRATOR}:role/securityhub/SecurityHubRemediation",
                ],
            ]
        },
        "aws:PrincipalOrgID": "o-exampleorgid",
    }
    assert assume["Action"] == "sts:AssumeRole"
    assert assume["Condition"] == {
        "StringEquals": {**caller, "sts:ExternalId": "securityhub-remediation"},
        "StringLike": {"sts:SourceIdentity": "securityhub-*"},
    }
    assert identity["Action"] == "sts:SetSourceIdentity"
    assert identity["Condition"] == {"StringEquals": caller}
    assert f":iam::{ADMINISTRATOR}:root" in json.dumps(assume["Principal"])


def test_name_and_path_are_those_of_the_settings(new_template):
    role = role_of(new_template(role={"name": "Fixer", "path": "/a/b/"}))
    assert (role["RoleName"], role["Path"]) == ("Fixer", "/a/b/")


def test_a_permissions_boundary_is_set_where_one_is_named(new_template, role):
    assert "PermissionsBoundary" not in role
    bounded = role_of(new_template(role={"permissions_boundary": "Fence"}))["PermissionsBoundary"]
    assert json.dumps(bounded).endswith(':policy/Fence"]]}')


def test_the_template_of_the_stack_set_has_the_same_role_and_needs_nothing_of_bootstrapping(
    new_app, remediation_settings
):
    anywhere = MemberRoleStack(new_app(), "Member", settings=remediation_settings())
    rendered = json.loads(member_role_template(new_app(), settings=remediation_settings()))
    assert rendered.keys() == {"Resources"}
    (role,) = rendered["Resources"].values()
    assert role["Properties"] == role_of(Template.from_stack(anywhere))


WITH_RUNBOOKS = ["documentdb_backup_retention", "rds_multi_az", "s3_public_access"]


@pytest.fixture(scope="module")
def both_roles(new_template):
    """The properties of the two roles of a member where runbooks are enabled."""
    return roles_of(new_template(remediations=WITH_RUNBOOKS))


def roles_of(template):
    roles = [role["Properties"] for role in template.find_resources("AWS::IAM::Role").values()]
    member, automation = sorted(roles, key=lambda role: "Automation" in role["RoleName"])
    return member, automation


def test_the_snapshot_with_runbooks_is_what_was_reviewed(new_template, snapshot, without_asset_hashes):
    assert without_asset_hashes(new_template(remediations=WITH_RUNBOOKS).to_json()) == snapshot


def test_without_a_runbook_there_is_no_role_for_runbooks(new_template):
    assert role_of(new_template(remediations=["s3_public_access"]))["RoleName"].endswith("Member")


def test_each_runbook_has_a_policy_in_the_role_for_runbooks_and_nothing_else_has(both_roles):
    _, automation = both_roles
    assert [policy["PolicyName"] for policy in automation["Policies"]] == WITH_RUNBOOKS[:2]
    assert actions_of(automation["Policies"][1]) == {
        "rds:DescribeDBInstances",
        "rds:ModifyDBInstance",
        "ssm:GetAutomationExecution",
        "ssm:StartAutomationExecution",
    }


def test_what_a_runbook_changes_the_member_role_may_not_change_itself(new_template):
    member, _ = roles_of(new_template(remediations=["rds_multi_az"], undo=False))
    assert {policy["PolicyName"]: actions_of(policy) for policy in member["Policies"]} == {
        "rds_multi_az": {"rds:DescribeDBInstances", "ssm:StartAutomationExecution"},
        "RunRunbooks": {
            "iam:PassRole",
            "ssm:DescribeAutomationExecutions",
            "ssm:GetAutomationExecution",
            "ssm:StartAutomationExecution",
        },
    }


def test_only_systems_manager_is_trusted_with_the_role_for_runbooks_for_executions_of_the_account(both_roles):
    _, automation = both_roles
    (statement,) = automation["AssumeRolePolicyDocument"]["Statement"]
    account = {"Ref": "AWS::AccountId"}
    executions = ["arn:", {"Ref": "AWS::Partition"}, ":ssm:*:", account, ":automation-execution/*"]
    resolved = json.dumps(statement["Condition"]).replace(f'"{ADMINISTRATOR}"', json.dumps(account))
    assert statement["Principal"] == {"Service": "ssm.amazonaws.com"}
    assert statement["Action"] == "sts:AssumeRole"
    assert json.loads(resolved) == {
        "StringEquals": {"aws:SourceAccount": account},
        "ArnLike": {"aws:SourceArn": {"Fn::Join": ["", executions]}},
    }


def test_only_the_role_for_runbooks_may_be_passed_and_only_to_systems_manager(both_roles):
    member, automation = both_roles
    (statement,) = [
        statement
        for policy in member["Policies"]
        for statement in policy["PolicyDocument"]["Statement"]
        if "iam:PassRole" in as_list(statement["Action"])
    ]
    assert statement["Action"] == "iam:PassRole"
    assert json.dumps(statement["Resource"]).endswith(f':role/securityhub/{automation["RoleName"]}"]]}}')
    assert statement["Condition"] == {"StringEquals": {"iam:PassedToService": "ssm.amazonaws.com"}}


def test_the_role_for_runbooks_has_the_name_path_and_boundary_of_the_settings(new_template):
    role = {"automation_name": "Runs", "path": "/a/", "permissions_boundary": "Fence"}
    _, automation = sorted(
        (
            found["Properties"]
            for found in new_template(remediations=WITH_RUNBOOKS, role=role)
            .find_resources("AWS::IAM::Role")
            .values()
        ),
        key=lambda found: found["RoleName"] == "Runs",
    )
    assert (automation["RoleName"], automation["Path"]) == ("Runs", "/a/")
    assert json.dumps(automation["PermissionsBoundary"]).endswith(':policy/Fence"]]}')


def test_the_template_with_runbooks_passes_every_check(new_checked_app, environment, remediation_settings):
    app = new_checked_app()
    settings = remediation_settings(remediations=WITH_RUNBOOKS)
    MemberRoleStack(app, "Member", settings=settings, env=environment)
    app.synth()


def test_the_template_of_the_stack_set_has_the_role_for_runbooks_as_well(new_app, remediation_settings):
    settings = remediation_settings(remediations=WITH_RUNBOOKS)
    rendered = json.loads(member_role_template(new_app(), settings=settings))
    names = {role["Properties"]["RoleName"] for role in rendered["Resources"].values()}
    assert names == {"SecurityHubRemediationMember", "SecurityHubRemediationAutomation"}


def in_an_account(value):
    """A value of a template with its references filled in as IAM gets it, the longest partition for one."""
    filled = {"AWS::Partition": "aws-us-gov", "AWS::AccountId": "444455556666"}
    if isinstance(value, dict) and "Fn::Join" in value:
        return "".join(filled[one["Ref"]] if isinstance(one, dict) else one for one in value["Fn::Join"][1])
    if isinstance(value, dict):
        return {key: in_an_account(one) for key, one in value.items()}
    return [in_an_account(one) for one in value] if isinstance(value, list) else value


def test_the_policies_of_all_remediations_stay_within_the_quota_of_a_role(new_template):
    regions = [f"ap-southeast-{number}" for number in range(1, 6)]
    for role in roles_of(new_template(**EVERY_REMEDIATION, regions=regions, resource_tags=TAGS)):
        documents = [in_an_account(policy["PolicyDocument"]) for policy in role["Policies"]]
        # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html counts no white space.
        assert sum(len(json.dumps(one, separators=(",", ":"))) for one in documents) <= 10_240


def test_policies_beyond_the_quota_are_refused(new_template, monkeypatch):
    monkeypatch.setattr(member_role, "_MAX_POLICY_CHARACTERS", 500)
    with pytest.raises(ValueError, match=r"s3_public_access.* take [0-9]+ characters, but IAM .* 500 in all"):
        new_template()


def test_the_length_of_policies_is_what_iam_counts(new_template, monkeypatch):
    policies = role_of(new_template())["Policies"]
    documents = [in_an_account(policy["PolicyDocument"]) for policy in policies]
    counted = sum(len(json.dumps(one, separators=(",", ":"))) for one in documents)
    monkeypatch.setattr(member_role, "_MAX_POLICY_CHARACTERS", 1)
    with pytest.raises(ValueError, match="take") as raised:
        new_template()
    told = int(re.search(r"take ([0-9]+) characters", str(raised.value))[1])
    assert told == counted
