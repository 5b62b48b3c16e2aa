"""A Lambda function as a rule target."""

from __future__ import annotations

from typing import Final, cast
from weakref import WeakKeyDictionary, WeakSet

from aws_cdk import Annotations, Duration, Reference, Resource, Tokenization
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_destinations as destinations
from aws_cdk import aws_sqs as sqs
from constructs import Construct, IConstruct

from securityhub_actions.arguments import checked
from securityhub_actions.delivery import Delivery, Target, dead_letter_queue_of, open_to, queue_of
from securityhub_actions.delivery_places import check_failure_destination, check_target
from securityhub_actions.places import account_of, asked_once, node_of, path_of, region_of, stack_of
from securityhub_actions.rule_access import allow_function, next_rule_has_permission
from securityhub_actions.tokens import is_token

# The functions whose failed events are kept, or whose owner was warned.
_kept: WeakSet[lambda_.IFunction] = WeakSet()
# The CDK's targets for each function that gets the whole event: by their delivery, and by whether they give
# each rule a permission.
_of_the_cdk: WeakKeyDictionary[lambda_.IFunction, dict[tuple[Delivery, bool], targets.LambdaFunction]] = (
    WeakKeyDictionary()
)
_UNKNOWN_PLACE: Final = "@aws-cdk/aws-events:ruleUnresolvedEnvironment"
_RETRY_ATTEMPTS: Final = 2
_MAX_EVENT_AGE_HOURS: Final = 6


class LambdaFunction(Target):
    """Invokes a Lambda function with the event.

    EventBridge invokes functions asynchronously, so delivery succeeds when Lambda accepts the event. If the
    function then fails, Lambda retries 2 times within 6 hours and sends the event to the function's
    dead-letter queue or on-failure destination. If the function has neither, the rule's dead-letter queue
    becomes its on-failure destination.

    Only your rules can invoke the function. If it is the target of more than 30 rules, all rules in the
    account and Region can, because one permission per rule would exceed the size of its resource policy.

    Source: https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
    """

    @checked
    def __init__(
        self,
        function: lambda_.IFunction,
        *,
        event: events.RuleTargetInput | None = None,
        delivery: Delivery | None = None,
    ) -> None:
        """Create the target.

        Args:
            function: The function to invoke.
            event: The payload that the function receives. Default: the whole event.
            delivery: The retry policy and dead-letter queue. Default: the rule's.
        """
        super().__init__(delivery=delivery)
        self._function = function if isinstance(function, Construct) else _construct_of(function)
        self._event = event

    def connect(self, rule: events.IRule, dead_letter_queue: sqs.IQueue) -> events.RuleTargetConfig:
        """Allow the rule to invoke the function, and set a destination for failed events."""
        config = self._checked_config(rule)
        allow_function(self._function, rule)
        self._keep_failed_events(dead_letter_queue)
        return config

    def of_the_cdk(self, scope: Construct, delivery: Delivery) -> events.IRuleTarget | None:
        """Return the CDK's own target, if the function and the dead-letter queue are in the rule's stack."""
        own = type(self)
        is_extended = own.connect is not LambdaFunction.connect or own.attach is not LambdaFunction.attach
        is_elsewhere = stack_of(self._function) is not stack_of(scope)
        if is_extended or is_elsewhere or delivery.dead_letter_queue is not None or self._event is not None:
            return None
        self._checked_config(scope)
        has_permission = next_rule_has_permission(self._function)
        known = _of_the_cdk.setdefault(self._function, {})
        if (delivery, has_permission) not in known:
            known[delivery, has_permission] = targets.LambdaFunction(
                self._function if has_permission else _reference_without_permissions(self._function),
                # The CDK would extend the policy of the queue itself by a statement for each rule.
                dead_letter_queue=_reference_to_queue(dead_letter_queue_of(scope)),
                retry_attempts=delivery.retry_attempts,
                max_event_age=delivery.max_event_age,
            )
        return known[delivery, has_permission]

    def complete(self, rule: events.Rule, delivery: Delivery) -> None:
        """Count the permission, open the dead-letter queue, and set a destination for failed events."""
        if not next_rule_has_permission(self._function) and _has_known_place(rule):
            # The CDK doesn't know that the reference is to a function of this stack.
            Annotations.of(rule).acknowledge_warning(_UNKNOWN_PLACE)
        allow_function(self._function, rule, by_the_cdk=True)
        self._keep_failed_events(open_to(rule, queue_of(delivery, rule)))

    def _checked_config(self, rule: IConstruct) -> events.RuleTargetConfig:
        config = events.RuleTargetConfig(
            arn=_arn_of_function(self._function), input=self._event, target_resource=self._function
        )
        # Before the permission, which would make the stacks depend on each other.
        check_target(rule, config)
        return config

    def _keep_failed_events(self, dead_letter_queue: sqs.IQueue) -> None:
        function = _function_of(self._function)
        if function in _kept:
            return
        for arn in _failure_destinations(function):
            check_failure_destination(function, arn)
        if not Resource.is_owned_resource(function):
            self._warn("is not part of this app, so its configuration is not changed")
        elif (config := function.node.try_find_child("EventInvokeConfig")) is not None:
            if not _has_on_failure_destination(config) and not _has_dead_letter_queue(function):
                self._warn("has its own event invoke configuration, without an on-failure destination")
        elif not _has_dead_letter_queue(function) and function.role is None:
            # An alias or a version, in this app, of a function that isn't.
            self._warn("has a role that is not known here, so its configuration is not changed")
        elif not _has_dead_letter_queue(function):
            # Not a queue of another stack, which may depend on the function's already.
            same_stack = stack_of(function) is stack_of(dead_letter_queue)
            queue = dead_letter_queue if same_stack else dead_letter_queue_of(function)
            function.configure_async_invoke(
                on_failure=destinations.SqsDestination(queue),
                retry_attempts=_RETRY_ATTEMPTS,
                max_event_age=Duration.hours(_MAX_EVENT_AGE_HOURS),
            )
            _warn_of_role(function, queue)
        _kept.add(function)

    def _warn(self, why: str) -> None:
        Annotations.of(self._function).add_warning_v2(
            "securityhub-actions:FailedEventsAreLost",
            f"The function {self._function.node.path} {why}. Make sure that it has an on-failure destination "
            "or a dead-letter queue. Otherwise, events that it fails to handle are lost.",
        )


@asked_once
def _construct_of(function: lambda_.IFunction) -> lambda_.IFunction:
    """Return a function that can have children, which an imported version or alias can't in Python."""
    scope = node_of(function).scope
    return lambda_.Function.from_function_arn(
        cast("Construct", scope), f"{node_of(function).id}ByArn", function.function_arn
    )


def _function_of(function: lambda_.IFunction) -> lambda_.IFunction:
    """Return the function that a singleton stands for, which has its configuration."""
    if not isinstance(function, lambda_.SingletonFunction):
        return function
    token = Tokenization.reverse(function.function_arn, fail_concat=False)
    resource = token.target if isinstance(token, Reference) else None
    owner = node_of(resource).scope if resource is not None else None
    return owner if isinstance(owner, lambda_.Function) else function


def _warn_of_role(function: lambda_.IFunction, queue: sqs.IQueue) -> None:
    """Warn if the CDK couldn't let the function send to the queue, without which Lambda refuses the queue.

    Source: https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
    Source: https://github.com/aws-amplify/amplify-js/issues/9869
    """
    role = function.role
    if role is None or any(isinstance(one, iam.Policy) for one in role.node.find_all()):
        return
    key = " and kms:Decrypt and kms:GenerateDataKey with its key" if queue.encryption_master_key else ""
    Annotations.of(function).add_warning_v2(
        "securityhub-actions:RoleOfOthers",
        f"The policies of the role of {path_of(function)} are not changed here. The role must allow "
        f"sqs:SendMessage to the queue {path_of(queue)}{key}. Otherwise, Lambda refuses it as the on-failure "
        "destination, and the deployment fails.",
    )


def _has_known_place(rule: events.Rule) -> bool:
    stack = stack_of(rule)
    return not is_token([account_of(stack), region_of(stack)])


@asked_once
def _reference_without_permissions(function: lambda_.IFunction) -> lambda_.IFunction:
    return lambda_.Function.from_function_attributes(
        cast("Construct", function),
        "WithoutPermissions",
        function_arn=_arn_of_function(function),
        same_environment=False,
        skip_permissions=True,
    )


@asked_once
def _reference_to_queue(queue: sqs.IQueue) -> sqs.IQueue:
    return sqs.Queue.from_queue_attributes(
        cast("Construct", queue), "WithoutPolicy", queue_arn=queue.queue_arn, queue_url=queue.queue_url
    )


@asked_once
def _arn_of_function(function: lambda_.IFunction) -> str:
    return function.function_arn


def _has_dead_letter_queue(function: lambda_.IFunction) -> bool:
    return isinstance(function, lambda_.Function) and (
        function.dead_letter_queue is not None or function.dead_letter_topic is not None
    )


def _has_on_failure_destination(config: IConstruct) -> bool:
    return _on_failure_destination(config) is not None


def _on_failure_destination(config: IConstruct) -> str | None:
    resource = config.node.default_child
    if not isinstance(resource, lambda_.CfnEventInvokeConfig):
        return None
    settings = resource.destination_config
    on_failure = getattr(settings, "on_failure", None)
    return getattr(on_failure, "destination", None)


def _failure_destinations(function: lambda_.IFunction) -> list[str]:
    """The ARNs to which a function sends events that it fails to handle."""
    config = function.node.try_find_child("EventInvokeConfig")
    arns = [None if config is None else _on_failure_destination(config)]
    if isinstance(function, lambda_.Function):
        queue, topic = function.dead_letter_queue, function.dead_letter_topic
        arns += [queue.queue_arn if queue else None, topic.topic_arn if topic else None]
    return [arn for arn in arns if arn]
