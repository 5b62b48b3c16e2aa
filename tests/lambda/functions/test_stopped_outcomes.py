"""What a function leaves alone because changes are stopped is counted and reported, by each function."""

from __future__ import annotations

import importlib
import json

import pytest

from securityhub.findings.stopping import ChangesStoppedError

# The folder's name is a keyword, so no statement can import from it.
ENVIRONMENTS = {
    "update_findings": {"WORKFLOW_STATUS": "NOTIFIED", "IDEMPOTENCY_TABLE": "done"},
    **{
        name: importlib.import_module(f"tests.lambda.functions.{name}.test_handler").ENVIRONMENT
        for name in ("remediate", "tickets")
    },
}
OPERATIONS = {"update_findings": "update_finding", "remediate": "remediate", "tickets": "open_ticket"}


class Bus:
    """The bus, on which everything is put."""

    def __init__(self):
        self.details = []

    def put(self, details, **_):
        self.details += details


@pytest.fixture
def bus():
    return Bus()


@pytest.fixture(params=ENVIRONMENTS)
def handler(request, bus, cold_start, stop, monkeypatch):
    """The handler of a function, which may change nothing."""
    on = {"OUTCOME_BUS": "Outcomes", "OUTCOME_METRICS": "on"}
    handler = cold_start(f"functions.{request.param}.handler", **ENVIRONMENTS[request.param], **on)
    monkeypatch.setattr(handler.outcomes, "_bus", bus)
    stop(handler, "stopped")
    return handler


def test_it_is_counted_and_reported(handler, bus, load_event, lambda_context, capsys):
    with pytest.raises(ChangesStoppedError):
        handler.handle(load_event("custom_action_20_findings"), lambda_context)

    operation = OPERATIONS[handler.__name__.split(".")[1]]
    assert [(one["operation"], one["outcome"]) for one in bus.details] == [(operation, "stopped")] * 20
    metrics = [json.loads(line) for line in capsys.readouterr().out.splitlines() if '"_aws"' in line]
    for name in ("FindingsReceived", "OutcomesStopped"):
        assert sum(sum(one.get(name, [])) for one in metrics) == 20
