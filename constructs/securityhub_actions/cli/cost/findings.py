"""What is charged for because of findings: events, messages, invocations, and what functions ask for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from securityhub_actions.cli.assembly import App, Rule, Stack, Target, shown
from securityhub_actions.cli.cost.amounts import NOTHING, Range
from securityhub_actions.cli.cost.buses import OwnBuses, Put
from securityhub_actions.cli.cost.items import DAYS, Item, Use, number_at, resources_of, variables_of
from securityhub_actions.cli.cost.requests import Work, load_work
from securityhub_actions.cli.cost.timetables import runs_a_month
from securityhub_actions.cli.review.texts import at, items_of, mappings_of
from securityhub_actions.event_names import OUTCOME_BUS

_IMPORTED: Final = frozenset({"Security Hub Findings - Imported", "Findings Imported V2"})
_KB: Final = Range(3, 10)  # of an event, as most are; the samples in tests/events have just below 3
_FIREHOSE_STEP_KB: Final = Range.of(5)
_FIREHOSE_KB: Final = Range(5, 10)  # the same in such steps
_OUTCOME_KB: Final = Range(1, 3)  # with a reason of up to 1,000 characters
_GB: Final = 1_000_000  # kilobytes
# A message is sent once, and received and deleted in batches of 1 to 10.
_SQS_REQUESTS: Final = Range(1.2, 3)
_INVOCATIONS: Final = Range(0.1, 1)
_JQ_SECONDS: Final = Range(0.001, 0.02)  # for one event, an estimate
_COMPRESSED: Final = Range(0.1, 0.3)  # what GZIP leaves of JSON, an estimate
_FLUSHES_A_DAY: Final = 24 * 12  # one object for each account in five minutes, at most
_WRITTEN_UNITS: Final = Range(1, 3)  # of an item of up to 1 KB, and of what indexes have of it
_EACH_FINDING: Final = "each_finding_handler.handler.handle"
_WITHOUT_OUTCOME: Final = frozenset({"received", "unchanged", "sent"})
# Trackers tell of each change of a ticket, at least that it's opened and closed, by the app too. An estimate.
_WEBHOOKS: Final = Range(2, 10)
_DEFAULT_WORK: Final = Work(seconds=Range(0.05, 1), log_kb=Range(0.5, 2), operations={})
_OPERATIONS: Final[Mapping[str, tuple[str, str, Range]]] = {
    **{
        f"dynamodb:{name}": ("Writes to tables", "write", _WRITTEN_UNITS)
        for name in ("DeleteItem", "PutItem", "UpdateItem")
    },
    **{f"dynamodb:{name}": ("Reads of tables", "read", Range(0.5, 1)) for name in ("GetItem", "Query")},
    "s3:GetObject": ("Reads of objects", "s3_read", Range.of(1)),
    "s3:PutObject": ("Writes of objects", "s3_write", Range.of(1)),
    "secretsmanager:GetSecretValue": ("Requests for secrets", "secret_read", Range(0, 1)),  # kept for a while
    "sns:Publish": ("Requests to topics", "sns_request", Range(1, 4)),  # 64 KB each
    "sqs:SendMessage": ("Requests to queues", "sqs_request", _SQS_REQUESTS),
}
FREE: Final = frozenset({"securityhub:BatchUpdateFindings", "securityhub:GetFindings", "sts:AssumeRole"})
"""The operations in requests.toml that cost nothing."""
CHARGED: Final = frozenset(_OPERATIONS)
"""The operations that have a price."""
_SIMPLE_TARGETS: Final = {
    "SNS topic": ("Requests to topics", "sns_request", Range.of(1)),
    "SQS queue": ("Requests to queues", "sqs_request", _SQS_REQUESTS),
    "event bus": ("Custom events", "custom_event", Range.of(1)),
    "API destination": ("Requests to API destinations", "api_destination", Range.of(1)),
}
_KNOWN_TARGETS: Final = {*_SIMPLE_TARGETS, "Firehose stream", "Lambda function"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Function:
    """A function of a stack: its name as in the ARNs of targets, its handler, its memory, and its buses."""

    name: str
    handler: str
    gigabytes: float
    outcome_bus: str
    finding_bus: str


def finding_items(app: App, use: Use) -> Iterator[Item]:
    """Return what findings, and what schedules do, cost in an app."""
    all_work = load_work()
    puts = [put for stack in app.stacks for put in _puts(stack, use)]
    for put in puts:
        yield Item(stack=put.stack, name="Custom events", price="custom_event", quantity=put.number * DAYS)
    buses = OwnBuses(app, puts)
    for stack in app.stacks:
        if resources_of(stack, "AWS::ApiGatewayV2::Api"):
            requests = use.tickets * _WEBHOOKS * DAYS
            yield Item(stack=stack.name, name="Requests to the API", price="http_api", quantity=requests)
        for rule in stack.rules:
            for target in rule.targets if rule.enabled else ():
                yield from _target_items(stack, rule, target, use, buses)
        for function in _functions(stack):
            known = all_work.get(function.handler, {})
            for kind, number in _work(stack, function, use).items():
                work = known.get(kind, _DEFAULT_WORK)
                each = Range.of(1) if kind == "received" else _INVOCATIONS
                yield from _function_items(stack, function, work, number * DAYS, each=each)
            runs = runs_a_month(stack, function.name)
            scheduled = known.get("scheduled", _DEFAULT_WORK)
            yield from _function_items(stack, function, scheduled, Range.of(runs), each=Range.of(1))


def imported(rule: Rule) -> bool:
    """Whether a rule gets imported findings."""
    types = items_of((rule.pattern or {}).get("detail-type"))
    return rule.is_on_default_bus and any(kind in types for kind in _IMPORTED)


def daily_events(rule: Rule, use: Use) -> Range:
    """Return how many imported findings a rule gets a day: all if it has no filter."""
    if not imported(rule):
        return NOTHING
    return use.matching if "detail" in (rule.pattern or {}) else Range.of(use.findings)


def _functions(stack: Stack) -> Sequence[_Function]:
    return [
        _Function(
            name=str(one.get("FunctionName") or f"${{{logical_id}}}"),
            handler=str(one.get("Handler", "")),
            gigabytes=number_at(one, "MemorySize", default=128) / 1024,
            outcome_bus=str(variables_of(one).get(OUTCOME_BUS, "")),
            finding_bus=str(variables_of(one).get("EVENT_BUS_NAME", ""))
            if one.get("Handler") == _EACH_FINDING
            else "",
        )
        for logical_id, one in resources_of(stack, "AWS::Lambda::Function").items()
    ]


def _puts(stack: Stack, use: Use) -> Iterator[Put]:
    """Return the events that the functions of a stack put on buses: an outcome where there is one."""
    for function in _functions(stack):
        if function.finding_bus:
            yield Put(stack=stack.name, bus=function.finding_bus, number=_given(stack, function, use))
        if function.outcome_bus:
            kinds = _work(stack, function, use).items()
            number = sum((each for kind, each in kinds if kind not in _WITHOUT_OUTCOME), NOTHING)
            yield Put(stack=stack.name, bus=function.outcome_bus, number=number)


def _target_items(stack: Stack, rule: Rule, target: Target, use: Use, buses: OwnBuses) -> Iterator[Item]:
    number = (daily_events(rule, use) + buses.daily_events(rule)) * DAYS
    if target.kind in _SIMPLE_TARGETS:
        name, price, each = _SIMPLE_TARGETS[target.kind]
        yield Item(stack=stack.name, name=name, price=price, quantity=number * each)
    if target.kind == "Firehose stream":
        archived = _archived(stack, number, use) if imported(rule) else _kept(stack, number)
        for name, price, quantity in archived:
            yield Item(stack=stack.name, name=name, price=price, quantity=quantity)


def _archived(stack: Stack, number: Range, use: Use) -> Iterator[tuple[str, str, Range]]:
    """Return what it costs to archive findings with Firehose, partitioned by account, and to keep them."""
    yield "Findings into Firehose", "firehose_ingested", number * _FIREHOSE_KB * (1 / _GB)
    yield from _streamed(number, kilobytes=_KB, partitions=use.accounts)
    stored = number * _KB * _COMPRESSED * _months_kept(stack) * (1 / _GB)
    yield "Archived findings, once all are there", "s3_gb", stored


def _kept(stack: Stack, number: Range) -> Iterator[tuple[str, str, Range]]:
    """Return what it costs to keep outcomes, partitioned by day."""
    yield "Outcomes into Firehose", "firehose_ingested", number * _FIREHOSE_STEP_KB * (1 / _GB)
    yield from _streamed(number, kilobytes=_OUTCOME_KB, partitions=1)
    stored = number * _OUTCOME_KB * _COMPRESSED * _months_kept(stack) * (1 / _GB)
    yield "Kept outcomes, once all are there", "s3_gb", stored


def _streamed(number: Range, *, kilobytes: Range, partitions: int) -> Iterator[tuple[str, str, Range]]:
    """Return what dynamic partitioning costs: at most one object of each partition in five minutes."""
    yield "Partitioning by Firehose", "firehose_partitioned", number * kilobytes * (1 / _GB)
    yield "jq of Firehose", "firehose_jq", number * _JQ_SECONDS * (1 / 3600)
    each_day = partitions * DAYS
    objects = Range(each_day, each_day * _FLUSHES_A_DAY).at_most(number)
    yield "Objects of Firehose", "firehose_objects", objects
    yield "Writes of objects", "s3_write", objects


def _months_kept(stack: Stack) -> float:
    days = [
        number_at(rule, "ExpirationInDays", default=DAYS)
        for bucket in resources_of(stack, "AWS::S3::Bucket").values()
        for rule in mappings_of(at(bucket, "LifecycleConfiguration.Rules"))
        if "ExpirationInDays" in rule
    ]
    return max(days, default=DAYS) / DAYS


def _work(stack: Stack, function: _Function, use: Use) -> Mapping[str, Range]:
    """Return how many findings a day a function does what with."""
    given = _given(stack, function, use)
    known = {
        "functions.tickets.handler.handle": {
            "opened": use.tickets,
            "resolved": use.tickets,
            "unchanged": Range(0, given.high),
        },
        "functions.remediate.handler.handle": {"remediated": use.remediated},
        "functions.update_findings.handler.handle": {"updated": use.pressed},
        "functions.insight_digest.handler.handle": {"sent": use.pressed},
        "functions.tracker_webhook.handler.handle": {"received": use.tickets * _WEBHOOKS},
    }
    return known.get(function.handler, {"given": given})


def _given(stack: Stack, function: _Function, use: Use) -> Range:
    """Return how many imported findings rules give to a function, directly or by way of a queue."""
    queues = {
        str(one.get("EventSourceArn")).rpartition(":")[2]
        for one in resources_of(stack, "AWS::Lambda::EventSourceMapping").values()
        if _last(one.get("FunctionName")) == function.name
    }
    total = NOTHING
    for rule in stack.rules:
        for target in rule.targets if rule.enabled else ():
            if _last(shown(target.arn)) in {function.name, *queues}:
                total += daily_events(rule, use)
    return total


def _last(arn: object) -> str:
    return str(arn).rpartition(":")[2]


def charges_of(
    work: Work, *, gigabytes: float, number: Range, invocations: Range
) -> Sequence[tuple[str, str, Range]]:
    """Return what a function is charged for: names, keys of prices, and quantities.

    Args:
        work: What it does for one finding.
        gigabytes: Its memory.
        number: How many findings.
        invocations: How many invocations there are for each of them.
    """
    quantities = [
        ("Invocations", "lambda_request", number * invocations),
        ("Duration of functions", "lambda_gb_second", number * work.seconds * gigabytes),
        ("Logs", "log_gb", number * work.log_kb * (1 / _GB)),
    ]
    for operation, times in work.operations.items():
        if operation in _OPERATIONS:
            name, price, units = _OPERATIONS[operation]
            quantities.append((name, price, number * times * units))
    return quantities


def _function_items(
    stack: Stack, function: _Function, work: Work, number: Range, *, each: Range
) -> Iterator[Item]:
    for name, price, quantity in charges_of(
        work, gigabytes=function.gigabytes, number=number, invocations=each
    ):
        yield Item(stack=stack.name, name=name, price=price, quantity=quantity)


def not_computed(app: App) -> Sequence[str]:
    """Return the kinds of targets in an app whose cost isn't computed."""
    kinds = {target.kind for rule in app.rules if imported(rule) for target in rule.targets}
    return sorted(kinds - _KNOWN_TARGETS)
