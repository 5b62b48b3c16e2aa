"""What is read of a synthesized app."""

from __future__ import annotations

import json

import pytest
from aws_cdk import App, CfnOutput, Environment, Fn, NestedStack, Stack, Stage
from aws_cdk import aws_events as events
from aws_cdk.aws_sns import Topic
from aws_cdk.aws_sqs import Queue
from hypothesis import given
from hypothesis import strategies as st

from securityhub_actions import (
    CustomAction,
    CustomActionRule,
    CustomResourceActionTarget,
    NativeActionTarget,
    targets,
)
from securityhub_actions.cli.assembly import AssemblyError, is_known, read_app, shown
from securityhub_actions.quotas import EVENT_PATTERN_QUOTA, RAISED_BY, ROLES_QUOTA, RULES_QUOTA
from tests.hypothesis_profiles import examples

HOME = Environment(account="111122223333", region="eu-west-1")
ACTION_ARN = "arn:aws:securityhub:eu-west-1:111122223333:action/custom/Ticket"


@pytest.fixture
def synthesized(tmp_path):
    """A function that synthesizes an app, to which `declare` adds stacks, and reads it."""

    def synthesize(declare, **place):
        folder = tmp_path / "cdk.out"
        app = App(analytics_reporting=False, outdir=str(folder))
        declare(app)
        app.synth()
        return read_app(folder, **place)

    return synthesize


def ticket(scope, **more):
    return CustomActionRule(
        scope,
        "Ticket",
        action_id="Ticket",
        action_name="Open ticket",
        description="Open a ticket",
        targets=[targets.SqsQueue(Queue(scope, "Tickets"))],
        **more,
    )


@pytest.fixture
def read(tmp_path):
    """A function that reads a template."""

    def read_template(template, **place):
        file = tmp_path / "Some.template.json"
        file.write_text(json.dumps(template))
        return read_app(file, **place)

    return read_template


def rule(**properties):
    return {"Resources": {"Rule": {"Type": "AWS::Events::Rule", "Properties": properties}}}


def test_an_app_has_its_actions_rules_and_targets(app):
    found = read_app(app)
    (action,) = found.actions
    assert (action.id, action.name, action.arn) == ("Ticket", "Open ticket", ACTION_ARN)
    pressed, critical = found.rules
    assert (pressed.path, critical.path) == ("Security/Ticket/Rule", "Security/Critical/Rule")
    assert pressed.pattern["resources"] == [ACTION_ARN]
    (target,) = pressed.targets
    assert (target.kind, target.path) == ("SQS queue", "Security/Tickets")
    assert target.dead_letter_arn.startswith("arn:aws:sqs:eu-west-1:111122223333:")


@pytest.mark.parametrize("provider", [CustomResourceActionTarget, NativeActionTarget])
def test_the_arn_of_an_action_is_the_same_from_each_provider(provider, synthesized):
    found = synthesized(lambda app: ticket(Stack(app, "Stack", env=HOME), provider=provider()))
    assert [action.arn for action in found.actions] == [ACTION_ARN]
    assert [one.pattern["resources"] for one in found.rules] == [[ACTION_ARN]]


def test_an_environment_agnostic_stack_is_where_it_is_read_for(synthesized):
    found = synthesized(lambda app: ticket(Stack(app, "Stack")), account="444455556666", region="cn-north-1")
    (action,) = found.actions
    assert action.arn == "arn:aws-cn:securityhub:cn-north-1:444455556666:action/custom/Ticket"
    assert found.rules[0].pattern["resources"] == [action.arn]


def test_the_place_of_an_environment_agnostic_stack_is_unknown(synthesized):
    found = synthesized(lambda app: ticket(Stack(app, "Stack")))
    assert shown(found.actions[0].arn) == (
        "arn:${AWS::Partition}:securityhub:${AWS::Region}:${AWS::AccountId}:action/custom/Ticket"
    )
    assert [target.kind for target in found.rules[0].targets] == ["SQS queue"]


def test_a_fixed_stack_is_not_moved(synthesized):
    found = synthesized(lambda app: ticket(Stack(app, "Stack", env=HOME)), account="444455556666")
    assert found.actions[0].arn == ACTION_ARN


def test_an_action_can_be_of_another_stack(synthesized):
    def declare(app):
        home, other = Stack(app, "Home", env=HOME), Stack(app, "Other", env=HOME)
        action = CustomAction(
            home, "Action", action_id="Ticket", action_name="Open ticket", description="Open a ticket"
        )
        queue = Queue(other, "Tickets")
        CustomActionRule(other, "Rule", action=action, targets=[targets.SqsQueue(queue)])

    found = synthesized(declare)
    assert [one.pattern["resources"] for one in found.rules] == [[ACTION_ARN]]


def test_exports_are_of_one_region(synthesized):
    def declare(app):
        for region in ("eu-west-1", "us-east-1"):
            stack = Stack(app, f"Out-{region}", env=Environment(account="111122223333", region=region))
            CfnOutput(stack, "Output", value=f"from {region}", export_name="name")
        stack = Stack(app, "In", env=Environment(account="111122223333", region="us-east-1"))
        events.Rule(stack, "Rule", event_pattern=events.EventPattern(source=[Fn.import_value("name")]))

    assert [one.pattern["source"] for one in synthesized(declare).rules] == [["from us-east-1"]]


def test_stacks_of_stages_are_read(synthesized):
    def declare(app):
        for name in ("Beta", "Prod"):
            stack = Stack(Stage(app, name, env=HOME), "Stack")
            events.Rule(stack, "Rule", event_pattern=events.EventPattern(source=["a"]))

    found = synthesized(declare)
    assert [stack.name for stack in found.stacks] == ["Beta-Stack", "Prod-Stack"]
    assert [one.path for one in found.rules] == ["Beta/Stack/Rule", "Prod/Stack/Rule"]


def test_quotas_that_were_increased_are_read_from_the_assembly_that_the_library_writes(synthesized):
    def declare(app):
        for name in RAISED_BY:
            app.node.set_context(name, "3000" if name == EVENT_PATTERN_QUOTA else 450)
        topic = Topic(Stack(app, "Stack", env=HOME), "Topic")
        CustomActionRule(
            topic.stack,
            "Ticket",
            targets=[targets.SnsTopic(topic)],
            action_id="Ticket",
            action_name="Open ticket",
            description="Open a ticket",
        )

    (stack,) = synthesized(declare).stacks
    assert stack.raised_quotas == {RULES_QUOTA: 450, ROLES_QUOTA: 450, EVENT_PATTERN_QUOTA: 3000}


def test_a_nested_stack_gets_its_parameters_and_gives_its_outputs(synthesized):
    def declare(app):
        stack = Stack(app, "Stack", env=HOME)
        queue = Queue(stack, "Tickets", queue_name="tickets")
        nested = NestedStack(stack, "Nested")
        inner = events.Rule(nested, "Rule", event_pattern=events.EventPattern(source=["a"]))
        inner.add_target(targets.SqsQueue(queue))
        action = CustomAction(
            nested, "Action", action_id="Ticket", action_name="Open ticket", description="Open a ticket"
        )
        outer = events.EventPattern(resources=[action.action_arn])
        events.Rule(stack, "Outer", event_pattern=outer)

    outer, inner = synthesized(declare).rules
    assert outer.pattern["resources"] == [ACTION_ARN]
    assert inner.targets[0].arn == "arn:aws:sqs:eu-west-1:111122223333:tickets"


def test_what_a_condition_leaves_out_is_not_there(read):
    template = rule(EventPattern={"source": ["a"]})
    template["Conditions"] = {"No": {"Fn::Equals": ["a", "b"]}}
    template["Resources"]["Rule"]["Condition"] = "No"
    assert read(template).rules == []


def test_a_pattern_can_be_text(read):
    (found,) = read(rule(EventPattern='{"source": ["a"]}')).rules
    assert found.pattern == {"source": ["a"]}


def test_a_pattern_that_only_a_deployment_determines_is_unknown(read):
    (found,) = read(rule(EventPattern={"Fn::If": ["Nowhere", {"source": ["a"]}, {"source": ["b"]}]})).rules
    assert found.pattern
    assert not is_known(found.pattern)


def test_a_target_whose_arn_has_an_unknown_form_is_still_found(read):
    template = rule(Targets=[{"Id": "Alias", "Arn": {"Ref": "Alias"}}])
    template["Resources"]["Alias"] = {"Type": "AWS::Lambda::Alias"}
    (found,) = read(template).rules
    assert [target.path for target in found.targets] == ["Alias"]


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("a.json", "{", "is not JSON"),
        ("a.json", "[]", "is not a JSON object"),
        ("a.json", "[" * 100_000, "is nested too deeply"),
        ("a.json", "{}", "it has no `Resources`"),
        ("a.json", '{"Resources": {"A": 1}}', "Resources.A is not a JSON object"),
        ("a.json", '{"Resources": {"A": {}}}', "Resources.A.Type is not a text"),
        ("a.json", '{"Resources": {"A": {"Type": "B", "Properties": 1}}}', "Properties is not a JSON object"),
        ("a.json", '{"Resources": {}, "Outputs": [1]}', "Outputs is not a JSON object"),
        ("a.json", json.dumps(rule(EventPattern="no")), "is not JSON"),
        ("a.yaml", "Resources:", "is not JSON"),
        (
            "manifest.json",
            '{"artifacts": {"A": {"type": "aws:cloudformation:stack"}}}',
            "templateFile is not",
        ),
        (
            "manifest.json",
            '{"artifacts": {"A": {"type": "cdk:cloud-assembly", "properties": {"directoryName": "."}}}}',
            "contains itself",
        ),
    ],
)
def test_a_file_that_is_not_what_it_should_be_is_named(name, text, problem, tmp_path):
    file = tmp_path / name
    file.write_text(text)
    with pytest.raises(AssemblyError, match=problem):
        read_app(tmp_path if name == "manifest.json" else file)


def test_a_folder_that_does_not_exist_says_what_to_do(tmp_path):
    with pytest.raises(AssemblyError, match="cdk synth"):
        read_app(tmp_path / "nowhere")
    with pytest.raises(AssemblyError, match="contains no templates"):
        read_app(tmp_path)


def test_a_template_that_is_its_own_nested_stack_is_read_once(tmp_path):
    nested = {
        "Type": "AWS::CloudFormation::Stack",
        "Metadata": {"aws:asset:path": "Inner.nested.template.json"},
    }
    for name in ("Outer.template.json", "Inner.nested.template.json"):
        (tmp_path / name).write_text(json.dumps({"Resources": {"Nested": nested}}))
    assert [stack.name for stack in read_app(tmp_path).stacks] == ["Outer", "Outer/Nested"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
PROPERTIES = st.dictionaries(
    st.sampled_from(["EventPattern", "Targets", "State", "EventBusName", "Name", "Id", "Parameters"]), JSON
)
RESOURCES = st.dictionaries(
    st.text(max_size=2),
    JSON
    | st.fixed_dictionaries(
        {
            "Type": JSON
            | st.sampled_from(
                ["AWS::Events::Rule", "Custom::SecurityHubActionTarget", "AWS::CloudFormation::Stack"]
            )
        },
        optional={"Properties": JSON | PROPERTIES, "Metadata": JSON, "Condition": JSON},
    ),
    max_size=4,
)
SECTIONS = ["Parameters", "Mappings", "Conditions", "Outputs"]


@examples(3)
@given(st.fixed_dictionaries({"Resources": RESOURCES | JSON}, optional=dict.fromkeys(SECTIONS, JSON)) | JSON)
def test_any_json_is_an_app_or_refused(tmp_path_factory, template):
    file = tmp_path_factory.getbasetemp() / "any.json"
    file.write_text(json.dumps(template))
    try:
        found = read_app(file)
    except AssemblyError:
        return
    assert len(found.stacks) == 1
    assert all(target.kind for one in found.rules for target in one.targets)
