from __future__ import annotations

import base64
import io
import json
from dataclasses import replace

import pytest

from tests.tracker_webhooks import jira_body, signed

NOW = 1_780_000_000.0
SECRET = "a secret of many characters"  # noqa: S105 - of these tests
ENVIRONMENT = {
    "IDEMPOTENCY_TABLE": "done",
    "TICKET_CHANGES_QUEUE": "https://sqs.eu-west-1.amazonaws.com/111122223333/changes",
    "WEBHOOK_SECRETS": "jira=securityhub-actions/jira-webhook",
}


@pytest.fixture
def handler(cold_start, monkeypatch, memory_store):
    handler = cold_start("functions.tracker_webhook.handler", **ENVIRONMENT)
    handler.sent = []
    services = replace(
        handler.services,
        get_secret={"securityhub-actions/jira-webhook": {"secret": SECRET}}.__getitem__,
        memory=memory_store,
        send=lambda *ticket: handler.sent.append(ticket),
        now=lambda: NOW,
    )
    monkeypatch.setattr(handler, "services", services)
    return handler


def request_of(body, *, path="/jira", encode=False, **headers):
    """A request as an HTTP API passes it on."""
    return {
        "version": "2.0",
        "routeKey": "POST /jira",
        "rawPath": path,
        "headers": {"content-type": "application/json", **headers},
        "body": base64.b64encode(body).decode() if encode else body.decode(),
        "isBase64Encoded": encode,
    }


@pytest.mark.parametrize("encode", [True, False])
@pytest.mark.parametrize("path", ["/jira", "/stage/jira"])
def test_a_genuine_request_is_answered_and_its_ticket_queued(handler, lambda_context, encode, path):
    body = jira_body("SEC-12", now=NOW)
    request = request_of(body, path=path, encode=encode, **signed("jira", body, SECRET, now=NOW))
    answer = handler.handle(request, lambda_context)
    assert (answer["statusCode"], answer["body"]) == (200, "queued")
    assert handler.sent == [("Jira", "SEC-12")]


@pytest.mark.parametrize(("path", "status"), [("/jira", 401), ("/slack", 404), ("/", 404)])
def test_a_strangers_request_is_refused_and_the_log_shows_neither_body_nor_headers(
    handler, lambda_context, monkeypatch, path, status
):
    stream = io.StringIO()
    monkeypatch.setattr(handler.logger.registered_handler, "stream", stream)
    request = request_of(jira_body("SEC-12", now=NOW), path=path, **{"x-hub-signature": "sha256=forged"})
    assert handler.handle(request, lambda_context)["statusCode"] == status
    (line,) = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert (line["level"], line["status"]) == ("WARNING", status)
    assert "forged" not in stream.getvalue()
    assert "SEC-12" not in stream.getvalue()


@pytest.mark.parametrize(
    "request_", [{}, {"rawPath": "/jira", "body": None}, {"rawPath": "/jira", "headers": None}]
)
def test_an_empty_request_is_refused(handler, lambda_context, request_):
    assert handler.handle(request_, lambda_context)["statusCode"] in (401, 404)


@pytest.mark.parametrize("secrets", ["", "jira", "jira=", "trello=name"])
def test_a_wrong_list_of_secrets_shows_at_cold_start(cold_start, secrets):
    with pytest.raises(ValueError, match="WEBHOOK_SECRETS must be a list such as jira=NAME"):
        cold_start("functions.tracker_webhook.handler", **{**ENVIRONMENT, "WEBHOOK_SECRETS": secrets})
