"""Sends an event to the target of a rule, with the target's own input, as EventBridge would.

The caller's permissions apply, not those that EventBridge has. Each message is sent once; only throttling,
after which a service certainly didn't accept it, is retried.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

from securityhub_actions.cli.assembly.kinds import API_DESTINATION, kind_of
from securityhub_actions.cli.aws import Aws, code_of
from securityhub_actions.cli.target_input import has_own_input, is_broken, target_input, value_at

_THROTTLING: Final = frozenset(
    {
        "LimitExceededException",
        "ProvisionedThroughputExceededException",
        "RequestThrottled",
        "ServiceUnavailableException",
        "Throttled",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
_PAUSES: Final = (0.5, 1.0, 2.0, 4.0)
_ARN_PARTS: Final = 6
_Answer = TypeVar("_Answer")


class NotSentError(Exception):
    """Something can't be sent to a target. The message says why, and what to do instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """An event for a target.

    Attributes:
        target: The target as ListTargetsByRule returns it, or only its `Arn`.
        body: What the target receives.
        event: The event, for what else depends on it, such as a partition key.
        key: Identifies this sending. A service that can recognizes by it that it was sent before.
    """

    target: Mapping[str, Any]
    body: str
    event: Mapping[str, Any]
    key: str

    @property
    def arn(self) -> str:
        """The ARN of the target."""
        return str(self.target["Arn"])

    @property
    def region(self) -> str:
        """The Region of the target."""
        return self.arn.split(":")[3]

    @property
    def resource(self) -> str:
        """The part of the ARN after the account."""
        return self.arn.split(":", _ARN_PARTS - 1)[-1]

    @property
    def has_own_input(self) -> bool:
        """Whether the target has an input of its own instead of the event."""
        return has_own_input(self.target)


def parcel_of(event: Mapping[str, Any], target: Mapping[str, Any], *, rule_arn: str, key: str) -> Parcel:
    """Return an event with the input of a target."""
    body = target_input(
        target,
        event,
        rule_name=rule_arn.rpartition("/")[2],
        rule_arn=rule_arn,
        ingested=str(event.get("time", "")),
    )
    return Parcel(target=target, body=body, event=event, key=key)


def refusal_of(target: Mapping[str, Any], event: Mapping[str, Any]) -> str | None:
    """Return why an event can't be sent to a target, and what to do; None if it can."""
    kind = kind_of(target)
    if kind == API_DESTINATION:
        return (
            "an API destination can be called only by a rule. Put targets.EachFinding(...) around it, which "
            "has a rule for that, deploy the stack, and repeat the command"
        )
    if kind == "event bus" and str(event.get("source", "")).startswith("aws."):
        return (
            "an event bus accepts events of an AWS service only from the service. Send the event to the "
            "targets of the rules on that bus"
        )
    return None if kind in _SENDERS else f"{kind} is not supported as a target here. Send it yourself"


def send(aws: Aws, parcel: Parcel) -> None:
    """Send an event to a target.

    Args:
        aws: The account.
        parcel: The event and the target.

    Raises:
        NotSentError: The target can't receive it in this way.
        botocore.exceptions.ClientError: The service refused it.
        botocore.exceptions.BotoCoreError: It isn't known whether the service accepted it.
    """
    refusal = refusal_of(parcel.target, parcel.event)
    if refusal:
        raise NotSentError(refusal)
    if is_broken(parcel.target, parcel.body):
        raise NotSentError(
            "the values of the event make its input template invalid JSON, which EventBridge doesn't deliver "
            "either. Put values that can be lists or objects, or have quotes, outside of quotes"
        )
    _SENDERS[kind_of(parcel.target)](aws, parcel)


def again_if_throttled(
    call: Callable[[], _Answer], *, sleep: Callable[[float], None] = time.sleep
) -> _Answer:
    """Call something, again after a pause if AWS throttles it."""
    from botocore.exceptions import ClientError  # noqa: PLC0415 - takes long to import

    for pause in _PAUSES:
        try:
            return call()
        except ClientError as error:
            if code_of(error) not in _THROTTLING:
                raise
            sleep(pause)
    return call()


def _invoke_function(aws: Aws, parcel: Parcel) -> None:
    client = aws.client("lambda", region=parcel.region, retries=False)
    again_if_throttled(
        lambda: client.invoke(FunctionName=parcel.arn, InvocationType="Event", Payload=parcel.body.encode())
    )


def _send_message(aws: Aws, parcel: Parcel) -> None:
    group = (parcel.target.get("SqsParameters") or {}).get("MessageGroupId")
    send_to_queue(aws, parcel.arn, parcel.body, group=group, key=parcel.key)


def send_to_queue(
    aws: Aws,
    arn: str,
    body: str,
    *,
    key: str,
    group: str | None = None,
    attributes: Mapping[str, Mapping[str, Any]] | None = None,
) -> None:
    """Send a message to a queue."""
    _, _, _, region, account, name = arn.split(":", _ARN_PARTS - 1)
    url = aws.client("sqs", region=region).get_queue_url(QueueName=name, QueueOwnerAWSAccountId=account)
    client = aws.client("sqs", region=region, retries=False)
    given: dict[str, Any] = {"QueueUrl": url["QueueUrl"], "MessageBody": body}
    if attributes:
        given["MessageAttributes"] = attributes
    if group:
        given["MessageGroupId"] = group
    if name.endswith(".fifo"):
        given["MessageDeduplicationId"] = key
    again_if_throttled(lambda: client.send_message(**given))


def _publish(aws: Aws, parcel: Parcel) -> None:
    client = aws.client("sns", region=parcel.region, retries=False)
    again_if_throttled(lambda: client.publish(TopicArn=parcel.arn, Message=parcel.body))


def _put_kinesis_record(aws: Aws, parcel: Parcel) -> None:
    path = (parcel.target.get("KinesisParameters") or {}).get("PartitionKeyPath")
    found = value_at(path, parcel.event) if path else (parcel.event.get("id", parcel.key),)
    if found is None:
        raise NotSentError(f"the event has nothing at the partition key {path}")
    key = found[0] if isinstance(found[0], str) else json.dumps(found[0])
    client = aws.client("kinesis", region=parcel.region, retries=False)
    again_if_throttled(
        lambda: client.put_record(StreamARN=parcel.arn, Data=parcel.body.encode(), PartitionKey=key)
    )


def _put_firehose_record(aws: Aws, parcel: Parcel) -> None:
    client = aws.client("firehose", region=parcel.region, retries=False)
    name = parcel.resource.partition("/")[2]
    again_if_throttled(
        lambda: client.put_record(DeliveryStreamName=name, Record={"Data": parcel.body.encode()})
    )


def _start_execution(aws: Aws, parcel: Parcel) -> None:
    client = aws.client("stepfunctions", region=parcel.region, retries=False)
    try:
        again_if_throttled(
            lambda: client.start_execution(stateMachineArn=parcel.arn, name=parcel.key, input=parcel.body)
        )
    except client.exceptions.ExecutionAlreadyExists:
        # It was started the last time, before the command was interrupted.
        return


def _put_log_event(aws: Aws, parcel: Parcel) -> None:
    client = aws.client("logs", region=parcel.region, retries=False)
    group = parcel.resource.removeprefix("log-group:").removesuffix(":*")
    names = {"logGroupName": group, "logStreamName": parcel.key}
    message, timestamp = _log_event(parcel)
    # It exists if the command was interrupted after it had created the stream.
    with contextlib.suppress(client.exceptions.ResourceAlreadyExistsException):
        again_if_throttled(lambda: client.create_log_stream(**names))
    events = [{"timestamp": timestamp, "message": message}]
    answer = again_if_throttled(lambda: client.put_log_events(**names, logEvents=events))
    if rejected := answer.get("rejectedLogEventsInfo"):
        # Source: https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_RejectedLogEventsInfo.html
        raise NotSentError(f"CloudWatch Logs rejected it because of its time: {', '.join(rejected)}")


def _log_event(parcel: Parcel) -> tuple[str, int]:
    """The message and the time in milliseconds; an input of the target's own has both."""
    document = _object(parcel.body) if parcel.has_own_input else {}
    if document.keys() != {"timestamp", "message"}:
        return parcel.body, _milliseconds(parcel.event.get("time"))
    return str(document["message"]), _milliseconds(document["timestamp"])


def _milliseconds(moment: object) -> int:
    """A time as CDK's inputs have it, which is that of the event, or as CloudWatch Logs has it; else now.

    Source: https://github.com/aws/aws-cdk/pull/20748
    """
    if str(moment).isdecimal():
        return int(str(moment))
    try:
        parsed = datetime.fromisoformat(str(moment))
    except ValueError:
        parsed = datetime.now(UTC)
    return int(parsed.timestamp() * 1000)


def _own_parameters(parcel: Parcel) -> dict[str, list[str]]:
    """Run Command and Automation receive only what the target's own input takes from the event."""
    given = _object(parcel.body) if parcel.has_own_input else {}
    return {
        name: [*map(str, value)] if isinstance(value, list) else [str(value)] for name, value in given.items()
    }


def _run_command(aws: Aws, parcel: Parcel) -> None:
    client = aws.client("ssm", region=parcel.region, retries=False)
    blocks = (parcel.target.get("RunCommandParameters") or {}).get("RunCommandTargets") or []
    again_if_throttled(
        lambda: client.send_command(
            DocumentName=parcel.resource.partition("/")[2], Targets=blocks, Parameters=_own_parameters(parcel)
        )
    )


def _start_automation(aws: Aws, parcel: Parcel) -> None:
    client = aws.client("ssm", region=parcel.region, retries=False)
    name, _, version = parcel.resource.partition("/")[2].partition(":")
    again_if_throttled(
        lambda: client.start_automation_execution(
            DocumentName=name, DocumentVersion=version or "$DEFAULT", Parameters=_own_parameters(parcel)
        )
    )


def _put_event(aws: Aws, parcel: Parcel) -> None:
    put_event(aws, parcel.arn, parcel.event)


def put_event(aws: Aws, bus: str, event: Mapping[str, Any]) -> str:
    """Put an event on a bus, which gives it a new ID, and return the ID.

    Raises:
        NotSentError: The bus didn't accept it.
    """
    client = aws.client("events", region=bus.split(":")[3], retries=False)
    entry = {
        "EventBusName": bus,
        "Source": event["source"],
        "DetailType": event["detail-type"],
        "Resources": list(event.get("resources") or ()),
        "Detail": json.dumps(event["detail"]),
    }
    (answer,) = again_if_throttled(lambda: client.put_events(Entries=[entry]))["Entries"]
    if answer.get("ErrorCode"):
        raise NotSentError(f"the bus refused it with {answer['ErrorCode']}: {answer.get('ErrorMessage')}")
    return str(answer["EventId"])


def _object(body: str) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


_SENDERS: Final[Mapping[str, Callable[[Aws, Parcel], None]]] = {
    "CloudWatch log group": _put_log_event,
    "event bus": _put_event,
    "Firehose stream": _put_firehose_record,
    "Kinesis data stream": _put_kinesis_record,
    "Lambda function": _invoke_function,
    "SNS topic": _publish,
    "SQS queue": _send_message,
    "Step Functions state machine": _start_execution,
    "Systems Manager Automation": _start_automation,
    "Systems Manager Run Command": _run_command,
}
