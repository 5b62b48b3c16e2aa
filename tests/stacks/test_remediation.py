from __future__ import annotations

import json
import re

import pytest
from aws_cdk import Environment
from aws_cdk.assertions import Annotations, Match, Template

from functions.remediate.outcomes import NOT_UNDONE
from functions.remediate.settings import Settings as FunctionSettings
from stacks.member_role import MemberRoleStack
from stacks.remediation import RemediationStack
from tests.shipped_settings import load_shipped_settings
from tests.whole_app import synthesize_app

UNIT = "ou-abcd-12345678"
EVERYTHING = {"automatic": {"enabled": True}, "stack_set": {"enabled": True}}


@pytest.fixture(scope="module")
def new_template(new_app, environment, remediation_settings):
    def make(**changes):
        settings = remediation_settings(**changes)
        return Template.from_stack(
            RemediationStack(new_app(), "Remediation", settings=settings, env=environment)
        )

    return make


@pytest.fixture(scope="module")
def template(new_template):
    return new_template(**EVERYTHING)


def statements(template):
    for policy in template.find_resources("AWS::IAM::Policy").values():
        yield from policy["Properties"]["PolicyDocument"]["Statement"]


def test_the_snapshot_is_what_was_reviewed(template, snapshot, without_asset_hashes):
    assert without_asset_hashes(template.to_json()) == snapshot


@pytest.mark.parametrize(
    ("allow", "deny"),
    [
        (["ANY"], [UNIT]),
        ([], []),
        # Each lets parts of the first away.
        *(pytest.param(allow, [], marks=pytest.mark.long) for allow in (["444455556666"], ["ANY"], [UNIT])),
    ],
)
def test_the_template_passes_every_check(new_checked_app, environment, remediation_settings, allow, deny):
    an_app = new_checked_app()
    settings = remediation_settings(**EVERYTHING, accounts={"allow": allow, "deny": deny})
    RemediationStack(an_app, "Remediation", settings=settings, env=environment)
    an_app.synth()


@pytest.mark.parametrize("region", [None, "eu-west-1", pytest.param("cn-north-1", marks=pytest.mark.long)])
def test_the_templates_pass_every_check_wherever_they_are_deployed(
    new_checked_app, remediation_settings, region
):
    an_app = new_checked_app()
    environment = Environment(account="111122223333", region=region) if region else None
    settings = remediation_settings(**EVERYTHING)
    RemediationStack(an_app, "Remediation", settings=settings, env=environment)
    MemberRoleStack(an_app, "Member", settings=settings, env=environment)
    templates = an_app.synth().stacks
    assert region or "arn:aws:" not in json.dumps([one.template for one in templates])


def test_only_the_button_is_there_where_nothing_else_is_enabled(new_template):
    template = new_template(undo=False)
    template.resource_count_is("AWS::SecurityHub::ActionTarget", 1)
    template.resource_count_is("AWS::Lambda::EventSourceMapping", 0)
    template.resource_count_is("AWS::CloudFormation::StackSet", 0)
    assert "s3:DeleteObject" not in json.dumps(list(statements(template)))


@pytest.mark.parametrize(
    ("account", "count"), [("111122223333", 0), ("444455556666", 1), (None, 0)], ids=["same", "other", "any"]
)
def test_an_account_whose_function_no_member_trusts_is_warned_of(
    new_app, remediation_settings, account, count
):
    env = Environment(account=account, region="us-east-1")
    stack = RemediationStack(new_app(), "Remediation", settings=remediation_settings(), env=env)
    message = Match.string_like_regexp(f"account {account}, but administrator_account .* is 111122223333")
    assert len(Annotations.from_stack(stack).find_warning("*", message)) == count


def test_no_permission_has_a_wildcard_action(template):
    actions = [action for one in statements(template) for action in [one["Action"]]]
    assert "*" not in json.dumps(actions)


def members_that_may_be_entered(template):
    found = [one["Resource"] for one in statements(template) if "sts:AssumeRole" in one["Action"]]
    return json.dumps(found)


def test_only_the_roles_of_allowed_accounts_may_be_assumed(new_template):
    accounts = {"allow": ["444455556666", "777788889999"], "deny": ["777788889999"]}
    resources = members_that_may_be_entered(new_template(accounts=accounts))
    assert ":iam::444455556666:role/securityhub/SecurityHubRemediationMember" in resources
    assert "777788889999" not in resources
    assert "*" not in resources


@pytest.mark.parametrize(
    "accounts", [{"allow": []}, {"allow": ["ANY"], "deny": ["ANY"]}, {"allow": [UNIT], "deny": ["ANY"]}]
)
def test_no_role_may_be_assumed_where_no_account_is_allowed(new_template, accounts):
    assert members_that_may_be_entered(new_template(accounts=accounts)) == "[]"


@pytest.mark.parametrize("allow", [["ANY"], [UNIT], ["444455556666", "r-abcd"]])
def test_every_member_role_may_be_assumed_where_the_allowed_accounts_are_not_known_yet(new_template, allow):
    resources = members_that_may_be_entered(new_template(accounts={"allow": allow}))
    assert ":iam::*:role/securityhub/SecurityHubRemediationMember" in resources


@pytest.mark.parametrize("accounts", [{"allow": [UNIT]}, {"deny": ["r-abcd"]}])
def test_the_function_may_look_accounts_up_in_its_organization_where_units_are_listed(new_template, accounts):
    (statement,) = [
        one
        for one in statements(new_template(accounts=accounts))
        if one["Action"] == "organizations:ListParents"
    ]
    resources = json.dumps(statement["Resource"])
    assert ":organizations::*:account/o-exampleorgid/*" in resources
    assert ":organizations::*:ou/o-exampleorgid/ou-*" in resources


@pytest.mark.parametrize(
    "accounts", [{"allow": ["444455556666"]}, {"allow": ["ANY"], "deny": ["111122223333"]}]
)
def test_the_function_may_not_look_accounts_up_where_no_unit_is_listed(new_template, accounts):
    assert "organizations:" not in json.dumps(list(statements(new_template(accounts=accounts))))


def test_the_function_reads_the_lists_as_they_are_written(new_template):
    accounts = {"allow": [UNIT, "444455556666"], "deny": ["ou-abcd-87654321"]}
    tags = {"allow": {"team": ["payments", "search"]}, "deny": {"keep": ["ANY"]}}
    template = new_template(accounts=accounts, resource_tags=tags)
    (variables,) = [
        variables
        for one in template.find_resources("AWS::Lambda::Function").values()
        if "ALLOWED_ACCOUNTS" in (variables := one["Properties"]["Environment"]["Variables"])
    ]
    texts = {name: value for name, value in variables.items() if isinstance(value, str)}
    required = dict.fromkeys(("RECORDS_BUCKET", "IDEMPOTENCY_TABLE"), "x")
    read = FunctionSettings.from_environment({**texts, **required})
    assert (read.accounts.allow, read.accounts.deny) == (set(accounts["allow"]), set(accounts["deny"]))
    assert read.resource_tags.allow == {"team": {"payments", "search"}}
    assert read.resource_tags.deny == {"keep": {"ANY"}}


def test_the_function_has_the_role_that_the_members_trust(template):
    template.has_resource_properties(
        "AWS::IAM::Role", {"RoleName": "SecurityHubRemediation", "Path": "/securityhub/"}
    )


def test_imported_findings_wait_in_a_queue_and_are_worked_on_a_few_at_a_time(template):
    template.has_resource_properties(
        "AWS::Lambda::EventSourceMapping",
        {
            "FunctionResponseTypes": ["ReportBatchItemFailures"],
            "ScalingConfig": {"MaximumConcurrency": 5},
        },
    )


def test_the_automatic_rule_is_for_failed_findings_of_the_enabled_controls(new_template):
    template = new_template(**EVERYTHING, remediations=["ebs_default_encryption"])
    template.has_resource_properties(
        "AWS::Events::Rule",
        {
            "EventPattern": {
                "detail": {
                    "findings": Match.object_like(
                        {
                            "Compliance": {"SecurityControlId": ["EC2.7"], "Status": ["FAILED"]},
                            "Workflow": {"Status": ["NEW"]},
                        }
                    )
                }
            }
        },
    )


@pytest.mark.parametrize(
    ("wanted", "controls"),
    [
        ("EC2.19", ["EC2.19"]),
        ({"prefix": "S3."}, ["S3.1", "S3.2", "S3.3", "S3.8"]),
        (
            {"anything-but": "EC2.2"},
            ["EC2.13", "EC2.14", "EC2.18", "EC2.19", "S3.1", "S3.2", "S3.3", "S3.8"],
        ),
        (["S3.8", "IAM.3"], ["S3.8"]),
    ],
)
def test_the_automatic_rule_is_for_no_other_controls_than_its_filter(new_template, wanted, controls):
    template = new_template(
        automatic={"enabled": True, "filter": {"control_ids": wanted}},
        remediations=["s3_public_access", "security_group_open_to_world"],
    )
    (pattern,) = [
        rule["Properties"]["EventPattern"]["detail"]["findings"]
        for rule in template.find_resources("AWS::Events::Rule").values()
        if "findings" in rule["Properties"]["EventPattern"].get("detail", {})
        and "Compliance" in rule["Properties"]["EventPattern"]["detail"]["findings"]
    ]
    assert pattern["Compliance"]["SecurityControlId"] == controls


def test_automatic_remediation_changes_nothing_unless_told_to(template):
    template.has_resource_properties(
        "AWS::Lambda::Function",
        {"Environment": {"Variables": Match.object_like({"AUTOMATIC_MODE": "dry-run"})}},
    )


def test_an_undo_that_restores_nothing_sets_off_an_alarm(template, new_template):
    metric = {"MetricName": "Remediation-FailedUndos"}
    template.has_resource_properties(
        "AWS::Logs::MetricFilter",
        {
            "FilterPattern": f'{{ $.message = "{NOT_UNDONE}" }}',
            "MetricTransformations": [Match.object_like({**metric, "MetricValue": "$.failed_undos"})],
        },
    )
    template.has_resource_properties("AWS::CloudWatch::Alarm", {**metric, "Threshold": 0})
    new_template(undo=False).resource_count_is("AWS::Logs::MetricFilter", 0)


def test_the_table_forgets_and_can_be_restored(template):
    template.has_resource_properties(
        "AWS::DynamoDB::Table",
        {
            "TimeToLiveSpecification": {"AttributeName": "expiration", "Enabled": True},
            "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True},
            "SSESpecification": {"SSEEnabled": True},
        },
    )


def bucket_named(template, name):
    (found,) = (
        bucket["Properties"]
        for logical_id, bucket in template.find_resources("AWS::S3::Bucket").items()
        if re.fullmatch(f"{name}[0-9A-F]{{8}}", logical_id)
    )
    return found


def policy_of_records(template):
    (policy,) = (
        policy["Properties"]["PolicyDocument"]["Statement"]
        for logical_id, policy in template.find_resources("AWS::S3::BucketPolicy").items()
        if logical_id.startswith("RecordsPolicy")
    )
    return policy


def test_only_the_function_can_write_and_delete_records(template):
    (role,) = (
        logical_id
        for logical_id, one in template.find_resources("AWS::IAM::Role").items()
        if one["Properties"].get("RoleName") == "SecurityHubRemediation"
    )
    (statement,) = (one for one in policy_of_records(template) if one.get("Sid") == "OnlyTheFunctionWrites")
    assert (statement["Effect"], statement["Principal"]) == ("Deny", {"AWS": "*"})
    assert statement["Condition"] == {"ArnNotEquals": {"aws:PrincipalArn": {"Fn::GetAtt": [role, "Arn"]}}}
    assert set(statement["Action"]) >= {"s3:PutObject", "s3:DeleteObject", "s3:DeleteObjectVersion"}


def test_records_are_neither_public_nor_reached_without_tls_and_their_policy_allows_nothing(template):
    assert {one["Effect"] for one in policy_of_records(template)} == {"Deny"}
    assert {"Bool": {"aws:SecureTransport": "false"}} in [
        one["Condition"] for one in policy_of_records(template)
    ]
    assert set(bucket_named(template, "Records")["PublicAccessBlockConfiguration"].values()) == {True}


def test_access_to_records_is_logged(template):
    destination = bucket_named(template, "Records")["LoggingConfiguration"]["DestinationBucketName"]["Ref"]
    assert destination.startswith("RecordsAccessLogs")


def test_records_their_versions_and_their_access_logs_expire(new_template):
    template = new_template(record_retention_days=90)
    for name in ("Records", "RecordsAccessLogs"):
        bucket = bucket_named(template, name)
        assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
        first, second = bucket["LifecycleConfiguration"]["Rules"]
        assert first["ExpirationInDays"] == first["NoncurrentVersionExpiration"]["NoncurrentDays"] == 90
        assert second["ExpiredObjectDeleteMarker"]


def test_accounts_that_join_a_unit_get_the_role_by_themselves(template):
    template.has_resource_properties(
        "AWS::CloudFormation::StackSet",
        {
            "PermissionModel": "SERVICE_MANAGED",
            "AutoDeployment": {"Enabled": True, "RetainStacksOnAccountRemoval": False},
            "StackInstancesGroup": [
                {
                    "DeploymentTargets": {"OrganizationalUnitIds": ["ou-abcd-12345678"]},
                    "Regions": ["us-east-1"],
                }
            ],
        },
    )


@pytest.mark.parametrize("enabled", [True, False])
def test_the_app_has_the_stacks_while_remediation_is_enabled(
    tmp_path, context, remediation_settings, enabled
):
    remediation = remediation_settings(**EVERYTHING, enabled=enabled)
    settings = load_shipped_settings().model_copy(update={"remediation": remediation})
    synthesize_app(settings, tmp_path, context=context)
    made = {path.name.partition(".")[0] for path in tmp_path.glob("*.template.json")}
    assert ({"SecurityHubRemediation", "SecurityHubRemediationMember"} <= made) == enabled
    assert "SecurityHubAnalystActions" in made


def test_the_function_is_told_the_parameters_of_the_remediations(new_template):
    told = {"cloudtrail_encryption": {"kms_key": "alias/security"}}
    template = new_template(remediations=["cloudtrail_encryption"], parameters=told)
    variables = {"REMEDIATION_PARAMETERS": json.dumps(told)}
    template.has_resource_properties(
        "AWS::Lambda::Function", {"Environment": {"Variables": Match.object_like(variables)}}
    )
