from __future__ import annotations

import json
import re
from datetime import date

import pytest
from aws_cdk import App, Environment, Stack, assertions
from aws_cdk import aws_sns as sns

from securityhub_actions import FindingFilter, OcsfFindingFilter, SuppressionRule
from securityhub_actions.suppression_handler.handler import LEFT
from securityhub_actions.suppression_handler.suppressions import Suppressions
from securityhub_actions.suppression_rule import TODAY, key_of

S3, S3_V2 = FindingFilter(control_ids="S3.2"), OcsfFindingFilter(control_ids="S3.2")
UNTIL = date(2027, 3, 31)


class Synthesized:
    """A stack with suppressions, and what its template says of them."""

    def __init__(self, declare):
        app = App(analytics_reporting=False, context={TODAY: "2027-01-01"})
        self.stack = Stack(app, "Stack", env=Environment(account="111122223333", region="eu-west-1"))
        self.suppressions = declare(self.stack)
        self.template = assertions.Template.from_stack(self.stack)

    def only(self, resource_type):
        (found,) = self.template.find_resources(resource_type).values()
        return found["Properties"]

    def statements(self):
        policies = [
            *self.template.find_resources("AWS::IAM::Policy").values(),
            *self.template.find_resources("AWS::IAM::ManagedPolicy").values(),
        ]
        return [
            statement
            for policy in policies
            for statement in policy["Properties"]["PolicyDocument"]["Statement"]
        ]

    def granted(self):
        """What each action is allowed on, as JSON."""
        granted = {}
        for statement in self.statements():
            actions = statement["Action"]
            for action in actions if isinstance(actions, list) else [actions]:
                granted.setdefault(action, []).append(json.dumps(statement["Resource"]))
        return granted

    def input(self):
        """The input of the schedule, with references as they are."""
        return json.dumps(self.only("AWS::Scheduler::Schedule")["Target"]["Input"])

    def environment(self):
        return self.only("AWS::Lambda::Function")["Environment"]["Variables"]


def suppress(stack, name, findings=S3, **settings):
    return SuppressionRule(stack, name, findings=findings, **{"reason": f"{name} is fine", **settings})


@pytest.fixture(scope="module")
def both():
    def declare(stack):
        topic = sns.Topic(stack, "Topic", enforce_ssl=True)
        return {
            "Ends": suppress(stack, "Ends", until=UNTIL, topic=topic),
            "Ends2": suppress(stack, "Ends2", S3_V2, until=UNTIL, topic=topic),
            "Forever": suppress(stack, "Forever"),
            "Off": suppress(stack, "Off", until=UNTIL, enabled=False),
        }

    return Synthesized(declare)


def test_all_suppressions_of_a_stack_share_one_function_that_is_invoked_every_hour(both):
    schedule = both.only("AWS::Scheduler::Schedule")
    assert schedule["ScheduleExpression"] == "cron(0 * * * ? *)"
    assert (schedule["ScheduleExpressionTimezone"], schedule["FlexibleTimeWindow"]) == (
        "UTC",
        {"Mode": "OFF"},
    )
    assert schedule["Target"]["RetryPolicy"] == {
        "MaximumEventAgeInSeconds": 86_400,
        "MaximumRetryAttempts": 185,
    }
    queue = schedule["Target"]["DeadLetterConfig"]["Arn"]["Fn::GetAtt"][0]
    config = both.only("AWS::Lambda::EventInvokeConfig")
    assert config["DestinationConfig"]["OnFailure"]["Destination"] == {"Fn::GetAtt": [queue, "Arn"]}


def test_the_function_knows_which_suppressions_are_in_force_and_the_schedule_which_end(both):
    keys = {name: key_of(one) for name, one in both.suppressions.items()}
    environment = both.environment()
    assert environment["IN_FORCE"] == f"{keys['Ends']}:20270331,{keys['Ends2']}:20270331,{keys['Forever']}"
    assert (environment["HUBS"], environment["MARKERS"]) == (
        "cspm,v2",
        "securityhub-actions/eu-west-1/Stack/",
    )
    given = both.input()
    assert "<aws.scheduler.scheduled-time>" in given
    assert [name for name, key in keys.items() if key in given] == ["Ends", "Ends2", "Forever"]
    assert "Ends is fine" in given


def test_the_function_can_read_the_event_as_it_is_synthesized(both):
    parts = both.only("AWS::Scheduler::Schedule")["Target"]["Input"]["Fn::Join"][1]
    event = json.loads("".join(one if isinstance(one, str) else f"arn:{one}"[:20] for one in parts))
    event["scheduledTime"] = "2027-03-31T00:00:00Z"
    found = Suppressions.parse(event, both.environment())
    assert [(one.name, one.hub, one.topic is None) for one in found.known.values()] == [
        ("Stack/Ends", "cspm", False),
        ("Stack/Ends2", "v2", False),
        ("Stack/Forever", "cspm", True),
    ]
    assert [one.name for one in found.ending] == ["Stack/Ends", "Stack/Ends2"]


def test_the_event_names_the_digests_of_the_filters_as_the_rules_write_them(both):
    written = json.dumps(both.template.find_resources("AWS::SecurityHub::AutomationRule"))
    written += json.dumps(both.template.find_resources("AWS::SecurityHub::AutomationRuleV2"))
    for name in ("Ends", "Ends2", "Forever"):
        found = re.search(rf"{key_of(both.suppressions[name])}\.([0-9a-f]{{8}})[\":]", written)
        assert found[1] in both.input()


def test_the_function_exists_before_the_rules(both):
    (function,) = both.template.find_resources("AWS::Lambda::Function")
    for kind in ("AWS::SecurityHub::AutomationRule", "AWS::SecurityHub::AutomationRuleV2"):
        for rule in both.template.find_resources(kind).values():
            assert function in rule["DependsOn"]


def test_the_function_may_disable_the_rules_that_end_and_open_findings_and_nothing_else(both):
    granted = both.granted()
    assert set(granted) == {
        "lambda:InvokeFunction",
        "logs:CreateLogStream",
        "logs:PutLogEvents",
        "securityhub:BatchGetAutomationRules",
        "securityhub:BatchUpdateAutomationRules",
        "securityhub:BatchUpdateFindings",
        "securityhub:GetAutomationRuleV2",
        "securityhub:GetFindings",
        "securityhub:ListAutomationRules",
        "securityhub:UpdateAutomationRuleV2",
        "sns:Publish",
        *("sqs:GetQueueAttributes", "sqs:GetQueueUrl", "sqs:SendMessage"),  # as the CDK grants sending
    }
    rules = {
        kind: list(both.template.find_resources(kind))
        for kind in ("AWS::SecurityHub::AutomationRule", "AWS::SecurityHub::AutomationRuleV2")
    }
    (ends,) = (name for name in rules["AWS::SecurityHub::AutomationRule"] if name.startswith("Ends"))
    (forever,) = (name for name in rules["AWS::SecurityHub::AutomationRule"] if name.startswith("Forever"))
    (ends2,) = rules["AWS::SecurityHub::AutomationRuleV2"]
    assert granted["securityhub:BatchUpdateAutomationRules"] == [
        json.dumps({"Fn::GetAtt": [ends, "RuleArn"]})
    ]
    assert granted["securityhub:BatchGetAutomationRules"] == [
        json.dumps({"Fn::GetAtt": [name, "RuleArn"]}) for name in (ends, forever)
    ]
    assert granted["securityhub:UpdateAutomationRuleV2"] == [json.dumps({"Fn::GetAtt": [ends2, "RuleArn"]})]
    assert all(":hub/default" in one or ":hubv2/*" in one for one in granted["securityhub:GetFindings"])


def test_only_schedules_of_the_own_group_can_use_the_role(both):
    roles = both.template.find_resources("AWS::IAM::Role").values()
    (trust,) = (
        statement
        for role in roles
        for statement in role["Properties"]["AssumeRolePolicyDocument"]["Statement"]
        if statement["Principal"] == {"Service": "scheduler.amazonaws.com"}
    )
    (group,) = both.template.find_resources("AWS::Scheduler::ScheduleGroup")
    assert trust["Condition"] == {
        "StringEquals": {
            "aws:SourceAccount": "111122223333",
            "aws:SourceArn": {"Fn::GetAtt": [group, "Arn"]},
        }
    }


def test_lost_invocations_are_an_alarm(both):
    metrics = {
        alarm["Properties"].get("MetricName")
        for alarm in both.template.find_resources("AWS::CloudWatch::Alarm").values()
    }
    assert metrics == {
        "InvocationsFailedToBeSentToDeadLetterCount",
        "ApproximateNumberOfMessagesVisible",
        "Stack-SuppressionsUnfinished",
    }


def test_what_a_run_leaves_to_the_next_one_is_an_alarm(both):
    assert both.only("AWS::Logs::MetricFilter")["FilterPattern"] == f'"{LEFT}"'
    both.template.has_resource_properties(
        "AWS::CloudWatch::Alarm",
        {
            "MetricName": "Stack-SuppressionsUnfinished",
            "Period": 3600,
            "EvaluationPeriods": 3,
            "DatapointsToAlarm": 2,
        },
    )


def test_a_stack_for_one_hub_may_nothing_in_the_other():
    found = Synthesized(lambda stack: suppress(stack, "Ends", until=UNTIL))
    assert found.environment()["HUBS"] == "cspm"
    assert not [action for action in found.granted() if "V2" in action]
    assert "hubv2" not in json.dumps(found.template.to_json())
    assert "sns:Publish" not in found.granted()


def test_a_hundred_suppressions_of_each_hub_fit_into_the_environment_of_the_function():
    in_force = ",".join(["1f2e3d4c:20270331"] * 200)
    longest = f"securityhub-actions/ap-southeast-1/{'S' * 128}/"
    names = "MARKERS" + "IN_FORCE" + "HUBS" + "cspm,v2"
    assert len(in_force + longest + names) < 4096


@pytest.mark.parametrize("until", [UNTIL, None])
def test_the_policies_for_a_hundred_rules_of_each_hub_are_not_too_long_for_iam(until):
    def declare(stack):
        for number in range(100):
            suppress(stack, f"S{number}", FindingFilter(control_ids=f"S3.{number}"), until=until)
            suppress(stack, f"T{number}", OcsfFindingFilter(control_ids=f"S3.{number}"), until=until)

    found = Synthesized(declare).template
    arn = f"arn:aws-us-gov:securityhub:us-gov-east-1:111122223333:automation-rulev2/{'x' * 36}"
    lengths = [
        len(re.sub(r'\{"Fn::GetAtt":\["[^"]*","RuleArn"\]\}', f'"{arn}"', text))
        for one in found.find_resources("AWS::IAM::ManagedPolicy").values()
        for text in [json.dumps(one["Properties"]["PolicyDocument"], separators=(",", ":"))]
    ]
    assert len(lengths) == 4  # of 10 that a role can have
    assert max(lengths) <= 6_144
    assert "RuleArn" not in json.dumps(found.find_resources("AWS::IAM::Policy"))
