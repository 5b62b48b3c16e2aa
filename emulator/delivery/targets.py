"""Delivers an event to each kind of target, with the permission that EventBridge needs.

Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-targets.html
"""

from __future__ import annotations

import base64
import copy
import json
import urllib.error
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final
from uuid import uuid4

from ministack.core.arn import Arn
from ministack.services import cloudwatch_logs, eventbridge, firehose, kinesis, kms, sns, sqs

from emulator import inprocess
from emulator.delivery.compute import call_rest_api, run_task, start_build, start_pipeline, submit_job
from emulator.delivery.data import execute_statements, run_mutation
from emulator.delivery.inputs import has_own_input, resolve
from emulator.delivery.parcels import Parcel, json_input, own_input, parse, require_role
from emulator.errors import (
    CONNECTION_FAILURE,
    ERROR_FROM_TARGET,
    INVALID_PARAMETER,
    NO_RESOURCE,
    THIRD_ACCOUNT_HOP_DETECTED,
    DeliveryError,
)
from emulator.iam import requests_of_services as permissions
from emulator.iam.requests_of_services import Rule
from emulator.systems_manager import automations, documents, ops_items

_REFUSALS: Final = frozenset({401, 407})
_RETRIED_STATUSES: Final = _REFUSALS | {409, 429}


def send(parcel: Parcel) -> None:
    """Try once to deliver. Runs in a worker thread.

    Raises:
        DeliveryError: The target did not accept the event.
    """
    sender = _sender(parcel.arn)
    if sender is None:
        raise DeliveryError(
            INVALID_PARAMETER, f"The embedded AWS does not deliver to {parcel.arn}: use one of {_SUPPORTED}."
        )
    if parcel.arn.region != parcel.rule.region:
        raise DeliveryError(INVALID_PARAMETER, f"{parcel.arn} is not in the Region of {parcel.rule.arn}.")
    # A service finds its resources in the account in scope, which is the owner's.
    inprocess.enter(parcel.arn.account_id or parcel.rule.account, parcel.arn.region)
    sender(parcel)


def send_dead_letter(rule: Rule, queue_arn: str, body: str, attributes: Mapping[str, str]) -> None:
    """Send a message to a target's dead-letter queue.

    Raises:
        DeliveryError: The queue's policy doesn't allow EventBridge, or the queue doesn't exist.
    """
    queue = parse(queue_arn)
    inprocess.enter(queue.account_id, queue.region)
    inprocess.on_loop(lambda: _require_queue(rule, queue))
    inprocess.send_message(queue, body, {name: ("String", text) for name, text in attributes.items()})


def _sender(arn: Arn) -> Callable[[Parcel], None] | None:
    if arn.service == "events":
        return _send_to_api_destination if arn.resource.startswith("api-destination/") else _send_to_event_bus
    if arn.service == "ssm" and arn.resource == "opsitem":
        return _create_ops_item
    if arn.service == "ssm":
        return _start_automation if arn.resource.startswith("automation-definition/") else _run_command
    return _SENDERS.get(arn.service)


def _require_queue(rule: Rule, queue: Arn) -> None:
    permissions.require_resource_policy(rule, service="sqs", action="sqs:SendMessage", resource=str(queue))
    attributes = sqs._queue_by_arn(str(queue))["attributes"]  # noqa: SLF001 - see tests/emulator/contract
    permissions.require_key(rule, attributes.get("KmsMasterKeyId"), resource=str(queue))


def _require_topic(rule: Rule, topic: Arn) -> None:
    # AWS documents that neither topics nor their keys support conditions on the source.
    # https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html#eb-sns-permissions
    # https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html#compatibility-with-aws-services
    permissions.require_resource_policy(
        rule, service="sns", action="sns:Publish", resource=str(topic), names_rule=False
    )
    attributes = sns._topic_by_arn_any_scope(str(topic))["attributes"]  # noqa: SLF001
    permissions.require_key(rule, attributes.get("KmsMasterKeyId"), resource=str(topic), names_rule=False)


def _invoke_function(parcel: Parcel) -> None:
    if parcel.role_arn:
        require_role(parcel, action="lambda:InvokeFunction")
    else:
        inprocess.on_loop(
            lambda: permissions.require_resource_policy(
                parcel.rule, service="lambda", action="lambda:InvokeFunction", resource=str(parcel.arn)
            )
        )
    json_input(parcel)
    inprocess.invoke_function(str(parcel.arn), parcel.payload)


def _send_to_queue(parcel: Parcel) -> None:
    if parcel.role_arn:
        require_role(parcel, action="sqs:SendMessage")
    else:
        inprocess.on_loop(lambda: _require_queue(parcel.rule, parcel.arn))
    group = (parcel.target.get("SqsParameters") or {}).get("MessageGroupId")
    inprocess.send_message(parcel.arn, parcel.payload, {}, group_id=group)


def _publish(parcel: Parcel) -> None:
    if parcel.role_arn:
        require_role(parcel, action="sns:Publish")
    else:
        inprocess.on_loop(lambda: _require_topic(parcel.rule, parcel.arn))
    inprocess.publish(str(parcel.arn), parcel.payload)


def _start_execution(parcel: Parcel) -> None:
    require_role(parcel, action="states:StartExecution")
    body = {"stateMachineArn": str(parcel.arn), "input": parcel.payload}
    inprocess.call_json("states", "AWSStepFunctions.StartExecution", body)


def _put_kinesis_record(parcel: Parcel) -> None:
    require_role(parcel, action="kinesis:PutRecord")
    if key := inprocess.on_loop(lambda: _key_of_stream(parcel.arn.resource.partition("/")[2])):
        # https://docs.aws.amazon.com/streams/latest/dev/permissions-user-key-KMS.html
        require_role(parcel, action="kms:GenerateDataKey", resource=key)
    path = (parcel.target.get("KinesisParameters") or {}).get("PartitionKeyPath")
    found, key = resolve(path, parcel.event) if path else (True, parcel.event["id"])
    if not found:
        raise DeliveryError(INVALID_PARAMETER, f"The event has nothing at PartitionKeyPath {path}.")
    body = {
        "StreamARN": str(parcel.arn),
        "Data": base64.b64encode(parcel.payload.encode()).decode(),
        "PartitionKey": key if isinstance(key, str) else json.dumps(key),
    }
    inprocess.call_json("kinesis", "Kinesis_20131202.PutRecord", body)


def _key_of_stream(name: str) -> str | None:
    """The ARN of a customer managed key. An AWS managed key needs no permission."""
    stream = kinesis._streams.get(name) or {}  # noqa: SLF001 - see tests/emulator/contract
    key = kms._resolve_key(stream.get("KeyId"))  # noqa: SLF001
    return key["Arn"] if key and key.get("KeyManager") != "AWS" else None


def _put_firehose_record(parcel: Parcel) -> None:
    require_role(parcel, action="firehose:PutRecord")
    name = parcel.arn.resource.partition("/")[2]
    if key := inprocess.on_loop(lambda: _key_of_delivery_stream(name)):
        # https://github.com/ministryofjustice/modernisation-platform/issues/12957
        for action in ("kms:GenerateDataKey", "kms:Decrypt"):
            require_role(parcel, action=action, resource=key)
    body = {
        "DeliveryStreamName": name,
        "Record": {"Data": base64.b64encode(parcel.payload.encode()).decode()},
    }
    inprocess.call_json("firehose", "Firehose_20150804.PutRecord", body)


def _key_of_delivery_stream(name: str) -> str | None:
    """The ARN of a customer managed key."""
    stream = firehose._streams.get(name) or {}  # noqa: SLF001 - see tests/emulator/contract
    key = kms._resolve_key((stream.get("encryption") or {}).get("KeyARN"))  # noqa: SLF001
    return key["Arn"] if key else None


def _put_log_event(parcel: Parcel) -> None:
    group = parcel.arn.resource.removeprefix("log-group:").removesuffix(":*")
    stream = str(uuid4())
    resource = (
        f"arn:{parcel.arn.partition}:logs:{parcel.arn.region}:{parcel.arn.account_id}:log-group:{group}"
    )
    inprocess.on_loop(lambda: _require_log_policy(parcel.rule, group, f"{resource}:log-stream:{stream}"))
    names = {"logGroupName": group, "logStreamName": stream}
    inprocess.call_json("logs", "Logs_20140328.CreateLogStream", names)
    inprocess.call_json("logs", "Logs_20140328.PutLogEvents", {**names, "logEvents": [_log_entry(parcel)]})


def _log_entry(parcel: Parcel) -> dict[str, Any]:
    """The event with its time, or the fields of the target's template, which PutTargets has checked.

    Source: https://github.com/aws/aws-cdk/pull/20748
    """
    if not has_own_input(parcel.target):
        return {"timestamp": int(parcel.record["Time"]) * 1000, "message": parcel.payload}
    given = own_input(parcel)
    moment, message = str(given["timestamp"]), str(given["message"])
    try:
        time = int(moment) if moment.isdecimal() else int(datetime.fromisoformat(moment).timestamp() * 1000)
    except ValueError as error:
        raise DeliveryError(INVALID_PARAMETER, f"The timestamp of {parcel.arn}: {error}") from error
    return {"timestamp": time, "message": message}


def _require_log_policy(rule: Rule, group: str, resource: str) -> None:
    if group not in cloudwatch_logs._log_groups:  # noqa: SLF001 - see tests/emulator/contract
        raise DeliveryError(NO_RESOURCE, f"The log group {group} does not exist.")
    policies = [
        policy["policyDocument"]
        for policy in cloudwatch_logs._resource_policies.values()  # noqa: SLF001
    ]
    # https://github.com/aws-samples/serverless-patterns/pull/618 tells why only one of them names the rule.
    for action, names_rule in (("logs:CreateLogStream", False), ("logs:PutLogEvents", True)):
        permissions.require_policies(rule, policies, action=action, resource=resource, names_rule=names_rule)


def _own_parameters(parcel: Parcel) -> dict[str, list[str]]:
    """Run Command and Automation receive only what the target's input settings take from the event."""
    return {
        name: [*map(str, value)] if isinstance(value, list) else [str(value)]
        for name, value in own_input(parcel, of=" of parameters").items()
    }


def _run_command(parcel: Parcel) -> None:
    require_role(parcel, action="ssm:SendCommand")
    blocks = (parcel.target.get("RunCommandParameters") or {}).get("RunCommandTargets") or []
    if len(blocks) != 1:
        raise DeliveryError(INVALID_PARAMETER, f"{parcel.arn} needs one RunCommandTargets block.")
    body = {
        "DocumentName": parcel.arn.resource.partition("/")[2],
        "Targets": [{"Key": block["Key"], "Values": block["Values"]} for block in blocks],
        "Parameters": _own_parameters(parcel),
    }
    for instance, tags in inprocess.on_loop(lambda: _tagged(automations.addressed_instances(body))):
        arn = f"arn:{parcel.arn.partition}:ec2:{parcel.rule.region}:{parcel.rule.account}:instance/{instance}"
        keys = {f"ssm:resourcetag/{key.lower()}": value for key, value in tags.items()}
        require_role(parcel, action="ssm:SendCommand", resource=arn, keys=keys)
    inprocess.call_json("ssm", "AmazonSSM.SendCommand", body)


def _tagged(instances: list[str]) -> list[tuple[str, dict[str, str]]]:
    return [(instance, automations.tags_of(instance)) for instance in instances]


def _start_automation(parcel: Parcel) -> None:
    name, _, version = parcel.arn.resource.partition("/")[2].partition(":")
    place = {"region": parcel.rule.region, "account": parcel.rule.account}
    for resource in documents.started_resources(name, **place):
        require_role(parcel, action="ssm:StartAutomationExecution", resource=resource)
    parameters = _own_parameters(parcel)
    for role in parameters.get("AutomationAssumeRole", []):
        passed = {"iam:passedtoservice": "ssm.amazonaws.com"}
        require_role(parcel, action="iam:PassRole", resource=role, keys=passed)
    body = {"DocumentName": name, "DocumentVersion": version or "$DEFAULT", "Parameters": parameters}
    inprocess.call_json("ssm", "AmazonSSM.StartAutomationExecution", body)


def _create_ops_item(parcel: Parcel) -> None:
    """Create an OpsItem from the target's input, whose names begin with a small letter.

    Source: https://docs.aws.amazon.com/systems-manager/latest/userguide/OpsCenter-automatically-create-OpsItems-2.html
    """
    require_role(parcel, action="ssm:CreateOpsItem", resource="*")
    try:
        request = ops_items.request_of(parcel.payload)
    except ValueError as error:
        raise DeliveryError(INVALID_PARAMETER, f"The input of {parcel.arn}: {error}") from error
    inprocess.call_json("ssm", "AmazonSSM.CreateOpsItem", request)


def _send_to_event_bus(parcel: Parcel) -> None:
    """Send to a bus. This needs the role and, in another account, the bus's policy as well."""
    crosses = parcel.arn.account_id != parcel.rule.account
    if crosses and parcel.event["account"] != parcel.rule.account:
        raise DeliveryError(
            THIRD_ACCOUNT_HOP_DETECTED,
            f"The event came from account {parcel.event['account']} and cannot go on to {parcel.arn}.",
        )
    if parcel.role_arn:
        require_role(parcel, action="events:PutEvents")
    inprocess.on_loop(lambda: _put_on_bus(parcel, needs_policy=crosses or not parcel.role_arn))


def _put_on_bus(parcel: Parcel, *, needs_policy: bool) -> None:
    bus_name = parcel.arn.resource.partition("/")[2]
    eventbridge._ensure_default_bus()  # noqa: SLF001 - see tests/emulator/contract
    if bus_name not in eventbridge._event_buses:  # noqa: SLF001
        raise DeliveryError(NO_RESOURCE, f"{parcel.arn} does not exist.")
    policy = eventbridge._event_bus_policies.get(bus_name)  # noqa: SLF001
    allowed = permissions.policy_allows(
        policy,
        rule=parcel.rule,
        action="events:PutEvents",
        resource=str(parcel.arn),
        principal=parcel.role_arn or permissions.SERVICE,
        # https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-conditions.html
        keys={"events:source": parcel.event["source"], "events:detail-type": parcel.event["detail-type"]},
    )
    if needs_policy and not allowed:
        raise DeliveryError(
            "NO_PERMISSIONS", f"The policy of {parcel.arn} does not allow {parcel.rule.account}."
        )
    # MiniStack uses the path to stop a rule from sending an event in circles.
    own_key = eventbridge._rule_key(parcel.rule.name, parcel.rule.bus_name)  # noqa: SLF001
    path = [*parcel.record.get("_DispatchPath", []), own_key]
    forwarded = {**parcel.record, "EventBusName": bus_name}
    eventbridge._dispatch_event({**forwarded, "_DispatchPath": path})  # noqa: SLF001
    eventbridge._archive_event(forwarded)  # noqa: SLF001


def _send_to_api_destination(parcel: Parcel) -> None:
    require_role(parcel, action="events:InvokeApiDestination")
    name = parcel.arn.resource.split("/")[1]
    destination, connection = inprocess.on_loop(lambda: _destination_and_connection(name))
    parameters = eventbridge._resolve_http_parameters(  # noqa: SLF001 - see tests/emulator/contract
        parcel.target.get("HttpParameters") or {}, dict(parcel.event)
    )
    request = eventbridge._build_api_destination_request(  # noqa: SLF001
        destination, connection, parameters, parcel.payload
    )
    key = (parcel.arn.account_id, parcel.arn.region, connection["Name"])
    # The URL of the request may hold a secret that the connection adds to its query.
    endpoint = destination["InvocationEndpoint"]
    try:
        headers = eventbridge._connection_auth_headers(connection, key)  # noqa: SLF001
        status = eventbridge._api_destination_send_sync(request, headers)  # noqa: SLF001
    except (OSError, urllib.error.URLError) as error:
        raise DeliveryError(CONNECTION_FAILURE, f"{endpoint}: {error}", retryable=True) from error
    if status in _REFUSALS and connection["AuthorizationType"] != "OAUTH_CLIENT_CREDENTIALS":
        inprocess.on_loop(lambda: _deauthorize(connection["Name"], status))
    if not 200 <= status < 300:  # noqa: PLR2004 - HTTP's range of success
        again = status >= 500 or status in _RETRIED_STATUSES  # noqa: PLR2004
        raise DeliveryError(ERROR_FROM_TARGET, f"{endpoint} answered {status}.", retryable=again)


def _destination_and_connection(name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    destination = eventbridge._api_destinations.get(name)  # noqa: SLF001
    if not destination:
        raise DeliveryError(NO_RESOURCE, f"The API destination {name} does not exist.")
    connection_name = destination["ConnectionArn"].split("/")[1]
    connection = eventbridge._connections.get(connection_name)  # noqa: SLF001
    if not connection or connection.get("ConnectionState") != "AUTHORIZED":
        refused = bool(connection and connection.get("StateReason"))
        raise DeliveryError(
            ERROR_FROM_TARGET if refused else NO_RESOURCE,
            f"The connection {connection_name} of {name} is not authorized.",
            retryable=refused,
        )
    return copy.deepcopy(destination), copy.deepcopy(connection)


def _deauthorize(name: str, status: int) -> None:
    """Send no more until the connection is updated, as after a credential that was refused.

    AWS doesn't say what it answers to events in the meantime. That it retries a refused one is documented.

    Sources:
        https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-target-connection-deauthorize.html
        https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-api-destinations.html
    """
    if connection := eventbridge._connections.get(name):  # noqa: SLF001
        connection["ConnectionState"] = "DEAUTHORIZED"
        connection["StateReason"] = f"The endpoint answered {status}."


_SENDERS: dict[str, Callable[[Parcel], None]] = {
    "lambda": _invoke_function,
    "sqs": _send_to_queue,
    "sns": _publish,
    "states": _start_execution,
    "kinesis": _put_kinesis_record,
    "firehose": _put_firehose_record,
    "logs": _put_log_event,
    "ecs": run_task,
    "batch": submit_job,
    "codebuild": start_build,
    "codepipeline": start_pipeline,
    "execute-api": call_rest_api,
    "appsync": run_mutation,
    "redshift": execute_statements,
}
_SUPPORTED: Final = (
    "Lambda, SQS, SNS, Step Functions, Kinesis, Firehose, CloudWatch Logs, ECS, Batch, CodeBuild, "
    "CodePipeline, an API Gateway REST API, an AppSync API, a Redshift cluster, Systems Manager Run Command, "
    "Automation, and OpsItems, an event bus, or an API destination"
)
