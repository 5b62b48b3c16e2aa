"""Every third-party target with what its vendor expects: shared by the tests here and on the embedded AWS."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aws_cdk import aws_events as events
from cfnlint.jsonschema import StandardValidator

from securityhub_actions import targets
from securityhub_actions.targets import ApiDestination

SCHEMAS = json.loads((Path(__file__).parent / "vendor_schemas.json").read_text())
FEED = "/v1alpha/projects/1/locations/eu/instances/2/feeds/3:importPushLogs"
COLLECTION_RULE = "dcr-0123456789abcdef0123456789abcdef"
TEAMS_HOST = "0a1b2c3d4e5f.12.environment.api.powerplatform.com:443"
TEAMS_PATH = "/powerautomate/automations/direct/workflows/0a1b/triggers/manual/paths/invoke"
"""Source: https://github.com/swisscom/backman/issues/102"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Vendor:
    """A third-party target and the request that its vendor documents.

    Attributes:
        make: creates the target below a scope, with its secret.
        secret: the secret's JSON object; each value is a marker that must not show in a template.
        host: the host of the request.
        path: its path and query.
        headers: headers that it must have.
        of_all_findings: whether the body holds the whole event.
        other_hosts: hosts of other requests, such as the one for a token.
    """

    name: str
    make: Callable[[Any, Any], ApiDestination]
    secret: Mapping[str, str]
    host: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    of_all_findings: bool = False
    other_hosts: tuple[str, ...] = ()

    def problems(self, body: Any) -> list[str]:
        """What the vendor's documented schema has against a body."""
        return [error.message for error in StandardValidator(SCHEMAS[self.name]).iter_errors(body)]

    def with_secrets(self, body: Any) -> Any:
        """A body as it is sent: the connection adds secret members to it."""
        added = {key: value for key, value in self.secret.items() if key == "routing_key"}
        return {**body, **added} if added else body


def _webhook(scope: Any, secret: Any) -> ApiDestination:
    return targets.Webhook(
        scope,
        "Webhook",
        endpoint="https://hooks.example.com/findings",
        authorization=events.Authorization.api_key("X-Api-Key", secret.secret_value_from_json("key")),
    )


VENDORS = [
    Vendor(
        name="slack",
        make=lambda scope, secret: targets.Slack(scope, "Slack", channel="C024BE91L", secret=secret),
        secret={"bot_token": "xoxb-secret-1"},
        host="slack.com",
        path="/api/chat.postMessage",
        headers={"Authorization": "Bearer xoxb-secret-1"},
    ),
    Vendor(
        name="microsoft_teams",
        make=lambda scope, secret: targets.MicrosoftTeams(
            scope,
            "Teams",
            workflow_url=f"https://{TEAMS_HOST}{TEAMS_PATH}"
            "?api-version=1&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0",
            secret=secret,
        ),
        secret={"sig": "secret/2+x="},
        host=TEAMS_HOST,
        path=f"{TEAMS_PATH}?api-version=1&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig=secret%2F2%2Bx%3D",
    ),
    Vendor(
        name="pager_duty",
        make=lambda scope, secret: targets.PagerDuty(
            scope, "PagerDuty", secret=secret, severity=targets.PagerDutySeverity.CRITICAL
        ),
        secret={"routing_key": "secret3secret3secret3secret3key3"},
        host="events.pagerduty.com",
        path="/v2/enqueue",
    ),
    Vendor(
        name="jira_cloud",
        make=lambda scope, secret: targets.JiraCloud(
            scope, "Jira", base_url="https://example.atlassian.net/", project_key="SEC", secret=secret
        ),
        secret={"email": "secret4@example.com", "api_token": "secret5"},
        host="example.atlassian.net",
        path="/rest/api/3/issue",
        headers={
            "Authorization": "Basic c2VjcmV0NEBleGFtcGxlLmNvbTpzZWNyZXQ1",
            "Accept": "application/json",
        },
    ),
    Vendor(
        name="service_now",
        make=lambda scope, secret: targets.ServiceNow(
            scope,
            "ServiceNow",
            base_url="https://example.service-now.com",
            secret=secret,
            urgency=targets.ServiceNowLevel.HIGH,
            impact=targets.ServiceNowLevel.MEDIUM,
        ),
        secret={"username": "secret6", "password": "secret7"},
        host="example.service-now.com",
        path="/api/now/table/incident",
        headers={"Authorization": "Basic c2VjcmV0NjpzZWNyZXQ3", "Accept": "application/json"},
    ),
    Vendor(
        name="splunk_hec",
        make=lambda scope, secret: targets.SplunkHec(
            scope,
            "Splunk",
            base_url="https://http-inputs-example.splunkcloud.com",
            secret=secret,
            index="aws",
        ),
        secret={"hec_token": "secret8"},
        host="http-inputs-example.splunkcloud.com",
        path="/services/collector/event",
        headers={"Authorization": "Splunk secret8"},
        of_all_findings=True,
    ),
    Vendor(
        name="datadog",
        make=lambda scope, secret: targets.Datadog(
            scope, "Datadog", secret=secret, site="datadoghq.eu", tags=["env:prod", "team:security"]
        ),
        secret={"api_key": "secret10"},
        host="http-intake.logs.datadoghq.eu",
        path="/api/v2/logs",
        headers={"DD-API-KEY": "secret10"},
    ),
    Vendor(
        name="elastic",
        make=lambda scope, secret: targets.Elastic(
            scope, "Elastic", base_url="https://example.es.eu-west-1.aws.elastic.cloud", secret=secret
        ),
        secret={"api_key": "secret11"},
        host="example.es.eu-west-1.aws.elastic.cloud",
        path="/logs-aws.securityhub-default/_doc",
        headers={"Authorization": "ApiKey secret11"},
        of_all_findings=True,
    ),
    Vendor(
        name="google_sec_ops",
        make=lambda scope, secret: targets.GoogleSecOps(
            scope, "SecOps", endpoint=f"https://eu-chronicle.googleapis.com{FEED}", secret=secret
        ),
        secret={"api_key": "secret12", "feed_secret": "secret13"},
        host="eu-chronicle.googleapis.com",
        path=FEED,
        headers={"X-goog-api-key": "secret12", "X-Webhook-Access-Key": "secret13"},
        of_all_findings=True,
    ),
    Vendor(
        name="microsoft_sentinel",
        make=lambda scope, secret: targets.MicrosoftSentinel(
            scope,
            "Sentinel",
            ingestion_url="https://example-a1b2.westeurope-1.ingest.monitor.azure.com",
            rule_id=COLLECTION_RULE,
            stream="Custom-SecurityHub_CL",
            tenant_id="example.onmicrosoft.com",
            secret=secret,
        ),
        secret={"client_id": "secret14", "client_secret": "secret15"},
        host="example-a1b2.westeurope-1.ingest.monitor.azure.com",
        path=f"/dataCollectionRules/{COLLECTION_RULE}/streams/Custom-SecurityHub_CL?api-version=2023-01-01",
        headers={"Authorization": "Bearer token-of-secret14"},
        of_all_findings=True,
        other_hosts=("login.microsoftonline.com",),
    ),
    Vendor(
        name="webhook",
        make=_webhook,
        secret={"key": "secret9"},
        host="hooks.example.com",
        path="/findings",
        headers={"X-Api-Key": "secret9"},
        of_all_findings=True,
    ),
]
