"""Token rotation as deployed: Secrets Manager rotates the secret, and tickets are opened all the time."""

from __future__ import annotations

import json

import pytest
from aws_cdk import App, Environment

from emulator.server import DEFAULT_ACCOUNT, DEFAULT_REGION
from stacks.settings import TicketingSettings
from stacks.slack_tokens import SlackTokensStack
from stacks.ticketing import TicketingStack
from tests.e2e.findings import control_finding, import_findings
from tests.e2e.observed import press
from tests.e2e.stacks import deployed, physical_id
from tests.e2e.trackers import connect
from tests.shipped_settings import load_shipped_settings
from tests.vendor_servers.slack_tokens import SECONDS, SlackTokens

STACK, TICKETING = "SlackTokens", "SlackTokensTicketing"
SECRET = "securityhub-actions/rotated-slack"  # noqa: S105 - its name


@pytest.fixture(scope="module")
def app(aws, vendors, feature_flags, tmp_path_factory):
    vendors.slack.tokens = SlackTokens()
    secrets = aws.client("secretsmanager")
    secrets.create_secret(Name=SECRET, SecretString=json.dumps(vendors.slack.tokens.issue()))
    values = load_shipped_settings().ticketing.model_dump()
    values |= {"enabled": True}
    values["automatic"] = {"enabled": False, "filter": {"severity": "CRITICAL"}}
    values["slack"] |= {"enabled": True, "secret_name": SECRET, "token_rotation": True}
    folder = tmp_path_factory.mktemp("slack-tokens")
    cdk = App(context=feature_flags, analytics_reporting=False, outdir=str(folder))
    environment = Environment(account=DEFAULT_ACCOUNT, region=DEFAULT_REGION)
    ticketing = TicketingStack(
        cdk, TICKETING, settings=TicketingSettings.model_validate(values), env=environment
    )
    connect(aws, ticketing, vendors, {"slack": SECRET})
    SlackTokensStack(cdk, STACK, secrets={SECRET: f"{vendors.slack.url}/api/"}, env=environment)
    with deployed(aws, cdk, STACK, TICKETING):
        yield aws


@pytest.mark.long
def test_tickets_are_opened_although_every_token_expires(app, vendors):
    secrets, tokens = app.client("secretsmanager"), vendors.slack.tokens

    def stored():
        return json.loads(secrets.get_secret_value(SecretId=SECRET)["SecretString"])

    # The deployment itself rotates the secret for the first time.
    first = app.wait_until(lambda: stored() if "expires_at" in stored() else None, what="the first rotation")
    findings = [control_finding("S3.8", f"rotated-{number}") for number in range(2)]
    import_findings(app, findings)
    assert press(app, "OpenTicket", findings[:1]).function_error is None

    # Before the token expires, the schedule rotates the secret. The function still has the old token.
    secrets.rotate_secret(SecretId=SECRET)
    app.wait_until(lambda: stored()["bot_token"] != first["bot_token"], what="the next rotation")
    tokens.access[first["bot_token"]] = tokens.now
    assert press(app, "OpenTicket", findings[1:]).function_error is None
    assert len(vendors.slack.messages) == 2

    # Somebody else has used the refresh token: the last token stays current, and is valid for hours.
    tokens.exchange({**stored(), "grant_type": "refresh_token"})
    tokens.now += tokens.grace + 1
    before = stored()
    secrets.rotate_secret(SecretId=SECRET)
    logs = app.client("logs")
    group = physical_id(app, STACK, "AWS::Logs::LogGroup", "FunctionLogs")
    app.wait_until(
        lambda: [
            one
            for one in logs.filter_log_events(logGroupName=group)["events"]
            if "invalid_refresh_token" in one["message"]
        ],
        what="the refusal in the log",
    )
    assert stored() == before

    # A person stores new tokens, and the rotation goes on from there.
    repaired = tokens.issue()
    secrets.put_secret_value(SecretId=SECRET, SecretString=json.dumps(repaired))
    with pytest.raises(secrets.exceptions.InvalidRequestException, match="will be reattempted"):
        secrets.rotate_secret(SecretId=SECRET)
    app.wait_until(lambda: stored()["bot_token"] != repaired["bot_token"], what="the repeated rotation")
    assert tokens.refusal_of(stored()["bot_token"]) is None
    assert stored()["bot_token"] in tokens.access
    assert tokens.access[stored()["bot_token"]] == tokens.now + SECONDS
