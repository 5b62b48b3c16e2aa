"""The command `events new`."""

from __future__ import annotations

import io
import json
import sys
from contextlib import redirect_stdout, suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from securityhub.events import (
    CustomActionEvent,
    ImportedFindingsEvent,
    ImportedFindingsV2Event,
    InsightResultsEvent,
    parse_event,
)
from securityhub_actions.cli.commands import run
from securityhub_actions.cli.errors import ExitCode
from securityhub_actions.cli.sample_findings import COMPLIANCE_STATUSES, SEVERITIES, WORKFLOW_STATUSES

EVENTS = Path(__file__).parents[2] / "events"
PARSED = {
    "imported": ImportedFindingsEvent,
    "custom-action": CustomActionEvent,
    "insight-results": InsightResultsEvent,
    "imported-v2": ImportedFindingsV2Event,
}
CAPTURED = {
    "imported": "findings_imported.json",
    "custom-action": "custom_action_1_finding.json",
    "insight-results": "insight_results_few.json",
    "imported-v2": "findings_imported_v2.json",
}


@pytest.fixture
def new(cli):
    """A function that runs `events new` and returns what it printed, decoded."""

    def run_new(*arguments):
        ran = cli("events", "new", *arguments)
        assert (ran.code, ran.err) == (ExitCode.SUCCESS, "")
        return ran.document

    return run_new


def malformed(event):
    return [*getattr(event, "malformed_findings", ()), *getattr(event, "malformed_results", ())]


@pytest.mark.parametrize("kind", PARSED)
def test_the_lambda_code_can_read_each_kind(kind, new):
    event = parse_event(new(kind))
    assert isinstance(event, PARSED[kind])
    assert malformed(event) == []


def shape(value):
    """The names in a document, without values."""
    if isinstance(value, dict):
        return {name: shape(one) for name, one in value.items()}
    return [shape(value[0])] if isinstance(value, list) and value else None


def unlike(sample, captured, path="$"):
    """The names that a sample has and a captured event doesn't."""
    if isinstance(sample, dict) and isinstance(captured, dict):
        for name, one in sample.items():
            yield from (
                unlike(one, captured[name], f"{path}.{name}") if name in captured else [f"{path}.{name}"]
            )
    elif isinstance(sample, list) and isinstance(captured, list):
        yield from unlike(sample[0], captured[0], f"{path}[0]")
    elif sample is not None or captured is not None:
        yield path


@pytest.mark.parametrize("kind", ["imported", "custom-action", "imported-v2"])
def test_a_sample_has_nothing_that_a_captured_event_has_not(kind, new):
    captured = json.loads((EVENTS / CAPTURED[kind]).read_text())
    assert list(unlike(shape(new(kind)), shape(captured))) == []


def test_the_results_of_an_insight_have_the_form_of_captured_ones(new):
    event, captured = new("insight-results"), json.loads((EVENTS / CAPTURED["insight-results"]).read_text())
    assert event["detail"].keys() == captured["detail"].keys()
    ((count,),) = (one.values() for one in event["detail"]["insightResults"])
    assert isinstance(count, int)


def test_a_finding_says_what_was_asked_for(new):
    place = ("--account", "444455556666", "--region", "cn-north-1")
    options = ("--severity", "low", "--control", "EC2.19", "--status", "NOTIFIED", "--compliance", "WARNING")
    (finding,) = parse_event(new("imported", *place, *options)).findings
    assert (finding.aws_account_id, finding.region) == ("444455556666", "cn-north-1")
    assert (finding.severity_label, finding.workflow_status) == ("LOW", "NOTIFIED")
    assert (finding.compliance_status, finding.generator_id) == ("WARNING", "security-control/EC2.19")
    assert finding.resources[0].type == "AwsEc2SecurityGroup"
    assert finding.resources[0].id.startswith("arn:aws-cn:ec2:cn-north-1:444455556666:security-group/sg-")


def test_a_finding_in_ocsf_says_the_same_in_its_words(new):
    options = ("--severity", "LOW", "--control", "EC2.19", "--status", "NOTIFIED", "--compliance", "PASSED")
    (finding,) = new("imported-v2", *options)["detail"]["findings"]
    assert (finding["severity"], finding["severity_id"]) == ("Low", 2)
    assert (finding["status"], finding["status_id"]) == ("In Progress", 2)
    assert finding["compliance"]["control"] == "EC2.19"
    assert (finding["compliance"]["status"], finding["compliance"]["status_id"]) == ("Pass", 1)


def test_a_control_that_passes_is_resolved_and_informational(new):
    (finding,) = parse_event(new("imported", "--compliance", "PASSED")).findings
    assert (finding.severity_label, finding.workflow_status) == ("INFORMATIONAL", "RESOLVED")


@pytest.mark.parametrize(
    ("kind", "events", "items"),
    [("imported", 3, 1), ("imported-v2", 3, 1), ("custom-action", 1, 3), ("insight-results", 1, 3)],
)
def test_the_count_is_of_findings_or_results(kind, events, items, new):
    made = new(kind, "--count", 3)
    made = made if isinstance(made, list) else [made]
    assert len(made) == events
    for event in made:
        (listed,) = (one for one in event["detail"].values() if isinstance(one, list))
        assert len(listed) == items
        assert len({json.dumps(one) for one in listed}) == items


@pytest.mark.parametrize("kind", ["custom-action", "insight-results"])
@pytest.mark.parametrize(
    "action", ["Ticket", "arn:aws:securityhub:us-east-1:111122223333:action/custom/Ticket"]
)
def test_the_action_is_an_id_or_an_arn(kind, action, new):
    event = parse_event(new(kind, "--action", action))
    assert event.action_arn == "arn:aws:securityhub:us-east-1:111122223333:action/custom/Ticket"


@pytest.mark.parametrize("kind", PARSED)
def test_a_seed_makes_the_same_event_again_and_no_seed_another_one(kind, new):
    assert new(kind, "--seed", 1) == new(kind, "--seed", 1)
    assert new(kind, "--seed", 1) != new(kind, "--seed", 2)
    assert new(kind) != new(kind)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("odd",), "'imported', 'custom-action', 'insight-results', 'imported-v2'"),
        (("imported", "--severity", "ODD"), "critical"),
        (("imported", "--control", "odd"), "such as S3.8"),
        (("imported", "--account", "1"), "12 digits"),
        (("imported", "--region", "Ireland"), "such as eu-west-1"),
        (("imported", "--count", "0"), "from 1 to 1,000"),
        (("custom-action", "--count", "21"), "from 1 to 20"),
        (("insight-results", "--count", "101"), "from 1 to 100"),
        (("imported", "--action", "A"), "has no custom action"),
        (("custom-action", "--action", "a b"), "up to 20 letters"),
    ],
)
def test_a_mistake_says_what_is_allowed(arguments, problem, cli):
    ran = cli("events", "new", *arguments)
    assert ran.code == ExitCode.USAGE
    assert problem in ran.err
    assert (ran.out, ran.err.count("\n")) == ("", 1)


def test_a_sample_can_be_piped_to_explain(cli, app, monkeypatch):
    sample = cli("events", "new", "imported", "--severity", "CRITICAL", "--region", "eu-west-1").out
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(sample.encode())))
    ran = cli("explain", "-", "--template", app)
    assert ran.code == ExitCode.SUCCESS
    assert "matches    Security/Critical/Rule" in ran.out


CONTROLS = st.builds(
    "{}.{}".format, st.sampled_from(["S3", "EC2", "IAM", "RDS", "Lambda", "SQS", "Odd"]), st.integers(0, 99)
)


@given(
    kind=st.sampled_from(sorted(PARSED)),
    severity=st.sampled_from(sorted(SEVERITIES)),
    status=st.sampled_from(sorted(WORKFLOW_STATUSES)),
    compliance=st.sampled_from(sorted(COMPLIANCE_STATUSES)),
    control=CONTROLS,
    region=st.sampled_from(["eu-west-1", "us-gov-east-1", "cn-north-1", "eusc-de-east-1"]),
    count=st.integers(1, 3),
)
def test_any_sample_can_be_read(kind, **options):
    arguments = [text for name, value in options.items() for text in (f"--{name}", str(value))]
    with redirect_stdout(io.StringIO()) as printed:
        assert run(["events", "new", kind, *arguments]) == ExitCode.SUCCESS
    made = json.loads(printed.getvalue())
    for event in made if isinstance(made, list) else [made]:
        assert malformed(parse_event(event)) == []


def test_security_hub_accepts_the_findings(new, embedded_aws):
    hub = embedded_aws.client("securityhub", region="us-east-1")
    with suppress(hub.exceptions.ResourceConflictException):
        hub.enable_security_hub()
    found = [
        finding
        for arguments in (("--count", 20), ("--count", 20, "--compliance", "PASSED", "--control", "Odd.1"))
        for finding in new("custom-action", *arguments)["detail"]["findings"]
    ]
    answer = hub.batch_import_findings(Findings=found)
    assert (answer["SuccessCount"], answer["FailedFindings"]) == (40, [])


@pytest.fixture
def made_in(cli, monkeypatch, tmp_path):
    """A function that returns the account and the Region of a sample that is made in a folder."""
    monkeypatch.chdir(tmp_path)
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)

    def place(*options):
        event = cli("events", "new", "imported", *options).document
        finding = event["detail"]["findings"][0]
        assert (event["account"], event["region"]) == (finding["AwsAccountId"], finding["Region"])
        return event["account"], event["region"]

    return place


def test_a_sample_is_where_the_app_is_if_nothing_else_is_said(made_in, app, monkeypatch):
    monkeypatch.setenv("AWS_REGION", "us-west-2")
    monkeypatch.chdir(app.parent)
    assert made_in() == ("111122223333", "eu-west-1")
    assert made_in("--region", "eu-north-1", "--account", "444455556666") == ("444455556666", "eu-north-1")


@pytest.mark.parametrize("variable", ["AWS_REGION", "AWS_DEFAULT_REGION"])
def test_without_an_app_a_sample_is_in_the_region_of_the_environment(made_in, monkeypatch, variable):
    assert made_in()[1] == "us-east-1"
    monkeypatch.setenv(variable, "eu-north-1")
    assert made_in()[1] == "eu-north-1"
    monkeypatch.setenv(variable, "not a Region")
    assert made_in()[1] == "us-east-1"


def test_an_app_that_cannot_be_read_does_not_matter_to_a_sample(made_in, tmp_path):
    (tmp_path / "cdk.out").mkdir()
    assert made_in()[1] == "us-east-1"
