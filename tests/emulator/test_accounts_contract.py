"""What the emulator's plug-ins for accounts and their resources rely on in MiniStack, for upgrades of it."""

from __future__ import annotations

import importlib
import inspect

import pytest

PARAMETERS = {
    "app._handle_s3_control_request": "path method body query_params request_id headers",
    "core.iam_evaluator._gather_role_policies": "role_name account_id",
    "core.iam_evaluator._permissions_boundary": "store name account_id",
    "core.iam_evaluator.evaluate": "ctx policies limits",
    "core.iam_evaluator.evaluate_trust_policy": "trust_doc caller_arn ctx",
    "core.lambda_runtime.execution_credentials": "config",
    "core.responses.error_response_json": "code message status extra message_key content_type",
    "core.responses.get_account_id": "",
    "core.responses.get_region": "",
    "core.responses.new_uuid": "",
    "core.responses.request_scope": "account_id region",
    "services.ec2._guess_resource_type": "resource_id",
    "services.ec2._xml": "status root_tag inner",
    "services.ec2.reset": "",
    "services.lambda_svc.execution_credentials": "config",
    "services.organizations._ensure_org": "",
    "services.organizations._json": "status body",
    "services.sts._caller_identity": "headers query_params",
    "services.sts.handle_request": "method path headers body query_params",
    "services.sts.register_session": "access_key session",
}


def found(name):
    module, _, attribute = name.rpartition(".")
    return getattr(importlib.import_module(f"ministack.{module}"), attribute, None)


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_function_of_ministack_takes_the_same_parameters(name):
    function = found(name)
    assert callable(function), f"ministack.{name} is gone"
    assert " ".join(inspect.signature(function).parameters) == PARAMETERS[name]


def test_the_tables_that_are_added_to_are_there():
    assert "DescribeInstances" in found("services.ec2._ACTION_MAP")
    assert "ListParents" in found("services.organizations._DISPATCH")
    assert "s3" in found("services.tagging._COLLECTORS")
    assert "sts" in found("app.SERVICE_HANDLERS")


def test_the_internal_callers_look_the_replaced_functions_up_by_name():
    app = inspect.getsource(importlib.import_module("ministack.app"))
    functions = inspect.getsource(importlib.import_module("ministack.services.lambda_svc"))
    runtime = inspect.getsource(importlib.import_module("ministack.core.lambda_runtime"))
    assert "await _handle_s3_control_request(path, method" in app
    assert "update(execution_credentials(config))" in functions
    assert "update(execution_credentials(self.config))" in runtime
