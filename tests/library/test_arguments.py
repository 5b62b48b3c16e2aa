"""Every public argument of the library rejects the wrong kind, and says so on one line."""

from __future__ import annotations

import inspect
import re
import types
from collections.abc import Collection, Mapping, Sequence
from enum import Enum
from typing import Annotated, TypeVar, Union, get_args, get_origin, get_type_hints

import pytest
from aws_cdk import App, CfnParameter, Duration, Fn, SecretValue, Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk import aws_sqs as sqs
from aws_cdk.assertions import Template

import securityhub_actions
from securityhub_actions import (
    CustomAction,
    CustomActionEvent,
    CustomActionRule,
    Delivery,
    FindingFilter,
    ImportedFindingsRule,
    NativeActionTarget,
    OcsfFindingFilter,
    filters,
    patterns,
    targets,
)
from securityhub_actions.arguments import _members_of

# What the library or the CDK calls, not its users.
EXTENSION_POINTS = {"attach", "bind", "complete", "connect", "create", "of_the_cdk", "permission"}
# What the library creates, not its users.
RESULTS = {"EventPattern", "Match", "Mismatch"}


def own(function):
    return str(getattr(function, "__module__", "")).startswith("securityhub_actions")


def callables():
    """Each public constructor, method, and function: what to call, and what has its signature and hints."""
    for package in (securityhub_actions, targets, filters, patterns):
        for name in package.__all__:
            value = getattr(package, name)
            if not isinstance(value, type):
                if callable(value):
                    yield name, value, value
            elif not issubclass(value, Enum | Exception | patterns.Condition) and not is_protocol(value):
                if own(value.__init__) and name not in RESULTS:
                    yield name, value, value.__init__
                for method, function in inspect.getmembers(value, callable):
                    if own(function) and not method.startswith("_") and method not in EXTENSION_POINTS:
                        yield f"{name}.{method}", function, function


def is_protocol(hint):
    return getattr(hint, "_is_protocol", False)


def parameters():
    for name, call, function in callables():
        hints = get_type_hints(
            call if hasattr(call, "__dataclass_fields__") else function, include_extras=True
        )
        for parameter in inspect.signature(function).parameters.values():
            if parameter.name in hints:
                yield pytest.param(call, function, hints, parameter.name, id=f"{name}-{parameter.name}")


def alternatives_of(hint):
    return get_args(hint) if get_origin(hint) in {Union, types.UnionType} else (hint,)


def fitting(hint):
    """Something of the right kind. Its value may be wrong, but another argument is rejected first."""
    hint = alternatives_of(hint)[0]
    origin = get_origin(hint)
    if origin in {Sequence, tuple, Collection}:
        return ()
    if origin is Mapping or origin is dict:
        return {}
    if origin is Annotated or hint is str:
        return "x"
    if issubclass(hint, Enum):
        return next(iter(hint))
    if is_protocol(hint):
        return type("Stub", (), dict.fromkeys(_members_of(hint)))()
    return {int: 1, float: 1.5, bool: True}[hint] if hint in {int, float, bool} else stub(hint)


def stub(kind):
    """An instance of a class that wasn't initialized."""
    abstract = dict.fromkeys(getattr(kind, "__abstractmethods__", ()))
    return object.__new__(types.new_class("Stub", (kind,), exec_body=lambda body: body.update(abstract)))


class Strange:
    """Of no kind that any argument accepts."""

    def __repr__(self):
        return "two\nlines"


class StrangeAndFalse(Strange):
    def __bool__(self):
        return False


def wrong_for(hint):
    alternatives = alternatives_of(hint)
    origins = {get_origin(alternative) for alternative in alternatives}
    yield from (Strange(), StrangeAndFalse(), Strange)
    if Sequence in origins or tuple in origins:
        yield [Strange()]
    if Mapping in origins:
        yield from ({Strange(): "x"}, {"x": Strange()})
    if Annotated in origins or isinstance(hint, TypeVar):
        return
    if str not in alternatives:
        yield from ("text", "")
    if not {int, float, bool}.intersection(alternatives):
        yield from (0, 2.5)
    if int in alternatives and float not in alternatives:
        yield from (2.5, True)
    if type(None) not in alternatives:
        yield None


@pytest.mark.parametrize(("call", "function", "hints", "wrong_one"), [*parameters()])
def test_an_argument_of_the_wrong_kind_is_named(call, function, hints, wrong_one):
    for wrong in wrong_for(hints[wrong_one]):
        positional, keywords = [], {}
        for parameter in inspect.signature(function).parameters.values():
            value = wrong
            if parameter.name == "self":
                value = None  # isn't reached
            elif parameter.name != wrong_one:
                if parameter.default is not parameter.empty or parameter.kind is parameter.VAR_POSITIONAL:
                    continue
                value = fitting(hints[parameter.name])
            if parameter.name == "self" and call is not function:
                continue
            if parameter.kind is parameter.KEYWORD_ONLY:
                keywords[parameter.name] = value
            else:
                positional.append(value)
        with pytest.raises(ValueError) as error:  # noqa: PT011 - the message is checked below
            call(*positional, **keywords)
        message = str(error.value)
        assert re.search(rf"\b{wrong_one}\b", message) or "the event pattern is not valid" in message
        assert "\n" not in message
        assert "object at 0x" not in message


@pytest.fixture
def stack():
    return Stack(App(), "Stack")


@pytest.fixture
def queue(stack):
    return sqs.Queue(stack, "Queue")


def press(stack, queue, **settings):
    return CustomActionRule(
        stack,
        "Press",
        **{
            "action_id": "Press",
            "action_name": "Press",
            "description": "Presses",
            "targets": [targets.SqsQueue(queue)],
        }
        | settings,
    )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"events": "Security Hub Findings - Custom Action"},
            "events must be a list of which each item is CustomActionEvent.FINDINGS or "
            "CustomActionEvent.INSIGHT_RESULTS, not 'Security Hub Findings - Custom Action'. "
            "Put it in a list: events=[...].",
        ),
        (
            {"events": ["Security Hub Findings"]},
            "events[0] must be CustomActionEvent.FINDINGS or CustomActionEvent.INSIGHT_RESULTS, "
            "not 'Security Hub Findings'.",
        ),
        (
            {"events": CustomActionEvent},
            "events must be a list of which each item is CustomActionEvent.FINDINGS or "
            "CustomActionEvent.INSIGHT_RESULTS, not the class CustomActionEvent itself. "
            "Convert it to a list: events=list(...).",
        ),
        (
            {"events": CustomActionEvent.FINDINGS},
            "events must be a list of which each item is CustomActionEvent.FINDINGS or "
            "CustomActionEvent.INSIGHT_RESULTS, not CustomActionEvent.FINDINGS. "
            "Put it in a list: events=[...].",
        ),
        ({"action_id": 5}, "action_id must be a string or None, not 5."),
        ({"enabled": "yes"}, "enabled must be True or False, not 'yes'."),
        (
            {"provider": NativeActionTarget},
            "provider must be an ActionTargetProvider or None, not the class NativeActionTarget itself. "
            "Create an instance: NativeActionTarget(...).",
        ),
    ],
)
def test_the_error_says_what_was_given_and_what_is_allowed(stack, queue, settings, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        press(stack, queue, **settings)


def test_a_resource_is_no_target(stack, queue):
    with pytest.raises(
        ValueError, match=r"^targets\[0\] must be an aws_events.IRuleTarget, such as .*, not an? "
    ):
        press(stack, queue, targets=[queue])


def test_the_error_names_the_construct_that_was_given(queue):
    with pytest.raises(
        ValueError, match=r"^function must be an aws_lambda.IFunction, not .*\(Stack/Queue\)\.$"
    ):
        targets.LambdaFunction(queue)


def test_a_single_target_belongs_into_a_list(stack, queue):
    with pytest.raises(ValueError, match=r"Put it in a list: targets=\[\.\.\.\]\.$"):
        press(stack, queue, targets=targets.SqsQueue(queue))


@pytest.mark.parametrize("convert", [set, iter, lambda items: {items[0]: 1}.keys()])
def test_what_can_become_a_list_belongs_into_one(stack, queue, convert):
    with pytest.raises(ValueError, match=r"Convert it to a list: targets=list\(\.\.\.\)\.$"):
        press(stack, queue, targets=convert([targets.SqsQueue(queue)]))


def test_the_value_of_a_member_is_as_good_as_the_member(stack, queue):
    press(stack, queue, events=["Security Hub Findings - Custom Action"])
    (rule,) = Template.from_stack(stack).find_resources("AWS::Events::Rule").values()
    assert rule["Properties"]["EventPattern"]["detail-type"] == ["Security Hub Findings - Custom Action"]


def test_a_subscription_is_no_target_although_it_can_be_bound(stack, queue):
    with pytest.raises(ValueError, match=r"targets\[0\] must be an aws_events.IRuleTarget"):
        press(stack, queue, targets=[subscriptions.SqsSubscription(queue)])


@pytest.mark.parametrize("findings", [OcsfFindingFilter(), {}, FindingFilter, "HIGH"])
def test_a_rule_accepts_only_a_filter_for_its_own_format(stack, queue, findings):
    with pytest.raises(ValueError, match=r"^findings must be a FindingFilter or None, not "):
        ImportedFindingsRule(stack, "Rule", findings=findings, targets=[targets.SqsQueue(queue)])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"retry_attempts": 2.5}, "retry_attempts must be a whole number, not 2.5."),
        ({"retry_attempts": True}, "retry_attempts must be a whole number, not True."),
        ({"max_event_age": 3600}, "max_event_age must be a Duration, such as Duration.hours(1), not 3600."),
    ],
)
def test_delivery_settings_of_the_wrong_kind_are_rejected(settings, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        Delivery(**settings)


def test_a_secret_that_was_passed_as_text_is_not_repeated(stack):
    with pytest.raises(ValueError, match=r"^secret must be an aws_secretsmanager.ISecret, not a str\.$"):
        targets.Slack(stack, "Slack", channel="C024BE91L", secret="xoxb-1-2-3")  # noqa: S106 - on purpose


def test_a_token_that_is_not_encoded_is_rejected_with_the_cure(stack, queue):
    with pytest.raises(ValueError, match=r"^action_name must be .*\. Encode the token with Token\.as_string"):
        press(stack, queue, action_name=Fn.get_att("Other", "Name"))


@pytest.mark.parametrize("existing", [True, False])
def test_what_has_the_members_of_an_interface_is_accepted(stack, queue, existing):
    class Mine:
        action_arn = "arn:aws:securityhub:us-east-1:111122223333:action/custom/Mine"
        action_id = "Mine"

    action = CustomAction.from_action_id(stack, "Existing", "Existing") if existing else Mine()
    CustomActionRule(stack, "Rule", action=action, targets=[targets.SqsQueue(queue)])


def test_imported_resources_are_accepted(stack):
    queue = sqs.Queue.from_queue_arn(stack, "Queue", "arn:aws:sqs:us-east-1:111122223333:inbox")
    secret = secretsmanager.Secret.from_secret_name_v2(stack, "Secret", "slack")
    targets.SqsQueue(queue, delivery=Delivery(dead_letter_queue=queue))
    targets.Slack(stack, "Slack", channel="C024BE91L", secret=secret)


def test_an_unknown_argument_is_reported_by_python():
    with pytest.raises(TypeError, match="unexpected keyword argument 'attempts'"):
        Delivery(attempts=1)


def test_number_tokens_are_numbers(stack):
    number = CfnParameter(stack, "Number", type="Number").value_as_number
    delivery = Delivery(retry_attempts=number, max_event_age=Duration.seconds(number))
    assert delivery.retry_attempts == number


def test_a_class_is_no_function_that_makes_a_body(stack):
    credentials = events.Authorization.api_key("X", SecretValue.secrets_manager("hook"))
    with pytest.raises(ValueError, match=r"body must be a string, .* not the class Strange itself"):
        targets.Webhook(
            stack, "Hook", endpoint="https://example.com", authorization=credentials, body=Strange
        )
