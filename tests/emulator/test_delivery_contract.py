"""What emulator.delivery relies on in MiniStack: an upgrade that breaks it fails here and says where."""

from __future__ import annotations

import importlib
import importlib.metadata
import inspect

import pytest

PARAMETERS = {
    "app.call_service_handler_sync": "handler method path headers body query_params timeout",
    "core.arn.parse_arn": "value",
    "core.hypercorn_compat.install": "",
    "core.iam_evaluator.evaluate": "ctx policies limits",
    "core.iam_evaluator.evaluate_resource_policy": "doc ctx service named_only direct_only",
    "core.iam_evaluator._gather_role_policies": "role_name account_id",
    "core.iam_evaluator._permissions_boundary": "store name account_id",
    "core.iam_evaluator._resource_policy": "service resource_arn",
    "core.iam_evaluator.validate_policy_document": "doc",
    "core.responses.set_request_account_id": "access_key_id",
    "core.responses.set_request_region": "region",
    "services.eventbridge._archive_event": "event view",
    "services.eventbridge._api_destination_send_sync": "request auth_headers",
    "services.eventbridge._build_api_destination_request": "dest conn target_http_params payload",
    "services.eventbridge._connection_auth_headers": "conn token_key force_refresh",
    "services.eventbridge._dispatch_event": "event view",
    "services.eventbridge._ensure_default_bus": "",
    "services.eventbridge._events_log_list": "",
    "services.eventbridge._invoke_target": "target event rule view",
    "services.eventbridge._pattern_event_view": "event",
    "services.eventbridge._put_permission": "data",
    "services.eventbridge._resolve_http_parameters": "parameters event",
    "services.eventbridge._rule_key": "rule_name bus_name",
    "services.eventbridge.reset": "",
    "services.kms._resolve_key": "key_id_or_arn",
    "services.lambda_svc._execute_function": "func event",
    "services.lambda_svc.invoke_async_with_retry": "func event",
    "services.rds._resolve_instance": "db_id",
    "services.sns._topic_by_arn_any_scope": "topic_arn",
    "services.sqs._queue_by_arn": "arn",
    "services.ssm._command_target_ids": "data",
    "services.ssm._managed_instance_ids": "",
}
STORES = [
    "app.SERVICE_HANDLERS",
    "services.cloudwatch_logs._log_groups",
    "services.cloudwatch_logs._resource_policies",
    "services.documentdb._ACTION_MAP",
    "services.documentdb._clusters",
    "services.ec2._instances",
    "services.ec2._tags",
    "services.eventbridge._api_destinations",
    "services.eventbridge._connections",
    "services.eventbridge._event_bus_policies",
    "services.eventbridge._event_buses",
    "services.iam._roles",
    "services.kinesis._streams",
    "services.rds._ACTION_MAP",
    "services.rds._clusters",
    "services.ssm._SHELL_DOCUMENTS",
]
CONTEXT_FIELDS = {
    "principal_arn",
    "principal_type",
    "principal_account",
    "action",
    "resource_arn",
    "region",
    "source_ip",
    "secure_transport",
    "service_context",
}


def found(name):
    module, _, attribute = name.rpartition(".")
    return getattr(importlib.import_module(f"ministack.{module}"), attribute, None)


def test_ministack_is_the_version_that_this_was_written_for():
    assert importlib.metadata.version("ministack") == "1.5.33"


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_function_of_ministack_takes_the_same_parameters(name):
    function = found(name)
    assert callable(function), f"ministack.{name} is gone"
    assert " ".join(inspect.signature(function).parameters) == PARAMETERS[name]


@pytest.mark.parametrize("name", STORES)
def test_a_store_of_ministack_is_there(name):
    assert found(name) is not None, f"ministack.{name} is gone"


def test_the_policy_evaluation_takes_the_same_context():
    parameters = inspect.signature(found("core.iam_evaluator.EvalContext")).parameters
    assert parameters.keys() >= CONTEXT_FIELDS


def test_the_internal_callers_look_the_replaced_functions_up_by_name():
    eventbridge = inspect.getsource(importlib.import_module("ministack.services.eventbridge"))
    functions = inspect.getsource(importlib.import_module("ministack.services.lambda_svc"))
    assert "_dispatch_event(event_record, view)" in eventbridge
    assert "_invoke_target(target, event, rule, view)" in eventbridge
    assert "        invoke_async_with_retry(exec_record, event)" in functions
