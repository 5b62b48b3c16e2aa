"""Show the whole chain on the embedded AWS: deploy the app, press custom actions, read back what happened.

Run it with `make demo`. The exit code is 0 only if every step was seen to happen.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import sys
import tempfile
import textwrap
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any, Final

from emulator.delivery.log import Delivery
from emulator.launching import EmulatorError
from emulator.server import DEFAULT_ACCOUNT, DEFAULT_REGION, EmbeddedAws
from tools.cdk import ROOT
from tools.deploy import DeploymentFailedError, bootstrap, deploy

_FINDINGS: Final = ROOT / "examples" / "findings.json"
_STACK: Final = "SecurityHubAnalystActions"
_WIDEST: Final = 100
_LONGEST_ANSWER: Final = 400
_MEMBER: Final = "444455556666"
_EXPOSED: Final = "tcp 3306 from 0.0.0.0/0"
_SECONDS_BETWEEN_TICKS: Final = 0.5
_SETTINGS: Final = Path(__file__).with_suffix(".toml")


class StepFailedError(RuntimeError):
    """A step did not do what it is there to show."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pressed:
    """What pressing a custom action set in motion.

    Attributes:
        event: The event that Security Hub sent.
        delivery: What EventBridge did with it, with the Lambda function's answer.
    """

    event: dict[str, Any]
    delivery: Delivery


def main() -> int:
    """Run the demo and return the exit code."""
    started = time.monotonic()
    say(f"Security Hub actions on an embedded AWS (account {DEFAULT_ACCOUNT}, Region {DEFAULT_REGION})\n")
    try:
        with contextlib.ExitStack() as stack:
            with step("Start the embedded AWS and enable Security Hub"):
                aws = stack.enter_context(EmbeddedAws.start())
                aws.client("securityhub").enable_security_hub()
            summary = show_chain(aws)
    except (StepFailedError, DeploymentFailedError, EmulatorError, TimeoutError) as error:
        say(f"\nThe demo stopped: {error}")
        return 1
    except KeyboardInterrupt:
        say("\nThe demo was interrupted. The embedded AWS has been removed.")
        return 130
    say("\n" + "\n".join(summary))
    say(f"\nEvery step succeeded, in {time.monotonic() - started:.0f} s. The embedded AWS has been removed.")
    return 0


def show_chain(aws: EmbeddedAws) -> list[str]:
    """Deploy, import, press and read back; return the summary's lines."""
    with step(
        f"Add account {_MEMBER} to the organization, and open one of its security groups to the internet"
    ):
        settings = join_organization(aws)
        group = open_security_group(aws)
        opened = rules_of(aws, group)
    with step("cdk bootstrap"):
        bootstrap(aws)
    with step("cdk deploy (synthesizes, checks and deploys the templates)"), settings as file:
        deploy(aws, settings=file, report=progress)
    with step("Import three findings into Security Hub, one of them for that security group"):
        findings = import_findings(aws, group)
    exposed, others = findings[:1], findings[1:]
    with step("Press 'Remediate' on that finding, and read the security group"):
        remediation = press_on_findings(aws, "Remediate", exposed)
        resolved = read_back(aws, exposed, status="RESOLVED")
        closed = rules_of(aws, group)
        expect(
            closed == opened - {_EXPOSED},
            f"Only {_EXPOSED} should be gone from the security group, which has {closed}.",
        )
    with step("Press 'Suppress with note' on the other findings, and read them back"):
        suppression = press_on_findings(aws, "SuppressWithNote", others)
        suppressed = read_back(aws, others, status="SUPPRESSED")
    with step("Press 'Send digest' on the results of an insight, and read the message from the topic"):
        digest, message = press_on_insight(aws)
    return [
        *describe("Remediate", remediation),
        *describe_findings(exposed, resolved),
        *field("before", f"{group} in account {_MEMBER}: {', '.join(sorted(opened))}"),
        *field("after", ", ".join(sorted(closed))),
        "",
        *describe("SuppressWithNote", suppression),
        *describe_findings(others, suppressed),
        "",
        *describe("InsightDigest", digest),
        *describe_message(message),
    ]


def join_organization(aws: EmbeddedAws) -> contextlib.AbstractContextManager[Path]:
    """Let the member join an organizational unit; return a settings file that lets it be remediated there."""
    organizations = aws.client("organizations")
    organization = organizations.describe_organization()["Organization"]["Id"]
    (root,) = organizations.list_roots()["Roots"]
    unit = organizations.create_organizational_unit(Name="Workloads", ParentId=root["Id"])[
        "OrganizationalUnit"
    ]["Id"]
    invitation = organizations.invite_account_to_organization(Target={"Id": _MEMBER, "Type": "ACCOUNT"})
    aws.client("organizations", account=_MEMBER).accept_handshake(HandshakeId=invitation["Handshake"]["Id"])
    organizations.move_account(AccountId=_MEMBER, SourceParentId=root["Id"], DestinationParentId=unit)
    return settings_file(organization=organization, unit=unit)


@contextlib.contextmanager
def settings_file(*, organization: str, unit: str) -> Iterator[Path]:
    """Keep the demo's settings in a file for as long as a block lasts."""
    text = Template(_SETTINGS.read_text(encoding="utf-8")).substitute(organization=organization, unit=unit)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "demo.toml")
        file.write_text(text, encoding="utf-8")
        yield file


def open_security_group(aws: EmbeddedAws) -> str:
    """Make a security group of the member that lets the whole internet reach a web server and a database."""
    ec2 = aws.client("ec2", account=_MEMBER)
    group: str = ec2.create_security_group(GroupName="web", Description="A careless one")["GroupId"]
    for port in (443, 3306):
        world = {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
        ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[world])
    return group


def rules_of(aws: EmbeddedAws, group: str) -> set[str]:
    """Read what a security group of the member lets in."""
    filters = [{"Name": "group-id", "Values": [group]}]
    found = aws.client("ec2", account=_MEMBER).describe_security_group_rules(Filters=filters)
    return {
        f"{rule['IpProtocol']} {rule['FromPort']} from {rule['CidrIpv4']}"
        for rule in found["SecurityGroupRules"]
        if not rule["IsEgress"]
    }


def import_findings(aws: EmbeddedAws, group: str) -> list[dict[str, Any]]:
    """Import the example findings, as AWS services and partner products do; the first is about the group."""
    findings: list[dict[str, Any]] = json.loads(_FINDINGS.read_text())["Findings"]
    resource = findings[0]["Resources"][0]
    resource["Id"] = f"{resource['Id'].rpartition('/')[0]}/{group}"
    answer = aws.client("securityhub").batch_import_findings(Findings=findings)
    expect(
        answer["SuccessCount"] == len(findings), f"Security Hub refused findings: {answer['FailedFindings']}"
    )
    return findings


def press_on_findings(aws: EmbeddedAws, action_id: str, findings: Sequence[dict[str, Any]]) -> Pressed:
    """Press a custom action on findings and wait for its Lambda function's answer."""
    (event,) = aws.press(action_arn(aws, action_id), findings=findings)
    return Pressed(event=event, delivery=await_answer(aws, event))


def press_on_insight(aws: EmbeddedAws) -> tuple[Pressed, dict[str, Any]]:
    """Press the digest on all results of an insight and receive the message that its topic sends."""
    hub = aws.client("securityhub")
    insight = hub.create_insight(Name="Findings by account", Filters={}, GroupByAttribute="AwsAccountId")[
        "InsightArn"
    ]
    queue_url = subscribe_queue(aws)
    (event,) = aws.press(action_arn(aws, "InsightDigest"), insight_arn=insight)
    pressed = Pressed(event=event, delivery=await_answer(aws, event))
    sqs = aws.client("sqs")
    received = aws.wait_until(
        lambda: sqs.receive_message(QueueUrl=queue_url, WaitTimeSeconds=1).get("Messages"), what="the digest"
    )
    message: dict[str, Any] = json.loads(received[0]["Body"])
    return pressed, message


def subscribe_queue(aws: EmbeddedAws) -> str:
    """Subscribe a queue to the digest topic, as a team would subscribe its mailbox."""
    (stack,) = aws.client("cloudformation").describe_stacks(StackName=_STACK)["Stacks"]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
    sqs = aws.client("sqs")
    queue_url: str = sqs.create_queue(QueueName="digest-reader")["QueueUrl"]
    queue_arn = sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["QueueArn"])["Attributes"][
        "QueueArn"
    ]
    aws.client("sns").subscribe(TopicArn=outputs["DigestTopicArn"], Protocol="sqs", Endpoint=queue_arn)
    return queue_url


def action_arn(aws: EmbeddedAws, action_id: str) -> str:
    """Find the ARN of a deployed custom action."""
    arns = [
        action["ActionTargetArn"]
        for action in aws.client("securityhub").describe_action_targets()["ActionTargets"]
    ]
    found: list[str] = [arn for arn in arns if arn.endswith(f"/{action_id}")]
    expect(
        len(found) == 1,
        f"The deployed app should have one custom action {action_id}, but Security Hub has {arns}.",
    )
    return found[0]


def await_answer(aws: EmbeddedAws, event: dict[str, Any]) -> Delivery:
    """Wait until the Lambda function that the event went to has answered, and insist that it succeeded."""

    def answered() -> Delivery | None:
        deliveries = aws.deliveries(event_id=event["id"])
        return deliveries[0] if deliveries and deliveries[0].answer else None

    delivery = aws.wait_until(answered, what="the Lambda function's answer")
    expect(delivery.outcome == "delivered", f"The event was not delivered: {delivery.error_message}")
    expect(
        delivery.answer is not None and delivery.answer.function_error is None,
        f"The Lambda function failed: {delivery.answer}",
    )
    return delivery


def read_back(aws: EmbeddedAws, findings: Sequence[dict[str, Any]], *, status: str) -> list[dict[str, Any]]:
    """Read the findings back from Security Hub and insist that each has a workflow status and its note."""
    filters = {"Id": [{"Value": finding["Id"], "Comparison": "EQUALS"} for finding in findings]}
    found: list[dict[str, Any]] = aws.client("securityhub").get_findings(Filters=filters)["Findings"]
    expect(
        len(found) == len(findings), f"{len(findings)} findings were imported, but {len(found)} were found."
    )
    for finding in found:
        changed = finding["Workflow"]["Status"] == status and "Note" in finding
        expect(changed, f"The finding {finding['Id']} was not changed: {finding['Workflow']}")
    return found


def describe(action_id: str, pressed: Pressed) -> list[str]:
    """Say what an action set in motion: its ARN, the event, the rule and the Lambda function's answer."""
    delivery = pressed.delivery
    answer = json.dumps(delivery.answer.payload if delivery.answer else None, ensure_ascii=False)
    return [
        f"Custom action {action_id}",
        *field("action", pressed.event["resources"][0]),
        *field("event", f"{pressed.event['detail-type']} ({pressed.event['id']})"),
        *field("rule", delivery.rule_arn),
        *field("Lambda", delivery.target_arn),
        *field("answer", answer if len(answer) <= _LONGEST_ANSWER else f"{answer[:_LONGEST_ANSWER]} ..."),
    ]


def describe_findings(before: Sequence[dict[str, Any]], after: Sequence[dict[str, Any]]) -> list[str]:
    """Say how each finding changed."""
    earlier = {finding["Id"]: finding["Workflow"]["Status"] for finding in before}
    lines = [
        f"{finding['AwsAccountId']}  {finding['Severity']['Label']:<8}  "
        f"{earlier[finding['Id']]} -> {finding['Workflow']['Status']}  {finding['Title']}"
        for finding in after
    ]
    return [
        *(line for text in lines for line in field("finding", text)),
        *field("note", after[0]["Note"]["Text"]),
    ]


def describe_message(message: dict[str, Any]) -> list[str]:
    """Show the message as a subscriber of the topic gets it."""
    return [
        *field("subject", message["Subject"]),
        *(wrapped for line in message["Message"].splitlines() for wrapped in _quoted(line)),
    ]


def _quoted(line: str) -> list[str]:
    return textwrap.wrap(
        line, width(), initial_indent="    | ", subsequent_indent="    | ", drop_whitespace=False
    ) or ["    |"]


def field(name: str, value: str) -> list[str]:
    """Format one named value, wrapped below itself."""
    return textwrap.wrap(
        value,
        width(),
        initial_indent=f"  {name:<9}",
        subsequent_indent=" " * 11,
        break_on_hyphens=False,
    )


@contextlib.contextmanager
def step(title: str) -> Iterator[None]:
    """Announce a step, then say how long it took."""
    say("\n".join(textwrap.wrap(f"{title} ...", width(), initial_indent="  ", subsequent_indent="  ")))
    started = time.monotonic()
    with _Clock():
        yield
    say(f"    done in {time.monotonic() - started:.1f} s")


class _Clock:
    """Shows on a terminal what a step is doing and for how long; elsewhere it would only fill the log."""

    current: _Clock | None = None

    def __init__(self) -> None:
        self.text = ""
        self._started = time.monotonic()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> None:
        if sys.stdout.isatty():
            _Clock.current = self
            self._thread.start()

    def __exit__(self, *_: object) -> None:
        _Clock.current = None
        if self._thread.is_alive():
            self._ended.set()
            self._thread.join()
            print("\r\033[K", end="", flush=True)

    def _run(self) -> None:
        while not self._ended.wait(_SECONDS_BETWEEN_TICKS):
            line = f"    {time.monotonic() - self._started:3.0f} s  {self.text}"
            # Without the last column: a line that fills it wraps, and can't be erased any more.
            print(f"\r\033[K{line[: width() - 1]}", end="", flush=True)


def progress(text: str) -> None:
    """Show on a terminal what the present step is doing."""
    if _Clock.current is not None:
        _Clock.current.text = text.strip()


def width() -> int:
    """Return how wide lines can be: as the terminal, but not wider than can be read."""
    return min(shutil.get_terminal_size((_WIDEST, 24)).columns, _WIDEST)


def say(text: str) -> None:
    """Print a line at once, also into a pipe."""
    print(text, flush=True)


def expect(condition: bool, otherwise: str) -> None:
    """Stop the demo unless a condition holds."""
    if not condition:
        raise StepFailedError(otherwise)


if __name__ == "__main__":
    sys.exit(main())
