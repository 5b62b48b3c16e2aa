from __future__ import annotations

import json

import pytest
from aws_cdk import Stack
from aws_cdk.assertions import Template

from functions.remediate.session_policy import session_policy
from remediations.registry import all_remediations
from stacks import managed_policies, member_role
from stacks.member_role import MemberRoleStack, member_role_template
from stacks.remediation_catalog import Statement, read_catalog

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
def template(new_template):
    return new_template()


@pytest.fixture(scope="module")
def role(template):
    return role_of(template)


def role_of(template):
    (role,) = template.find_resources("AWS::IAM::Role").values()
    return role["Properties"]


def as_list(value):
    return value if isinstance(value, list) else [value]


def documents_of(template, role):
    """The policies of a role: managed ones first, in their order."""
    managed = template.find_resources("AWS::IAM::ManagedPolicy")
    attached = [managed[one["Ref"]]["Properties"] for one in role["ManagedPolicyArns"]]
    return [policy["PolicyDocument"] for policy in (*attached, *role.get("Policies", []))]


def statements_of(template, role):
    return [one for document in documents_of(template, role) for one in document["Statement"]]


def actions_of(template, role):
    return {
        action
        for one in statements_of(template, role)
        if one["Effect"] == "Allow"
        for action in as_list(one["Action"])
    }


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


def test_the_role_may_do_what_the_enabled_remediations_do_and_nothing_else(new_template):
    template = new_template(remediations=["s3_public_access"], undo=False)
    entry = read_catalog()["s3_public_access"]
    wanted = {action for statement in entry.statements for action in statement.actions}
    assert actions_of(template, role_of(template)) == wanted


def test_what_undoing_needs_is_granted_only_where_it_is_enabled(new_template):
    def may_authorize(**changes):
        template = new_template(remediations=["security_group_open_to_world"], **changes)
        return "ec2:AuthorizeSecurityGroupIngress" in actions_of(template, role_of(template))

    assert may_authorize(undo=True)
    assert not may_authorize(undo=False)


@pytest.mark.parametrize("tags", [{"allow": {"team": ["a"]}}, TAGS])
def test_the_role_may_read_tags_where_these_decide(new_template, template, role, tags):
    tagged = new_template(resource_tags=tags)
    added = actions_of(tagged, role_of(tagged)) - actions_of(template, role)
    assert added == {"tag:GetResources"}


def test_no_policy_has_a_wildcard_action(template, role):
    assert not [action for action in actions_of(template, role) if "*" in action]


def test_all_but_the_chosen_regions_are_denied_to_both_roles_for_all_services_that_have_regions(new_template):
    regions = ["eu-west-1", "us-east-1"]
    template = new_template(remediations=WITH_RUNBOOKS, regions=regions)
    for role in roles_of(template):
        (statement,) = documents_of(template, role)[-1]["Statement"]
        assert statement == {
            "Effect": "Deny",
            "NotAction": "iam:*",
            "Resource": "*",
            "Condition": {"StringNotEquals": {"aws:RequestedRegion": regions}},
        }


def test_without_chosen_regions_nothing_is_denied_and_no_policy_is_inline(template, role):
    assert {one["Effect"] for one in statements_of(template, role)} == {"Allow"}
    assert "Policies" not in role


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


def test_the_trust_policy_with_the_longest_names_has_room_in_iam(new_template):
    names = {"path": f"/{'a' * 510}/", "name": "b" * 64, "administrator_name": "c" * 64}
    role = role_of(new_template(role=names, external_id="d" * 256, organization_id=f"o-{'e' * 32}"))
    assert length_in_an_account(role["AssumeRolePolicyDocument"]) <= 2_048


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
    anywhere = Template.from_stack(MemberRoleStack(new_app(), "Member", settings=remediation_settings()))
    rendered = json.loads(member_role_template(new_app(), settings=remediation_settings()))
    assert rendered.keys() == {"Resources"}
    assert rendered["Resources"] == anywhere.to_json()["Resources"]


WITH_RUNBOOKS = ["documentdb_backup_retention", "rds_multi_az", "s3_public_access"]


@pytest.fixture(scope="module")
def with_runbooks(new_template):
    return new_template(remediations=WITH_RUNBOOKS)


@pytest.fixture(scope="module")
def both_roles(with_runbooks):
    """The properties of the two roles of a member where runbooks are enabled."""
    return roles_of(with_runbooks)


def roles_of(template):
    roles = [role["Properties"] for role in template.find_resources("AWS::IAM::Role").values()]
    member, automation = sorted(roles, key=lambda role: "Automation" in role["RoleName"])
    return member, automation


def test_the_snapshot_with_runbooks_is_what_was_reviewed(new_template, snapshot, without_asset_hashes):
    assert without_asset_hashes(new_template(remediations=WITH_RUNBOOKS).to_json()) == snapshot


def test_without_a_runbook_there_is_no_role_for_runbooks(new_template):
    assert role_of(new_template(remediations=["s3_public_access"]))["RoleName"].endswith("Member")


def test_the_role_for_runbooks_may_do_what_their_steps_do_and_nothing_else(with_runbooks, both_roles):
    _, automation = both_roles
    assert actions_of(with_runbooks, automation) == {
        "rds:DescribeDBClusters",
        "rds:DescribeDBInstances",
        "rds:ModifyDBCluster",
        "rds:ModifyDBInstance",
        "ssm:GetAutomationExecution",
        "ssm:StartAutomationExecution",
    }


def test_what_a_runbook_changes_the_member_role_may_not_change_itself(new_template):
    template = new_template(remediations=["rds_multi_az"], undo=False)
    member, _ = roles_of(template)
    assert actions_of(template, member) == {
        "iam:PassRole",
        "rds:DescribeDBInstances",
        "ssm:DescribeAutomationExecutions",
        "ssm:GetAutomationExecution",
        "ssm:StartAutomationExecution",
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


def test_only_the_role_for_runbooks_may_be_passed_and_only_to_systems_manager(with_runbooks, both_roles):
    member, automation = both_roles
    (statement,) = [
        statement
        for statement in statements_of(with_runbooks, member)
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
    roles = [one["Properties"] for one in rendered["Resources"].values() if one["Type"] == "AWS::IAM::Role"]
    names = {role["RoleName"] for role in roles}
    assert names == {"SecurityHubRemediationMember", "SecurityHubRemediationAutomation"}


def in_an_account(value):
    """A value of a template with its references filled in as IAM gets it, the longest partition for one."""
    filled = {"AWS::Partition": "aws-us-gov", "AWS::AccountId": "444455556666"}
    if isinstance(value, dict) and "Fn::Join" in value:
        return "".join(filled[one["Ref"]] if isinstance(one, dict) else one for one in value["Fn::Join"][1])
    if isinstance(value, dict):
        return {key: in_an_account(one) for key, one in value.items()}
    return [in_an_account(one) for one in value] if isinstance(value, list) else value


# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html counts no white space.
def length_in_an_account(document):
    return len(json.dumps(in_an_account(document), separators=(",", ":")))


def test_the_policies_of_all_remediations_stay_within_the_quotas_of_a_role(new_template):
    regions = [f"ap-southeast-{number}" for number in range(1, 6)]
    template = new_template(**EVERY_REMEDIATION, regions=regions, resource_tags=TAGS)
    for role in roles_of(template):
        assert len(role["ManagedPolicyArns"]) <= 10
        *managed, inline = documents_of(template, role)
        assert all(length_in_an_account(document) <= 6_144 for document in managed)
        assert length_in_an_account(inline) <= 10_240


def test_the_length_that_is_checked_is_at_least_what_iam_counts(new_template, remediation_settings):
    template = new_template(**EVERY_REMEDIATION)
    groups = member_role._groups(remediation_settings(**EVERY_REMEDIATION))
    told = [managed_policies.length_of(statements) for statements, _ in managed_policies.pack(groups)]
    counted = [length_in_an_account(one) for one in documents_of(template, roles_of(template)[0])]
    assert len(told) == len(counted)
    assert all(upper >= length for upper, length in zip(told, counted, strict=True))


def test_policies_beyond_the_quotas_are_refused_with_their_sum(new_template, monkeypatch):
    monkeypatch.setattr(managed_policies, "MOST_CHARACTERS", 300)
    monkeypatch.setattr(managed_policies, "MOST_POLICIES", 2)
    message = r"ec2, s3 take [0-9]+ characters in [3-9] managed policies, but IAM .* 2 of 300 characters each"
    with pytest.raises(ValueError, match=message):
        new_template()


def test_a_single_statement_that_is_too_long_for_a_policy_is_refused(new_app):
    long = Statement(actions=("s3:GetObject",), resources=tuple(f"arn:aws:s3:::{n:060}" for n in range(90)))
    message = r"for s3 take [0-9,]+ characters in 1 managed policies, .* A statement with s3:GetObject alone"
    with pytest.raises(ValueError, match=message):
        managed_policies.managed_policies(Stack(new_app(), "S"), "Permissions", {"s3": [long]}, path="/")


def test_enabling_a_remediation_replaces_no_policy(new_template):
    """IAM can't change the description of a policy, so CloudFormation would replace the policy."""

    def descriptions(*names):
        policies = new_template(remediations=list(names)).find_resources("AWS::IAM::ManagedPolicy")
        return {name: policy["Properties"]["Description"] for name, policy in policies.items()}

    assert descriptions("s3_public_access") == descriptions("s3_public_access", "kms_key_rotation")


def test_statements_that_a_session_cannot_hold_are_refused_with_their_remediation(new_template, monkeypatch):
    monkeypatch.setattr(member_role, "_MAX_SESSION_POLICY_CHARACTERS", 200)
    message = r"remediation \w+ take [0-9]+ characters, but STS allows 200 in a session policy"
    with pytest.raises(ValueError, match=message):
        new_template()


@pytest.mark.parametrize("name", read_catalog())
def test_the_length_of_a_session_policy_that_is_checked_is_at_least_that_of_the_function(
    remediation_settings, name
):
    settings = remediation_settings(**EVERY_REMEDIATION)
    role = f"{settings.role.path}{settings.role.automation_name}".removeprefix("/")
    longest = max(
        len(
            session_policy(
                all_remediations()[name],
                account=ADMINISTRATOR,
                partition="aws-us-gov",
                automation_role=role,
                undoes=undoes,
                reads_tags=reads_tags,
            )
        )
        for undoes in (False, True)
        for reads_tags in (False, True)
    )
    assert member_role.length_in_session(read_catalog()[name], settings) >= longest
