"""Show the whole chain on the embedded AWS: deploy the app, press custom actions, read back what happened.

Run it with `make demo`. The exit code is 0 only if every step was seen to happen.
"""

import contextlib
import json
import sys
import textwrap
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from emulator.delivery.log import Delivery
from emulator.server import DEFAULT_ACCOUNT, DEFAULT_REGION, EmbeddedAws, EmulatorError
from tools.cdk import ROOT
from tools.deploy import DeploymentFailedError, bootstrap, deploy

_FINDINGS: Final = ROOT / "examples" / "findings.json"
_STACK: Final = "SecurityHubAnalystActions"
_WIDTH: Final = 100


class StepFailedError(RuntimeError):
    """A step did not do what it is there to show."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pressed:
    """What pressing a custom action set in motion.

    Attributes:
        event: the event that Security Hub sent.
        delivery: what EventBridge did with it, with the Lambda function's answer.
    """

    event: dict[str, Any]
    delivery: Delivery


def main() -> int:
    """Run the demo and return the exit code."""
    started = time.monotonic()
    say(f"Security Hub actions on an embedded AWS (account {DEFAULT_ACCOUNT}, region {DEFAULT_REGION})\n")
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
        say("\nThe demo was interrupted; the embedded AWS is gone.")
        return 130
    say("\n" + "\n".join(summary))
    say(f"\nAll of it happened, in {time.monotonic() - started:.0f} s. The embedded AWS is stopped and gone.")
    return 0


def show_chain(aws: EmbeddedAws) -> list[str]:
    """Deploy, import, press and read back; return the summary's lines."""
    with step("cdk bootstrap"):
        bootstrap(aws)
    with step("cdk deploy (synthesizes, checks and deploys the templates)"):
        deploy(aws, report=progress)
    with step("Import three findings into Security Hub"):
        findings = import_findings(aws)
    with step("Press 'Suppress with note' on them"):
        suppression = press_on_findings(aws, "SuppressWithNote", findings)
    with step("Read the findings back"):
        suppressed = read_back(aws, findings)
    with step("Press 'Send digest' on the results of an insight, read the message from the topic"):
        digest, message = press_on_insight(aws)
    return [
        *describe("SuppressWithNote", suppression),
        *describe_findings(findings, suppressed),
        "",
        *describe("InsightDigest", digest),
        *describe_message(message),
    ]


def import_findings(aws: EmbeddedAws) -> list[dict[str, Any]]:
    """Import the example findings, as AWS services and partner products do."""
    findings: list[dict[str, Any]] = json.loads(_FINDINGS.read_text())["Findings"]
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
        f"The deployed app should have one custom action {action_id}, Security Hub has {arns}.",
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


def read_back(aws: EmbeddedAws, findings: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Read the findings back from Security Hub and insist that each is suppressed and has its note."""
    filters = {"Id": [{"Value": finding["Id"], "Comparison": "EQUALS"} for finding in findings]}
    found: list[dict[str, Any]] = aws.client("securityhub").get_findings(Filters=filters)["Findings"]
    expect(len(found) == len(findings), f"{len(findings)} findings were imported, {len(found)} are there.")
    for finding in found:
        changed = finding["Workflow"]["Status"] == "SUPPRESSED" and "Note" in finding
        expect(changed, f"The finding {finding['Id']} was not changed: {finding['Workflow']}")
    return found


def describe(action_id: str, pressed: Pressed) -> list[str]:
    """Say what an action set in motion: its ARN, the event, the rule and the Lambda function's answer."""
    delivery = pressed.delivery
    return [
        f"Custom action {action_id}",
        *field("action", pressed.event["resources"][0]),
        *field("event", f"{pressed.event['detail-type']} ({pressed.event['id']})"),
        *field("rule", delivery.rule_arn),
        *field("Lambda", delivery.target_arn),
        *field(
            "answer", json.dumps(delivery.answer.payload if delivery.answer else None, ensure_ascii=False)
        ),
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
        *(f"    | {line}" for line in message["Message"].splitlines()),
    ]


def field(name: str, value: str) -> list[str]:
    """Format one named value, wrapped below itself."""
    return textwrap.wrap(
        value,
        _WIDTH,
        initial_indent=f"  {name:<9}",
        subsequent_indent=" " * 11,
        break_on_hyphens=False,
        break_long_words=False,
    )


@contextlib.contextmanager
def step(title: str) -> Iterator[None]:
    """Announce a step, then say how long it took."""
    say(f"  {title} ...")
    started = time.monotonic()
    yield
    progress("")
    say(f"    done in {time.monotonic() - started:.1f} s")


def progress(text: str) -> None:
    """Show a passing state on a terminal; elsewhere it would only fill the log."""
    if sys.stdout.isatty():
        print(f"\r\033[K{text[:_WIDTH]}", end="", flush=True)


def say(text: str) -> None:
    """Print a line at once, also into a pipe."""
    print(text, flush=True)


def expect(condition: bool, otherwise: str) -> None:
    """Stop the demo unless a condition holds."""
    if not condition:
        raise StepFailedError(otherwise)


if __name__ == "__main__":
    sys.exit(main())
