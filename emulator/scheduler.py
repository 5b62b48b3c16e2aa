"""EventBridge Scheduler: what it sends, to whom, and as whom, which MiniStack leaves to EventBridge's rules.

MiniStack has the API. Here, a schedule sends the input of its target with its context attributes, acts as
its role, and retries and dead-letters as documented. `POST /_emulator/schedules` lets the time of a schedule
come:

    {"account": "111122223333", "region": "eu-west-1", "name": "Nightly", "time": "2027-03-31T00:00:00Z"}

Without `group`, it's the only schedule with that name, or whose name contains it. The answer is `{"payload":
..., "target": ...}`; the invocation goes on in the background. What is wrong is answered with HTTP 400 and
`{"message": ...}`.

Sources:
    https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-context-attributes.html
    https://docs.aws.amazon.com/scheduler/latest/UserGuide/configuring-schedule-dlq.html
    https://docs.aws.amazon.com/scheduler/latest/UserGuide/cross-service-confused-deputy-prevention.html
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from ministack.core.arn import parse_arn
from ministack.core.responses import new_uuid, request_scope
from ministack.services import eventbridge, scheduler
from ministack.services.cloudformation import provisioners

from emulator import inprocess
from emulator.asgi import AsgiApp, Message, Receive, Send, answer_json, read_body
from emulator.delivery.retry import Failure, RetryPolicy, attempt_until_delivered
from emulator.errors import INVALID_PARAMETER, DeliveryError
from emulator.iam import requests_of_services as permissions
from emulator.services import reset_also

SCHEDULES_PATH: Final = "/_emulator/schedules"
SCHEDULE: Final = "AWS::Scheduler::Schedule"
_PRINCIPAL: Final = "scheduler.amazonaws.com"
_ATTRIBUTE: Final = "<aws.scheduler.{}>"

Key = tuple[str, str, str]
"""The account, the Region, and the group with the name."""
Schedule = dict[str, Any]

# When each schedule was last due, until the embedded AWS is reset or ends.
_last_due: dict[Key, float] = {}
# One-time schedules that were sent.
_done: set[Key] = set()


def register() -> None:
    """Let schedules send what they are to, for this process. Calling it again changes nothing."""
    handlers = provisioners._RESOURCE_HANDLERS  # noqa: SLF001 - see tests/emulator/contract
    if handlers[SCHEDULE]["create"] is _create:
        return
    handlers[SCHEDULE] = {**handlers[SCHEDULE], "create": _create, "update": _update}
    provisioners._REPLACING_PROPERTIES[SCHEDULE] = ("Name", "GroupName")  # noqa: SLF001
    scheduler._tick_schedules = _send_due  # noqa: SLF001
    scheduler.reset = reset_also(scheduler.reset, _last_due.clear, _done.clear)


def schedules_app(inner_app: AsgiApp) -> AsgiApp:
    """An ASGI application that takes `POST /_emulator/schedules` and passes everything else on."""

    async def app(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != SCHEDULES_PATH:
            await inner_app(scope, receive, send)
            return
        content = await read_body(receive) if scope["method"] == "POST" else b""
        try:
            status, answer = 200, _let_time_come(json.loads(content or b"{}"))
        except (KeyError, TypeError, ValueError) as problem:
            status, answer = 400, {"message": f"{type(problem).__name__}: {problem}"}
        await answer_json(send, status, answer)

    return app


def _let_time_come(request: Mapping[str, str]) -> dict[str, Any]:
    account, region, name = request["account"], request["region"], request["name"]
    with request_scope(account, region):
        found = [
            (key, schedule)
            for key, schedule in scheduler._schedules.items()  # noqa: SLF001
            if name in schedule["Name"] and request.get("group") in {None, schedule["GroupName"]}
        ]
    if len(found) != 1:
        names = ", ".join(schedule["Name"] for _, schedule in found) or "none"
        raise ValueError(f"one schedule must have {name!r} in its name, but these have: {names}")
    ((key, schedule),) = found
    due = datetime.fromisoformat(request["time"])
    return _send((account, region, key), schedule, due if due.tzinfo else due.replace(tzinfo=UTC))


def _send_due() -> None:
    """Send what is due. Replaces `scheduler._tick_schedules`, which is called every few seconds."""
    now = time.time()
    for key, schedule in list(scheduler._schedules._data.items()):  # noqa: SLF001 - of all accounts
        end = scheduler._to_epoch(schedule.get("EndDate"))  # noqa: SLF001
        start = scheduler._to_epoch(schedule.get("StartDate"))  # noqa: SLF001
        if schedule["State"] != "ENABLED" or (end and now > end) or (start and now < start):
            continue
        due = _due(schedule, _last_due.get(key, float(schedule["CreationDate"])))
        if due is not None and due <= now and key not in _done:
            _send(key, schedule, datetime.fromtimestamp(due, UTC))


def _due(schedule: Schedule, after: float) -> float | None:
    """When a schedule is next due after a time, in seconds since the epoch; None for never."""
    expression = schedule["ScheduleExpression"].strip()
    zone = ZoneInfo(schedule.get("ScheduleExpressionTimezone") or "UTC")
    if expression.startswith("at("):
        moment = datetime.fromisoformat(expression[3:-1].strip())
        return moment.replace(tzinfo=zone).timestamp()
    if interval := eventbridge._parse_rate_seconds(expression):  # noqa: SLF001
        return after + float(interval)
    if fields := eventbridge._parse_cron_fields(expression):  # noqa: SLF001
        following = eventbridge._cron_next_fire(fields, datetime.fromtimestamp(after, zone))  # noqa: SLF001
        return None if following is None else float(following.timestamp())
    return None


def _send(key: Key, schedule: Schedule, due: datetime) -> dict[str, Any]:
    """Invoke the target of a schedule in the background, and return what it gets."""
    account, region, _ = key
    _last_due[key] = due.timestamp()
    if schedule["ScheduleExpression"].strip().startswith("at("):
        _done.add(key)
        if schedule.get("ActionAfterCompletion") == "DELETE":
            scheduler._schedules._data.pop(key, None)  # noqa: SLF001
    attributes = {
        "schedule-arn": schedule["Arn"],
        "scheduled-time": due.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "execution-id": new_uuid().replace("-", "")[:16],
        "attempt-number": "1",
    }
    payload = schedule["Target"].get("Input") or "{}"
    for name, value in attributes.items():
        payload = payload.replace(_ATTRIBUTE.format(name), value)
    kept = dict(schedule)
    inprocess.in_background(account, region, lambda: _deliver(account, region, kept, payload))
    return {"payload": payload, "target": schedule["Target"]["Arn"]}


def _deliver(account: str, region: str, schedule: Schedule, payload: str) -> None:
    target = schedule["Target"]
    group_arn = scheduler._group_arn(schedule["GroupName"])  # noqa: SLF001
    source = permissions.Rule(arn=group_arn, account=account, region=region)
    failure = attempt_until_delivered(lambda: _invoke(source, target, payload), RetryPolicy.of_target(target))
    if failure is not None and (queue := (target.get("DeadLetterConfig") or {}).get("Arn")):
        _dead_letter(source, schedule, queue, payload, failure)


def _invoke(source: permissions.Rule, target: Schedule, payload: str) -> None:
    arn = parse_arn(target["Arn"])
    action, send = _TARGETS.get(arn.service, (None, None))
    if action is None or send is None:
        raise DeliveryError(
            INVALID_PARAMETER, f"The embedded AWS can't invoke {target['Arn']} on a schedule."
        )
    _require(source, target["RoleArn"], action=action, resource=target["Arn"])
    send(target["Arn"], payload)


def _require(source: permissions.Rule, role_arn: str, *, action: str, resource: str) -> None:
    def check() -> None:
        permissions.require_trust(source, role_arn, service=_PRINCIPAL)
        permissions.require_role_policies(role_arn, action=action, resource=resource)

    inprocess.on_loop(check)


def _dead_letter(
    source: permissions.Rule, schedule: Schedule, queue: str, payload: str, failure: Failure
) -> None:
    attributes = {
        "SCHEDULE_ARN": schedule["Arn"],
        "TARGET_ARN": schedule["Target"]["Arn"],
        "ERROR_CODE": failure.error.code,
        "ERROR_MESSAGE": str(failure.error),
        "RETRY_ATTEMPTS": str(failure.attempts - 1),
    }
    _require(source, schedule["Target"]["RoleArn"], action="sqs:SendMessage", resource=queue)
    inprocess.send_message(
        parse_arn(queue), payload, {name: ("String", text) for name, text in attributes.items()}
    )


def _send_message(queue_arn: str, payload: str) -> None:
    inprocess.send_message(parse_arn(queue_arn), payload, {})


_TARGETS: Final[Mapping[str, tuple[str, Callable[[str, str], None]]]] = {
    "lambda": ("lambda:InvokeFunction", inprocess.invoke_function),
    "sqs": ("sqs:SendMessage", _send_message),
    "sns": ("sns:Publish", inprocess.publish),
}


def _create(logical_id: str, properties: Schedule, stack_name: str) -> tuple[str, dict[str, str]]:
    """Create a schedule of a template, with all of its properties, of which MiniStack keeps some."""
    name = properties.get("Name") or provisioners._physical_name(stack_name, logical_id, max_len=64)  # noqa: SLF001
    body = {key: value for key, value in properties.items() if key != "Name"}
    return _answer(name, *scheduler._create_schedule(name, body)[::2])  # noqa: SLF001


def _update(name: str, _old: Schedule, properties: Schedule, _stack_name: str) -> tuple[str, dict[str, str]]:
    body = {key: value for key, value in properties.items() if key != "Name"}
    return _answer(name, *scheduler._update_schedule(name, body)[::2])  # noqa: SLF001


def _answer(name: str, status: int, content: bytes) -> tuple[str, dict[str, str]]:
    answer = json.loads(content)
    if status != 200:  # noqa: PLR2004 - HTTP OK
        raise ValueError(answer["Message"])
    return name, {"Arn": answer["ScheduleArn"]}
