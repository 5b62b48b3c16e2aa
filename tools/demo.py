"""Show the whole chain on the embedded AWS: deploy the app, press custom actions, read back what happened.

Run it with `make demo`. The exit code is 0 only if every step was seen to happen. The actions are pressed by
the code of `securityhub-actions press`, as a role whom the press buses of the stacks admit.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
import textwrap
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any, Final

from rich.console import RenderableType
from rich.text import Text

from emulator.delivery.log import Delivery
from emulator.launching import EmulatorError
from emulator.server import DEFAULT_ACCOUNT, DEFAULT_REGION, EmbeddedAws
from securityhub_actions.cli.aws import Aws
from securityhub_actions.cli.errors import CommandError
from securityhub_actions.cli.findings import custom_action, findings_with_ids
from securityhub_actions.cli.output import Output, entries
from securityhub_actions.cli.pressing import events_of, press, press_rule
from tools.cdk import ROOT
from tools.deploy import DeploymentFailedError, bootstrap, deploy, synthesize
from tools.kept_app import keep_app, kept_app
from tools.steps import progress, say, step, width

_FINDINGS: Final = ROOT / "examples" / "findings.json"
_STACK: Final = "SecurityHubAnalystActions"
_LONGEST_ANSWER: Final = 400
_MEMBER: Final = "444455556666"
_EXPOSED: Final = "tcp 3306 from 0.0.0.0/0"
_SETTINGS: Final = Path(__file__).with_suffix(".toml")
_KEPT: Final = ROOT / "build" / "demo"
_RESPONDER: Final = "SecurityResponder"
"""The role that demo.toml names as the one that may use the actions from a terminal."""
_NEEDED: Final = (
    # What the press calls, and reading findings back.
    "events:ListEventBuses",
    "events:ListRules",
    "events:PutEvents",
    "securityhub:DescribeActionTargets",
    "securityhub:GetFindings",
    "securityhub:GetInsightResults",
    "securityhub:GetInsights",
)


class StepFailedError(RuntimeError):
    """A step did not do what it is there to show."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pressed:
    """What pressing a custom action set in motion.

    Attributes:
        event: The event.
        delivery: What EventBridge did with it, with the Lambda function's answer.
    """

    event: Mapping[str, Any]
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
    except (CommandError, StepFailedError, DeploymentFailedError, EmulatorError, TimeoutError) as error:
        say(f"\nThe demo stopped: {error}")
        return 1
    except KeyboardInterrupt:
        say("\nThe demo was interrupted. The embedded AWS has been removed.")
        return 130
    say("")
    Output(as_json=False).show(None, *summary)
    say(f"\nEvery step succeeded, in {time.monotonic() - started:.0f} s. The embedded AWS has been removed.")
    return 0


def show_chain(aws: EmbeddedAws) -> list[RenderableType]:
    """Deploy, import, press and read back; return the summary."""
    with step(
        f"Add account {_MEMBER} to the organization, and open one of its security groups to the internet"
    ):
        settings = join_organization(aws)
        group = open_security_group(aws)
        opened = rules_of(aws, group)
    with settings as file:
        app = kept_app(_KEPT, file)
        if app.is_dir():
            with step("cdk bootstrap (nothing has changed since cdk synth checked the templates last time)"):
                bootstrap(aws)
        else:
            with step("cdk bootstrap, and at the same time cdk synth (synthesizes and checks the templates)"):
                bootstrap_and_synthesize(aws, file, app)
    with step("cdk deploy"):
        deploy(aws, app=app, report=progress)
    with step("Import three findings into Security Hub, one of them for that security group"):
        findings = import_findings(aws, group)
        analyst = become_responder(aws)
    exposed, others = findings[:1], findings[1:]
    with step("Press 'Remediate' on that finding, and read the security group"):
        remediation = press_on_findings(aws, analyst, "Remediate", exposed)
        resolved = read_back(analyst, exposed, status="RESOLVED")
        closed = rules_of(aws, group)
        expect(
            closed == opened - {_EXPOSED},
            f"Only {_EXPOSED} should be gone from the security group, which has {closed}.",
        )
    with step("Press 'Suppress with note' on the other findings, and read them back"):
        suppression = press_on_findings(aws, analyst, "SuppressWithNote", others)
        suppressed = read_back(analyst, others, status="SUPPRESSED")
    with step("Press 'Send digest' on the results of an insight, and read the message from the topic"):
        digest, message = press_on_insight(aws, analyst)
    return [
        *describe("Remediate", remediation, exposed, resolved),
        entries(
            ("before", f"{group} in account {_MEMBER}: {', '.join(sorted(opened))}"),
            ("after", ", ".join(sorted(closed))),
        ),
        Text(""),
        *describe("SuppressWithNote", suppression, others, suppressed),
        Text(""),
        *describe("InsightDigest", [digest]),
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


def bootstrap_and_synthesize(aws: EmbeddedAws, settings: Path, app: Path) -> None:
    """Prepare the account, and synthesize the app into a folder meanwhile: neither needs the other."""

    def into(folder: Path) -> None:
        synthesize(aws, folder, settings=settings, report=progress)

    with ThreadPoolExecutor() as pool:
        synthesis = pool.submit(keep_app, app, into)
        bootstrap(aws)
        synthesis.result()


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


def become_responder(aws: EmbeddedAws) -> Aws:
    """Let this process be the role that may press, which may do no more; return its account."""
    iam = aws.client("iam")
    trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": DEFAULT_ACCOUNT}}
    role = iam.create_role(RoleName=_RESPONDER, AssumeRolePolicyDocument=policy(trust))["Role"]["Arn"]
    # None of these actions but PutEvents has a resource that is known before the deployment.
    allowed = {"Effect": "Allow", "Action": list(_NEEDED), "Resource": "*"}
    iam.put_role_policy(RoleName=_RESPONDER, PolicyName="Press", PolicyDocument=policy(allowed))
    session = aws.client("sts").assume_role(RoleArn=role, RoleSessionName="demo")["Credentials"]
    environment = aws.environment() | {
        "AWS_ACCESS_KEY_ID": session["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": session["SecretAccessKey"],
        "AWS_SESSION_TOKEN": session["SessionToken"],
    }
    # The code of the command gets its credentials from the environment, as the command does.
    for name in os.environ.keys() - environment.keys():
        del os.environ[name]
    os.environ.update(environment)
    return Aws()


def policy(statement: Mapping[str, object]) -> str:
    """Return a policy of one statement."""
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def press_on_findings(
    aws: EmbeddedAws, analyst: Aws, action_id: str, findings: Sequence[Mapping[str, Any]]
) -> list[Pressed]:
    """Press a custom action on findings, and wait for the Lambda function's answer to each."""
    return press_all(aws, analyst, action_id, findings=[finding["Id"] for finding in findings])


def press_all(
    aws: EmbeddedAws,
    analyst: Aws,
    action_id: str,
    *,
    findings: Sequence[str] = (),
    insight: str | None = None,
) -> list[Pressed]:
    """Press a custom action as the command does, and wait for the Lambda function's answers."""
    action = custom_action(analyst, action_id)
    rule = press_rule(analyst, action["ActionTargetArn"])
    events = [event for event, _ in events_of(analyst, action, findings=findings, insight=insight)]
    sent = [{**event, "id": press(analyst, rule, event)} for event in events]
    return [Pressed(event=event, delivery=await_answer(aws, event)) for event in sent]


def press_on_insight(aws: EmbeddedAws, analyst: Aws) -> tuple[Pressed, dict[str, Any]]:
    """Press the digest on all results of an insight and receive the message that its topic sends."""
    hub = aws.client("securityhub")
    insight = hub.create_insight(Name="Findings by account", Filters={}, GroupByAttribute="AwsAccountId")[
        "InsightArn"
    ]
    queue_url = subscribe_queue(aws)
    (pressed,) = press_all(aws, analyst, "InsightDigest", insight=insight)
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


def await_answer(aws: EmbeddedAws, event: Mapping[str, Any]) -> Delivery:
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


def read_back(analyst: Aws, findings: Sequence[Mapping[str, Any]], *, status: str) -> list[dict[str, Any]]:
    """Read the findings back from Security Hub and insist that each has a workflow status and its note."""
    found = findings_with_ids(analyst, [finding["Id"] for finding in findings])
    for finding in found:
        changed = finding["Workflow"]["Status"] == status and "Note" in finding
        expect(changed, f"The finding {finding['Id']} was not changed: {finding['Workflow']}")
    return found


def describe(
    action_id: str,
    pressed: Sequence[Pressed],
    before: Sequence[Mapping[str, Any]] = (),
    after: Sequence[Mapping[str, Any]] = (),
) -> Iterator[RenderableType]:
    """Say what an action set in motion: for each event the answer, and what became of its finding."""
    first = pressed[0]
    yield Text.assemble(("Custom action ", ""), (action_id, "bold"))
    yield entries(
        ("action", first.event["resources"][0]),
        ("rule", first.delivery.rule_arn),
        ("Lambda", first.delivery.target_arn),
    )
    changed = [describe_finding(*pair) for pair in zip(before, after, strict=True)]
    for at, one in enumerate(pressed):
        answer = one.delivery.answer
        said = json.dumps(answer.payload if answer else None, ensure_ascii=False)
        yield entries(
            ("event", f"{one.event['detail-type']} ({one.event['id']})"),
            ("answer", said if len(said) <= _LONGEST_ANSWER else f"{said[:_LONGEST_ANSWER]} ..."),
            *(changed[at] if changed else ()),
        )


def describe_finding(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[tuple[str, object]]:
    """Say how a finding changed."""
    return [
        (
            "finding",
            f"{after['AwsAccountId']}  {after['Severity']['Label']:<8}  "
            f"{before['Workflow']['Status']} -> {after['Workflow']['Status']}  {after['Title']}",
        ),
        ("note", after["Note"]["Text"]),
    ]


def describe_message(message: Mapping[str, Any]) -> Iterator[RenderableType]:
    """Show the message as a subscriber of the topic gets it."""
    yield entries(("subject", message["Subject"]))
    for line in message["Message"].splitlines():
        yield from map(Text, _quoted(line))


def _quoted(line: str) -> list[str]:
    return textwrap.wrap(
        line,
        width(),
        initial_indent="    | ",
        subsequent_indent="    | ",
        drop_whitespace=False,
        break_on_hyphens=False,
    ) or ["    |"]


def expect(condition: bool, otherwise: str) -> None:
    """Stop the demo unless a condition holds."""
    if not condition:
        raise StepFailedError(otherwise)


if __name__ == "__main__":
    sys.exit(main())
