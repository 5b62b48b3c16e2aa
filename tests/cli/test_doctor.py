"""The command `doctor` on the embedded AWS."""

from __future__ import annotations

import pytest
from aws_cdk import aws_sqs as sqs

from securityhub_actions import ImportedFindingsRule, targets
from securityhub_actions.cli.errors import ExitCode
from securityhub_actions.filters import FindingFilter
from tests.cli.deployed import deploy, destroy, enable_security_hub
from tests.cli.doctor.conftest import assembly

ACTION = {
    "Type": "AWS::SecurityHub::ActionTarget",
    "Properties": {"Id": "DoctorTicket", "Name": "Ticket", "Description": "x"},
}


@pytest.fixture
def hub(of_account):
    enable_security_hub(of_account)
    return of_account.client("securityhub")


def test_an_account_is_examined_before_the_deployment(cli, hub, tmp_path):
    ran = cli(
        "doctor", "--template", assembly(tmp_path, {"A": ACTION}), "--region", hub.meta.region_name, "--json"
    )
    states = {one["check"]: one["state"] for one in ran.document["checks"]}
    assert (states["security-hub"], states["action-quota"], states["bootstrap"]) == ("ok", "ok", "fault")
    assert ran.code == ExitCode.NO


@pytest.mark.usefixtures("hub")
def test_what_security_hub_says_of_accounts_and_regions_can_be_checked(cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    checks = {one["check"]: one for one in cli("doctor", "--json").document["checks"]}
    names = ("aggregation", "aggregation-v2", "administrator")
    assert [checks[name]["text"] for name in names if "could not be checked" in checks[name]["text"]] == []


@pytest.mark.usefixtures("hub")
@pytest.mark.parametrize("columns", [60, 80, 120])
def test_every_line_fits_the_page(cli, tmp_path, columns):
    ran = cli("doctor", "--template", assembly(tmp_path, {"A": ACTION}), columns=columns)
    assert max(map(len, ran.out.splitlines())) <= columns


@pytest.mark.usefixtures("hub")
def test_without_faults_the_exit_code_is_0(cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert cli("doctor").code == ExitCode.SUCCESS


@pytest.mark.usefixtures("hub")
def test_a_stack_that_is_nowhere_is_refused_with_those_that_exist(cli, tmp_path):
    ran = cli("doctor", "Nowhere", "--template", assembly(tmp_path, {}))
    assert ran.code == ExitCode.USAGE
    assert "App" in ran.err


@pytest.mark.usefixtures("hub")
def test_a_stack_for_another_region_is_left_to_an_examination_there(cli, tmp_path):
    template = assembly(tmp_path, {"A": ACTION}, region="ap-south-1")
    ran = cli("doctor", "--template", template, "--json")
    (found,) = [one for one in ran.document["checks"] if one["check"] == "stacks"]
    assert "--region ap-south-1" in found["cure"]


@pytest.fixture
def stack(of_account, hub, tmp_path):  # noqa: ARG001 - the hub must be enabled
    def declare(scope):
        target = targets.SqsQueue(sqs.Queue(scope, "Tickets"))
        ImportedFindingsRule(scope, "Findings", findings=FindingFilter(severity="LOW"), targets=[target])

    deployed = deploy(of_account, declare, tmp_path)
    yield deployed
    destroy(deployed)


def test_a_stack_that_is_deployed_is_examined_by_its_name_and_by_its_template(
    cli, stack, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    dead = {"QueueUrl": stack.dead_letter_queue, "MessageBody": "{}"}
    stack.aws.client("sqs").send_message(**dead)
    for given in ([], ["--template", tmp_path / stack.name]):
        ran = cli("doctor", stack.name, *given, "--json")
        states = {one["check"]: one["state"] for one in ran.document["checks"]}
        assert (states["stacks"], states["dead-letters"]) == ("ok", "warning")
