"""The command `explain`, as it prints."""

from __future__ import annotations

import json
import subprocess
import sys
import uuid
from contextlib import suppress
from pathlib import Path

import pytest

from securityhub_actions.cli.errors import ExitCode

ROOT = Path(__file__).parents[3]
EVENTS = ROOT / "tests" / "events"
IMPORTED = EVENTS / "findings_imported.json"
(FINDING,) = json.loads(IMPORTED.read_text())["detail"]["findings"]


@pytest.fixture
def explain(cli, app):
    """A function that runs `explain` on the app of the tests."""

    def explain_with(*arguments, template=app, **more):
        return cli("explain", *arguments, "--template", template, **more)

    return explain_with


@pytest.fixture
def file_with(tmp_path):
    """A function that writes JSON to a file."""

    def write(document):
        file = tmp_path / "given.json"
        file.write_text(json.dumps(document))
        return file

    return write


def rules_of(ran):
    return {
        (one["event"]["detail-type"], rule["rule"]): rule for one in ran.document for rule in one["rules"]
    }


def test_it_shows_what_a_target_receives_and_which_conditions_fail(explain):
    ran = explain(IMPORTED)
    assert ran.code == ExitCode.SUCCESS
    assert "matches    Security/Critical/Rule" in ran.out
    assert "receives   61 bytes" in ran.out
    assert "About S3 general purpose buckets should block public access" in ran.out
    assert "no match   Security/Ticket/Rule" in ran.out
    assert 'wanted     "arn:aws:securityhub:eu-west-1:111122223333:action/custom/Ticket"' in ran.out


def test_it_exits_with_1_if_no_rule_matches(explain, file_with):
    low = {**FINDING, "Severity": {"Label": "LOW"}}
    ran = explain(file_with(low), "--rule", "Critical")
    assert ran.code == ExitCode.NO
    assert 'is         "LOW"' in ran.out


def test_a_finding_is_explained_as_each_event_that_it_can_be_in(explain, file_with):
    found = rules_of(explain(file_with(FINDING), "--json"))
    assert {key: one["matches"] for key, one in found.items()} == {
        ("Security Hub Findings - Imported", "Security/Ticket/Rule"): False,
        ("Security Hub Findings - Imported", "Security/Critical/Rule"): True,
        ("Security Hub Findings - Custom Action", "Security/Ticket/Rule"): True,
        ("Security Hub Findings - Custom Action", "Security/Critical/Rule"): False,
    }
    pressed = found["Security Hub Findings - Custom Action", "Security/Ticket/Rule"]
    (target,) = pressed["targets"]
    assert target["kind"] == "SQS queue"
    assert target["receives"]["detail"]["findings"] == [FINDING]


def test_the_event_as_it_is_is_printed_on_request(explain, file_with):
    short, full = (explain(file_with(FINDING), *more) for more in ((), ("--full",)))
    assert '"SchemaVersion": "2018-10-08"' not in short.out
    assert '"SchemaVersion": "2018-10-08"' in full.out


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_no_line_is_wider_than_the_page(columns, explain, file_with):
    ran = explain(file_with(FINDING), columns=columns)
    assert max(map(len, ran.out.splitlines())) <= columns
    assert "\x1b" not in ran.out
    assert [line for line in ran.out.splitlines() if line.endswith(" ")] == []


def test_many_events_are_counted(explain, file_with):
    ran = explain(file_with([FINDING] * 11))
    assert ran.out.splitlines() == [
        "22 events, and how many of them each rule matches:",
        "  11 Security/Ticket/Rule",
        "  11 Security/Critical/Rule",
    ]


def test_the_count_has_the_same_form_for_few_and_for_many(explain, file_with):
    ran = explain(file_with(FINDING), "--summary", "--json")
    assert ran.document == {
        "events": 2,
        "rules": [
            {"rule": "Security/Ticket/Rule", "matches": 1, "undecided": 0},
            {"rule": "Security/Critical/Rule", "matches": 1, "undecided": 0},
        ],
    }


def template_with(tmp_path, pattern):
    resources = {"Rule": {"Type": "AWS::Events::Rule", "Properties": {"EventPattern": pattern}}}
    file = tmp_path / "Own.template.json"
    file.write_text(json.dumps({"Parameters": {"Asked": {"Type": "String"}}, "Resources": resources}))
    return file


@pytest.mark.parametrize("more", [(), ("--summary",)])
def test_what_a_deployment_determines_has_an_exit_code_of_its_own(more, explain, tmp_path):
    ran = explain(IMPORTED, *more, template=template_with(tmp_path, {"account": [{"Ref": "Asked"}]}))
    assert ran.code == ExitCode.UNDECIDED
    assert "undecided" in ran.out


def test_a_pattern_that_eventbridge_rejects_is_no_error_of_the_command(explain, tmp_path):
    ran = explain(IMPORTED, template=template_with(tmp_path, {"source": [{"prefix": 1}]}))
    assert ran.code == ExitCode.NO
    assert "EventBridge rejects the rule" in ran.out


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ((), "Specify either EVENT"),
        ((IMPORTED, "--finding", "a"), "Specify either EVENT"),
        (("nowhere.json",), "nowhere.json can't be read"),
        ((IMPORTED, "--rule", "odd"), "No rule has 'odd' in its path"),
        ((IMPORTED, "--account", "1"), "12 digits"),
    ],
)
def test_a_mistake_is_one_line_on_the_standard_error(arguments, problem, explain):
    ran = explain(*arguments)
    assert ran.code == ExitCode.USAGE
    assert problem in ran.err
    assert (ran.out, ran.err.count("\n")) == ("", 1)


def test_an_app_that_does_not_exist_is_a_mistake(explain, tmp_path):
    ran = explain(IMPORTED, template=tmp_path / "nowhere")
    assert ran.code == ExitCode.USAGE
    assert "cdk synth" in ran.err


def test_an_app_without_rules_says_so(explain, tmp_path):
    file = tmp_path / "Empty.template.json"
    file.write_text('{"Resources": {}}')
    assert "The app has no rules" in explain(IMPORTED, template=file).err


def test_no_findings_are_nothing_to_explain(explain, file_with):
    for more in ((), ("--summary",), ("--json",)):
        assert "There are no events or findings" in explain(file_with([]), *more).err


@pytest.fixture
def stored(of_account):
    """A finding of the account."""
    hub = of_account.client("securityhub", region="eu-west-1")
    with suppress(hub.exceptions.ResourceConflictException):
        hub.enable_security_hub()
    finding = {**FINDING, "Id": f"explained-{uuid.uuid4()}"}
    assert hub.batch_import_findings(Findings=[finding])["FailedFindings"] == []
    return finding


@pytest.mark.parametrize("form", ["{Id}", "{ProductArn}/{Id}"])
def test_a_finding_of_the_account_is_explained(form, stored, explain):
    ran = explain("--finding", form.format(**stored), "--json")
    assert {one["finding"] for one in ran.document} == {stored["Id"]}
    assert len(ran.document) == 2


@pytest.mark.usefixtures("stored")
def test_a_finding_that_is_not_there_says_where_it_was_looked_for(explain):
    ran = explain("--finding", "odd")
    assert ran.code == ExitCode.FAILED
    assert "No finding in eu-west-1 has the ID odd" in ran.err


def run_python(code, *arguments):
    return subprocess.run(  # noqa: S603 - this Python
        [sys.executable, "-c", code, *map(str, arguments)], capture_output=True, text=True, check=False
    )


def test_it_loads_neither_the_cdk_nor_boto3(app):
    code = (
        "import sys; from securityhub_actions.cli.__main__ import main; main(sys.argv[1:]);"
        "print({'aws_cdk', 'constructs', 'jsii', 'boto3', 'botocore'} & sys.modules.keys())"
    )
    ran = run_python(code, "explain", IMPORTED, "--template", app)
    assert ran.stdout.splitlines()[-1] == "set()"


def test_an_output_that_is_not_unicode_is_no_error(app, tmp_path):
    file = tmp_path / "odd.json"
    file.write_text(json.dumps({**FINDING, "Id": "\u65e5 \ud800"}))
    code = (
        "import sys; sys.stdout.reconfigure(encoding='ascii'); "
        "from securityhub_actions.cli.__main__ import main; sys.exit(main(sys.argv[1:]))"
    )
    ran = run_python(code, "explain", file, "--template", app)
    assert (ran.returncode, ran.stderr) == (0, "")
    as_json = run_python(code, "explain", file, "--template", app, "--json")
    assert json.loads(as_json.stdout)[0]["finding"] == "\u65e5 \ud800"


@pytest.mark.parametrize("more", [(), ("--json",)])
def test_what_reads_the_output_can_end_first(more, app):
    arguments = ["explain", str(IMPORTED), "--template", str(app), *more]
    with subprocess.Popen(  # noqa: S603 - this Python
        [sys.executable, "-m", "securityhub_actions.cli", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == ExitCode.CLOSED_PIPE
