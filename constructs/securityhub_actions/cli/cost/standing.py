"""What is charged for each month, however many findings there are."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator
from typing import Final

from securityhub_actions.cli.assembly import Stack, shown
from securityhub_actions.cli.cost.amounts import Range
from securityhub_actions.cli.cost.items import DAYS, Item, resources_of, variables_of

_COUNTED: Final = (
    ("AWS::CloudWatch::Alarm", "Alarms", "alarm"),
    ("AWS::CloudWatch::Dashboard", "Dashboards", "dashboard"),
    ("AWS::Logs::MetricFilter", "Metrics of logs", "custom_metric"),
)
# Lambda polls a queue in requests of up to 20 seconds, with five pollers to begin with. Whether it has fewer
# where the queue stays empty isn't documented.
# https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html
_POLLERS: Final = Range(2, 5)
_POLLS_A_DAY: Final = 24 * 3600 / 20
# Each of the first two rotations of a key adds its price.
# https://aws.amazon.com/kms/pricing/
_KEY_VERSIONS: Final = Range(1, 3)
# The metrics of outcomes, as docs/outcomes.md lists them: of the function, and of its actions, controls, and
# groups of accounts, one of which has those that are in no other. Which there are in a month depends on what
# happens.
_METRICS_VARIABLE: Final = "OUTCOME_METRICS"
_GROUPS_VARIABLE: Final = "ACCOUNT_GROUPS"
_METRICS: Final = Range(3, 15)
_OWN_DIMENSION: Final = Range.of(1)
_ACTIONS: Final = Range(1, 4)
_SECRET: Final = re.compile(r":secretsmanager:.{,80}?:secret:([A-Za-z0-9/_+=.@${}-]+)")


def standing_items(stack: Stack, counted: Collection[str] = ()) -> Iterator[Item]:
    """Return what a stack costs while nothing happens.

    Args:
        stack: The stack.
        counted: The names of the secrets that other stacks read, and that are counted there. Default: none.
    """
    for type_, name, price in _COUNTED:
        yield Item(
            stack=stack.name, name=name, price=price, quantity=Range.of(len(resources_of(stack, type_)))
        )
    keys = len(resources_of(stack, "AWS::KMS::Key"))
    yield Item(stack=stack.name, name="KMS keys", price="kms_key", quantity=_KEY_VERSIONS * keys)
    queues = sum(
        ":sqs:" in str(one.get("EventSourceArn", ""))
        for one in resources_of(stack, "AWS::Lambda::EventSourceMapping").values()
    )
    yield Item(
        stack=stack.name,
        name="Polling of queues by Lambda",
        price="sqs_request",
        quantity=_POLLERS * (queues * _POLLS_A_DAY * DAYS),
    )
    secrets = secrets_of(stack) - set(counted)
    yield Item(stack=stack.name, name="Secrets", price="secret", quantity=Range.of(len(secrets)))


def metric_items(stack: Stack, controls: int) -> Iterator[Item]:
    """Return what the metrics cost that the functions of a stack write: each with each of its dimensions.

    Functions with the same code share their metrics.

    Args:
        stack: The stack.
        controls: About how many controls the findings are on which the functions act in a month, at most.
    """
    by_code = {
        str(function.get("Handler")): str(variables.get(_GROUPS_VARIABLE))
        for function in resources_of(stack, "AWS::Lambda::Function").values()
        if (variables := variables_of(function)).get(_METRICS_VARIABLE) == "on"
    }
    for groups in by_code.values():
        number = _number_of(groups)
        dimensions = _OWN_DIMENSION + _ACTIONS + Range(1, max(controls, 1)) + Range(1, number + 1)
        yield Item(
            stack=stack.name,
            name="Metrics of functions",
            price="custom_metric",
            quantity=_METRICS * dimensions,
        )


def _number_of(groups: str) -> int:
    """Return how many groups of accounts there are, as far as the template says it."""
    try:
        document = json.loads(groups)
    except ValueError:
        return 0
    return len(document) if isinstance(document, dict) else 0


def secrets_of(stack: Stack) -> set[str]:
    """Return the names of the secrets that the roles of a stack can read. They exist outside of the stack.

    In an ARN, six characters follow the name and a hyphen.
    """
    text = json.dumps(shown(stack.resources))
    return {match[1].removesuffix("-") for match in _SECRET.finditer(text)}
