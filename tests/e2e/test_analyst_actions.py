"""The app as `cdk deploy` deploys it: analysts press its actions, and findings and topics show the effect."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.e2e.observed import answer_to, dead_letter_queue
from tests.e2e.stacks import delete_stack, physical_id
from tests.shipped_settings import SHIPPED_SETTINGS_FILE
from tools.deploy import deploy

STACK = "SecurityHubAnalystActions"
REGION = "eu-west-1"
EVENTS = Path(__file__).resolve().parents[1] / "events"


@pytest.fixture(scope="module")
def app(aws):
    deploy(aws, STACK, settings=SHIPPED_SETTINGS_FILE, region=REGION)
    yield aws
    delete_stack(aws, STACK, region=REGION)


@pytest.fixture(scope="module")
def digests(app):
    """A function that receives the messages of the digest topic, as a subscriber does."""
    (stack,) = app.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"]
    (topic,) = [o["OutputValue"] for o in stack["Outputs"] if o["OutputKey"] == "DigestTopicArn"]
    sqs = app.client("sqs")
    url = sqs.create_queue(QueueName="digest-subscriber")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    app.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)

    def receive():
        (message,) = app.wait_until(
            lambda: sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1).get("Messages"), what="a digest"
        )
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return json.loads(message["Body"])

    return receive


@pytest.fixture
def dead_letters(app):
    """A function that receives what waits in the app's dead-letter queue."""
    url = dead_letter_queue(app, STACK)
    sqs = app.client("sqs")

    def receive():
        (message,) = app.wait_until(
            lambda: sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1).get("Messages"), what="a dead letter"
        )
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return json.loads(message["Body"])

    return receive


def findings_of(name, prefix):
    """The findings of a sample event, under ids of their own so that tests do not meet."""
    findings = json.loads((EVENTS / name).read_text())["detail"]["findings"]
    return [{**finding, "Id": f"{finding['Id']}-{prefix}"} for finding in findings]


def press(aws, action_id, **selection):
    (event,) = aws.press(f"arn:aws:securityhub:{REGION}:111122223333:action/custom/{action_id}", **selection)
    return event


def workflow_of(aws, findings):
    found = aws.client("securityhub").get_findings(
        Filters={"Id": [{"Value": f["Id"], "Comparison": "EQUALS"} for f in findings]}, MaxResults=100
    )["Findings"]
    return {f["Id"]: (f["Workflow"]["Status"], f.get("Note", {}).get("Text", "")) for f in found}


@pytest.mark.parametrize(
    ("action_id", "status"), [("MarkAsNotified", "NOTIFIED"), ("SuppressWithNote", "SUPPRESSED")]
)
@pytest.mark.parametrize(
    ("sample", "count"), [("custom_action_1_finding.json", 1), ("custom_action_20_findings.json", 20)]
)
def test_pressing_an_action_sets_status_and_note_of_every_selected_finding(
    app, action_id, status, sample, count
):
    findings = findings_of(sample, f"{action_id}-{count}")
    app.client("securityhub").batch_import_findings(Findings=findings)
    event = press(app, action_id, findings=findings)
    assert answer_to(app, event).function_error is None
    after = workflow_of(app, findings)
    assert len(after) == count
    assert all(state == status and event["id"] in note for state, note in after.values())


def test_findings_that_were_not_selected_stay_as_they_were(app):
    selected, other = findings_of("custom_action_20_findings.json", "selected")[:2]
    app.client("securityhub").batch_import_findings(Findings=[selected, other])
    answer_to(app, press(app, "SuppressWithNote", findings=[selected]))
    assert workflow_of(app, [other]) == {other["Id"]: ("NEW", "")}


def test_pressing_the_digest_on_an_insight_with_100_results_sends_one_message_that_counts_them(app, digests):
    hub = app.client("securityhub")
    (template,) = findings_of("custom_action_1_finding.json", "digest")
    findings = [
        {**template, "Id": f"{template['Id']}-{number}", "GeneratorId": f"generator-{number:03}"}
        for number in range(100)
    ]
    hub.batch_import_findings(Findings=findings)
    insight = hub.create_insight(
        Name="Findings by generator",
        Filters={"GeneratorId": [{"Value": "generator-", "Comparison": "PREFIX"}]},
        GroupByAttribute="GeneratorId",
    )["InsightArn"]
    event = press(app, "InsightDigest", insight_arn=insight)
    assert len(event["detail"]["insightResults"]) == 100
    assert answer_to(app, event).function_error is None
    message = digests()
    assert "Findings by generator (100 results)" in message["Subject"]
    assert "100" in message["Message"]
    assert "generator-000" in message["Message"]


def test_pressing_the_digest_on_findings_sends_their_titles(app, digests):
    findings = findings_of("custom_action_20_findings.json", "titles")
    app.client("securityhub").batch_import_findings(Findings=findings)
    answer_to(app, press(app, "InsightDigest", findings=findings))
    assert findings[0]["Title"] in digests()["Message"]


@pytest.fixture(scope="module")
def by_generator(app):
    """An insight, and its findings by generator: three generators with four each."""
    hub = app.client("securityhub")
    (template,) = findings_of("custom_action_1_finding.json", "insight")
    findings = {
        generator: [
            {
                **template,
                "Id": f"{template['Id']}-{generator}-{number}",
                "GeneratorId": f"insight-{generator}",
            }
            for number in range(4)
        ]
        for generator in "abc"
    }
    hub.batch_import_findings(Findings=[one for some in findings.values() for one in some])
    insight = hub.create_insight(
        Name="New findings by generator",
        Filters={
            "GeneratorId": [{"Value": "insight-", "Comparison": "PREFIX"}],
            "WorkflowStatus": [{"Value": "NEW", "Comparison": "EQUALS"}],
        },
        GroupByAttribute="GeneratorId",
    )["InsightArn"]
    return insight, findings


def test_pressing_an_action_on_two_results_of_an_insight_changes_exactly_their_findings(app, by_generator):
    insight, findings = by_generator
    handled = findings["a"][0]
    app.client("securityhub").batch_update_findings(
        FindingIdentifiers=[{"Id": handled["Id"], "ProductArn": handled["ProductArn"]}],
        Workflow={"Status": "NOTIFIED"},
    )
    event = press(app, "SuppressWithNote", insight_arn=insight, result_values=["insight-a", "insight-b"])
    answer = answer_to(app, event)
    assert answer.function_error is None
    selected = [one for one in (*findings["a"], *findings["b"]) if one != handled]
    assert answer.payload["insight"]["findings"] == len(selected) == 7
    after = workflow_of(app, selected)
    assert len(after) == 7
    assert all(state == "SUPPRESSED" and event["id"] in note for state, note in after.values())
    assert all("2 results of the insight" in note for _, note in after.values())
    assert set(workflow_of(app, findings["c"]).values()) == {("NEW", "")}
    assert workflow_of(app, [handled])[handled["Id"]][0] == "NOTIFIED"


def test_a_limit_that_cuts_is_told_in_the_answer_and_the_notes(app, by_generator):
    insight, findings = by_generator
    function = physical_id(app, STACK, "AWS::Lambda::Function", "MarkAsNotifiedFunction")
    functions = app.client("lambda")
    before = functions.get_function_configuration(FunctionName=function)["Environment"]
    limited = {"Variables": before["Variables"] | {"INSIGHT_MAX_FINDINGS": "3"}}
    functions.update_function_configuration(FunctionName=function, Environment=limited)
    try:
        event = press(app, "MarkAsNotified", insight_arn=insight, result_values=["insight-c"])
        answer = answer_to(app, event)
    finally:
        functions.update_function_configuration(FunctionName=function, Environment=before)
    assert answer.function_error is None
    insight_of_answer = answer.payload["insight"]
    assert (insight_of_answer["findings"], insight_of_answer["isCut"]) == (3, True)
    after = sorted(workflow_of(app, findings["c"]).values())
    assert [status for status, _ in after] == ["NEW", "NOTIFIED", "NOTIFIED", "NOTIFIED"]
    assert all("(only 3 of about 4 findings)" in note for _, note in after[1:])


def test_results_whose_insight_is_gone_are_told_about_on_the_digest_topic(app, digests):
    (finding,) = findings_of("custom_action_1_finding.json", "gone")
    hub = app.client("securityhub")
    hub.batch_import_findings(Findings=[finding])
    filters = {"Id": [{"Value": finding["Id"], "Comparison": "EQUALS"}]}
    insight = hub.create_insight(Name="Gone", Filters=filters, GroupByAttribute="Id")["InsightArn"]
    app.inject_fault(operation="GetInsights", error="ResourceNotFoundException", count=1)
    event = press(app, "SuppressWithNote", insight_arn=insight)
    assert answer_to(app, event).function_error is None
    message = digests()
    assert message["Subject"] == "Security Hub: nothing done for insight Gone"
    assert "choose the findings in another one" in message["Message"]
    assert event["id"] in message["Message"]
    assert workflow_of(app, [finding]) == {finding["Id"]: ("NEW", "")}


def test_a_finding_that_cannot_be_updated_leaves_the_others_updated_and_its_event_in_the_dead_letter_queue(
    app, dead_letters
):
    findings = findings_of("custom_action_20_findings.json", "refused")
    app.client("securityhub").batch_import_findings(Findings=findings)
    app.inject_fault(finding=findings[7])
    event = press(app, "SuppressWithNote", findings=findings)
    assert answer_to(app, event).function_error == "Unhandled"
    statuses = {finding_id: status for finding_id, (status, _) in workflow_of(app, findings).items()}
    assert statuses.pop(findings[7]["Id"]) == "NEW"
    assert set(statuses.values()) == {"SUPPRESSED"}
    letter = dead_letters()
    assert letter["requestPayload"]["id"] == event["id"]
    assert letter["requestContext"]["condition"] == "RetriesExhausted"


def test_a_poison_event_ends_in_the_dead_letter_queue_with_the_reason(app, dead_letters):
    function = physical_id(app, STACK, "AWS::Lambda::Function", "SuppressWithNoteFunction")
    poison = {
        "source": "aws.securityhub",
        "detail-type": "Security Hub Findings - Custom Action",
        "detail": 7,
    }
    app.client("lambda").invoke(
        FunctionName=function, InvocationType="Event", Payload=json.dumps(poison).encode()
    )
    letter = dead_letters()
    assert letter["requestPayload"] == poison
    assert "$.id must be a string that is not blank" in letter["responsePayload"]["errorMessage"]
