from __future__ import annotations

import json

import pytest
from aws_cdk import Environment
from aws_cdk.assertions import Match

from functions.tickets.items import WATCHED_INDEX
from functions.tickets.trackers import enabled_trackers
from stacks.ticketing import TicketingStack
from tests.shipped_settings import load_shipped_settings
from tests.whole_app import synthesize_app


@pytest.fixture(scope="module")
def template(new_ticketing_template):
    return new_ticketing_template()


def statements(template):
    for policy in template.find_resources("AWS::IAM::Policy").values():
        yield from policy["Properties"]["PolicyDocument"]["Statement"]


def pattern_of(template, construct_id):
    (rule,) = (
        rule
        for name, rule in template.find_resources("AWS::Events::Rule").items()
        if name.startswith(construct_id)
    )
    return rule["Properties"]["EventPattern"]["detail"]["findings"]


def test_the_snapshot_is_what_was_reviewed(template, snapshot, without_asset_hashes):
    assert without_asset_hashes(template.to_json()) == snapshot


@pytest.mark.parametrize("region", [None, "eu-west-1", pytest.param("cn-north-1", marks=pytest.mark.long)])
def test_the_template_passes_every_check_wherever_it_is_deployed(new_checked_app, ticketing_settings, region):
    an_app = new_checked_app()
    environment = Environment(account="111122223333", region=region) if region else None
    TicketingStack(an_app, "Ticketing", settings=ticketing_settings(), env=environment)
    (stack,) = an_app.synth().stacks
    assert region or "arn:aws:" not in json.dumps(stack.template)
    assert not [message.entry.data for message in stack.messages]


def test_no_permission_has_a_wildcard_action(template):
    assert "*" not in json.dumps([one["Action"] for one in statements(template)])


def test_only_the_secrets_of_enabled_trackers_may_be_read(new_ticketing_template):
    off = {"enabled": False}
    template = new_ticketing_template(
        service_now=off, pager_duty=off, slack=off, jira={"secret_name": "tickets/jira"}
    )
    readable = [one for one in statements(template) if "secretsmanager" in json.dumps(one["Action"])]
    ((action, resource),) = ((one["Action"], json.dumps(one["Resource"])) for one in readable)
    assert action == "secretsmanager:GetSecretValue"
    assert ':secret:tickets/jira-??????"' in resource
    variables = template.to_json()
    assert "SLACK_" not in json.dumps(variables)


def test_every_tracker_finds_its_settings_in_the_environment(template):
    (function,) = template.find_resources(
        "AWS::Lambda::Function", {"Properties": {"Handler": "functions.tickets.handler.handle"}}
    ).values()
    variables = function["Properties"]["Environment"]["Variables"]
    trackers = enabled_trackers(variables, lambda _: pytest.fail("a secret was read"))
    assert [tracker.name for tracker in trackers] == ["Jira", "ServiceNow", "PagerDuty", "Slack"]


def test_new_findings_are_failures_of_products_of_aws_unless_the_filter_says_otherwise(
    template, new_ticketing_template
):
    shipped = {
        "ProductArn": [{"wildcard": "arn:*:securityhub:*::product/aws/*"}],
        "Severity": {"Label": ["CRITICAL", "HIGH"]},
        "Compliance": {"Status": ["FAILED", {"exists": False}]},
        "Workflow": {"Status": ["NEW"]},
        "RecordState": ["ACTIVE"],
    }
    assert pattern_of(template, "NewFindings") == shipped
    everything = {"product_arn": "ANY", "compliance_status": "ANY"}
    template = new_ticketing_template(automatic={"enabled": True, "filter": everything})
    assert pattern_of(template, "NewFindings") == {"Workflow": {"Status": ["NEW"]}, "RecordState": ["ACTIVE"]}
    template = new_ticketing_template(
        automatic={"enabled": True, "filter": {"product_name": "Prowler", "product_arn": "ANY"}}
    )
    assert "ProductArn" not in pattern_of(template, "NewFindings")


def test_every_rule_has_a_queue_of_its_own_and_the_function_knows_which_is_for_new_findings(template):
    (new,) = template.find_resources(
        "AWS::SQS::Queue", {"Properties": {"VisibilityTimeout": 1800}}
    ).keys() - {
        name
        for name in template.find_resources("AWS::SQS::Queue")
        if name.startswith(("ImportedFindings", "LooksQueue"))
    }
    template.has_resource_properties(
        "AWS::Lambda::Function",
        {
            "Environment": {
                "Variables": Match.object_like({"NEW_FINDINGS_QUEUE": {"Fn::GetAtt": [new, "Arn"]}})
            }
        },
    )
    sources = [
        rule["Properties"]["Targets"][0]["Arn"]["Fn::GetAtt"][0]
        for name, rule in template.find_resources("AWS::Events::Rule").items()
        if name.startswith("NewFindings")
    ]
    assert sources == [new]
    assert pattern_of(template, "TicketedFindings") == {"UserDefinedFields": {"Tickets": [{"exists": True}]}}


def test_without_the_automatic_rule_pressed_tickets_are_resolved_all_the_same(new_ticketing_template):
    template = new_ticketing_template(automatic={"enabled": False})
    template.resource_count_is("AWS::Events::Rule", 3)
    assert pattern_of(template, "TicketedFindings")
    template.resource_count_is("AWS::Lambda::EventSourceMapping", 2)
    assert "NEW_FINDINGS_QUEUE" not in json.dumps(template.to_json())


@pytest.fixture(scope="module")
def grouped(new_ticketing_template):
    return new_ticketing_template(group_by="control and account")


def test_tickets_that_findings_share_are_brought_up_to_date_from_a_queue_that_the_function_sends_to(grouped):
    (queue,) = (name for name in grouped.find_resources("AWS::SQS::Queue") if name.startswith("GroupsQueue"))
    arn = {"Fn::GetAtt": [queue, "Arn"]}
    variables = {"GROUP_BY": "control and account", "GROUPS_QUEUE": arn, "GROUPS_QUEUE_URL": {"Ref": queue}}
    grouped.has_resource_properties(
        "AWS::Lambda::Function", {"Environment": {"Variables": Match.object_like(variables)}}
    )
    grouped.has_resource_properties("AWS::Lambda::EventSourceMapping", {"EventSourceArn": arn})
    (looks,) = (name for name in grouped.find_resources("AWS::SQS::Queue") if name.startswith("LooksQueue"))
    sends = [one["Resource"] for one in statements(grouped) if one["Action"] == "sqs:SendMessage"]
    assert [{"Fn::GetAtt": [looks, "Arn"]}, arn] in [
        sorted(one, key=str, reverse=True) for one in sends if isinstance(one, list)
    ]
    descriptions = [
        one["Properties"]["AlarmDescription"]
        for one in grouped.find_resources("AWS::CloudWatch::Alarm").values()
    ]
    assert any(one.startswith("Changes of tickets that several findings share have") for one in descriptions)


def test_lambda_does_not_end_the_messages_about_a_group_whose_findings_keep_changing(grouped, template):
    loops = {"RecursiveLoop": "Allow"}
    grouped.resource_properties_count_is("AWS::Lambda::Function", loops, 1)
    template.resource_properties_count_is("AWS::Lambda::Function", loops, 0)


def test_only_a_table_with_groups_has_items_that_expire(grouped, template):
    def expires(one):
        (table,) = one.find_resources("AWS::DynamoDB::Table", {"DeletionPolicy": "Retain"}).values()
        return table["Properties"].get("TimeToLiveSpecification")

    assert expires(grouped) == {"AttributeName": "expires", "Enabled": True}
    assert expires(template) is None


def test_grouping_needs_no_other_key_or_index_and_only_one_more_permission_on_the_table(grouped, template):
    def tables(one):
        properties = ("KeySchema", "AttributeDefinitions", "GlobalSecondaryIndexes")
        return [
            {name: table["Properties"].get(name) for name in properties}
            for table in one.find_resources("AWS::DynamoDB::Table").values()
        ]

    def on_tables(one):
        return [each for each in statements(one) if "dynamodb" in json.dumps(each["Action"])]

    assert tables(grouped) == tables(template)
    before, after = on_tables(template), on_tables(grouped)
    (changed,) = [number for number, one in enumerate(after) if one != before[number]]
    assert {*after[changed].pop("Action")} - {*before[changed].pop("Action")} == {"dynamodb:UpdateItem"}
    assert after == before


def test_without_groups_there_is_no_queue_for_them(template):
    assert "GROUP" not in json.dumps(template.to_json())


def test_held_back_tickets_are_looked_at_every_hour_and_raise_an_alarm(template):
    (function,) = template.find_resources(
        "AWS::Lambda::Function", {"Properties": {"Handler": "functions.tickets.handler.handle"}}
    )
    template.has_resource_properties(
        "AWS::Events::Rule",
        {
            "ScheduleExpression": "rate(1 hour)",
            "Targets": [
                Match.object_like(
                    {"Arn": {"Fn::GetAtt": [function, "Arn"]}, "DeadLetterConfig": Match.any_value()}
                )
            ],
        },
    )
    metric = {"MetricName": "Ticketing-TicketsHeldBack"}
    template.has_resource_properties(
        "AWS::Logs::MetricFilter",
        {
            "FilterPattern": '{ $.message = "Tickets held back" }',
            "MetricTransformations": [Match.object_like({**metric, "MetricValue": "$.held_back"})],
        },
    )
    template.has_resource_properties("AWS::CloudWatch::Alarm", {**metric, "Threshold": 0})
    template.has_resource_properties(
        "AWS::Lambda::Function",
        {"Environment": {"Variables": Match.object_like({"TICKETS_PER_ACCOUNT_AND_HOUR": "30,30,10,30"})}},
    )


def test_the_function_may_read_only_the_index_that_it_uses(template):
    index = [one for one in statements(template) if "/index/" in json.dumps(one["Resource"])]
    assert [one["Action"] for one in index] == ["dynamodb:Query"]
    assert "/index/Watched" in json.dumps(index)
    (table,) = template.find_resources("AWS::DynamoDB::Table", {"DeletionPolicy": "Retain"}).values()
    (found,) = table["Properties"]["GlobalSecondaryIndexes"]
    assert found["IndexName"] == WATCHED_INDEX


def test_imported_findings_wait_in_a_queue_and_are_worked_on_a_few_at_a_time(template):
    template.has_resource_properties(
        "AWS::Lambda::EventSourceMapping",
        {"FunctionResponseTypes": ["ReportBatchItemFailures"], "ScalingConfig": {"MaximumConcurrency": 5}},
    )


def test_the_table_of_tickets_stays_and_can_be_restored(template):
    template.has_resource(
        "AWS::DynamoDB::Table",
        {
            "DeletionPolicy": "Retain",
            "Properties": Match.object_like(
                {
                    "KeySchema": [
                        {"AttributeName": "finding", "KeyType": "HASH"},
                        {"AttributeName": "tracker", "KeyType": "RANGE"},
                    ],
                    "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True},
                    "SSESpecification": {"SSEEnabled": True},
                }
            ),
        },
    )


@pytest.mark.parametrize("enabled", [True, False])
def test_the_app_has_the_stack_while_ticketing_is_enabled(tmp_path, context, ticketing_settings, enabled):
    settings = load_shipped_settings().model_copy(update={"ticketing": ticketing_settings(enabled=enabled)})
    synthesize_app(settings, tmp_path, context=context)
    assert (tmp_path / "SecurityHubTicketing.template.json").exists() == enabled


def test_a_connector_needs_a_permission_on_itself_and_no_secret(new_ticketing_template):
    ids = [f"a1b2c3d4-5678-90ab-cdef-00000000000{number}" for number in range(2)]
    rules = [{"accounts": [account], "connector_id": ids[1]} for account in ("111122223333", "444455556666")]
    off = {name: {"enabled": False} for name in ("jira", "service_now", "pager_duty", "slack")}
    connector = {"enabled": True, "connector_id": ids[0], "rules": rules}
    template = new_ticketing_template(connector=connector, **off).to_json()
    statements = [
        statement
        for one in template["Resources"].values()
        if one["Type"] == "AWS::IAM::Policy"
        for statement in one["Properties"]["PolicyDocument"]["Statement"]
    ]
    (resources,) = (one["Resource"] for one in statements if one["Action"] == "securityhub:CreateTicketV2")
    assert resources == [
        f"arn:aws:securityhub:us-east-1:111122223333:connectorv2/{connector_id}" for connector_id in ids
    ]
    assert "secretsmanager" not in json.dumps(statements)


def test_a_key_for_servicenow_may_only_sign_as_the_instance_verifies(new_ticketing_template):
    key = "1234abcd-12ab-34cd-56ef-1234567890ab"
    template = new_ticketing_template(service_now={"jwt_key_id": key})
    statement = {
        "Action": "kms:Sign",
        "Effect": "Allow",
        "Resource": f"arn:aws:kms:us-east-1:111122223333:key/{key}",
        "Condition": {"StringEquals": {"kms:SigningAlgorithm": "RSASSA_PKCS1_V1_5_SHA_256"}},
    }
    policy = {"PolicyDocument": {"Statement": Match.array_with([statement])}}
    template.has_resource_properties("AWS::IAM::Policy", policy)
    variables = {"Environment": {"Variables": Match.object_like({"SERVICENOW_JWT_KEY": key})}}
    template.has_resource_properties("AWS::Lambda::Function", variables)
