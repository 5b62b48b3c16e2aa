"""A function of another stack than the digest topic's, pressed on results of an insight."""

from __future__ import annotations

import json

import pytest
from aws_cdk import App, Environment

from emulator.server import DEFAULT_ACCOUNT
from stacks.analyst_actions import AnalystActionsStack
from stacks.settings import InsightResultsSettings, TicketingSettings
from stacks.ticketing import TicketingStack
from tests.e2e.observed import answer_to
from tests.e2e.stacks import delete_stack, deploy_synthesized, stack_of
from tests.e2e.test_tickets import HOME, finding_of, issues, links
from tests.e2e.trackers import connect
from tests.shipped_settings import load_shipped_settings

ANALYSTS, TICKETING = "AnalystsOfInsights", "TicketingOfInsights"
SECRET = "securityhub-actions/jira-of-insights"  # noqa: S105 - a secret's name


@pytest.fixture(scope="module")
def app(aws, vendors, feature_flags, tmp_path_factory):
    ticketing = load_shipped_settings().ticketing.model_dump()
    ticketing["jira"] |= {"enabled": True, "secret_name": SECRET}
    ticketing["automatic"] |= {"enabled": False, "filter": {"severity": ["CRITICAL"]}}
    folder = tmp_path_factory.mktemp("insights")
    cdk = App(context=feature_flags, analytics_reporting=False, outdir=str(folder))
    environment = Environment(account=DEFAULT_ACCOUNT, region=HOME)
    analysts = AnalystActionsStack(cdk, ANALYSTS, env=environment)
    stack = TicketingStack(
        cdk,
        TICKETING,
        settings=TicketingSettings.model_validate(ticketing),
        insight_results=InsightResultsSettings(maximum_findings=3, remediate="dry-run"),
        notices=analysts.digest_topic,
        env=environment,
    )
    connect(aws, stack, vendors, {"jira": SECRET})
    cdk.synth()
    for name in (ANALYSTS, TICKETING):
        deploy_synthesized(aws, folder, name, region=HOME)
    yield aws
    for name in (TICKETING, ANALYSTS):
        delete_stack(aws, name, region=HOME)


@pytest.fixture(scope="module")
def findings(app):
    """Findings by generator: two of the first, two of the second, and one of another."""
    found = {
        generator: [finding_of(f"{generator}-{number}", GeneratorId=generator) for number in range(count)]
        for generator, count in (("insights-a", 2), ("insights-b", 2), ("insights-c", 1))
    }
    app.client("securityhub").batch_import_findings(Findings=[one for some in found.values() for one in some])
    return found


@pytest.fixture(scope="module")
def press(app, findings):
    """A function that presses *Open ticket* on results of an insight; it returns the event and the answer."""
    assert findings
    insight = app.client("securityhub").create_insight(
        Name="By generator",
        Filters={"GeneratorId": [{"Value": "insights-", "Comparison": "PREFIX"}]},
        GroupByAttribute="GeneratorId",
    )["InsightArn"]

    def press_on(*generators):
        action = f"arn:aws:securityhub:{HOME}:{DEFAULT_ACCOUNT}:action/custom/OpenTicket"
        (event,) = app.press(action, insight_arn=insight, result_values=list(generators))
        return event, answer_to(app, event)

    return press_on


def test_what_cannot_be_determined_is_said_on_the_topic_of_the_other_stack(app, press):
    outputs = {
        one["OutputKey"]: one["OutputValue"] for one in stack_of(app, ANALYSTS, region=HOME)["Outputs"]
    }
    sqs = app.client("sqs")
    url = sqs.create_queue(QueueName="insight-notices")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    app.client("sns").subscribe(TopicArn=outputs["DigestTopicArn"], Protocol="sqs", Endpoint=arn)
    app.inject_fault(operation="GetInsights", error="AccessDeniedException")
    event, answer = press("insights-c")
    assert answer.function_error is None
    assert "so no ticket was opened" in answer.payload["skipped"]
    (message,) = app.wait_until(
        lambda: sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1).get("Messages"), what="a notice"
    )
    notice = json.loads(message["Body"])
    assert notice["Subject"] == "Security Hub: nothing done for insight By generator"
    assert "Allow securityhub:GetInsights" in notice["Message"]
    assert event["id"] in notice["Message"]


def test_the_findings_of_two_results_get_tickets_as_far_as_the_limit_allows(app, press, findings, vendors):
    _, answer = press("insights-a", "insights-b")
    assert answer.function_error is None
    assert (answer.payload["insight"]["findings"], answer.payload["insight"]["isCut"]) == (3, True)
    selected = [*findings["insights-a"], *findings["insights-b"]]
    assert sorted(len(issues(vendors, finding)) for finding in selected) == [0, 1, 1, 1]
    assert issues(vendors, findings["insights-c"][0]) == []
    assert sum(bool(links(app, finding)) for finding in selected) == 3
