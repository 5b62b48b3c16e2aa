"""Compare the synthesis of 50 custom actions with the same written by hand in CDK.

By hand, there are an action, a rule, and a Lambda target each, without a dead-letter queue, a retry policy,
or a check. Each synthesis is a new Python process; by hand and with the library take turns, so that other
work on the machine affects both alike. The figures are medians of CPU seconds, those of Node.js included, of
seconds, and ratios of them; the messages to Node.js and back, of which the time is made; and how many of them
one more action costs, also beyond 40, where all rules share one permission of the function. Run it with
`python benchmarks/synthesis.py`.
"""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # for the tools of the project

from tools.cdk import toolchain_environment

_ENVIRONMENT: Final = {
    name: value for name, value in toolchain_environment().items() if name != "PYTHONDONTWRITEBYTECODE"
}
_ROUNDS: Final = 7
_ACTIONS: Final = 50
_APP: Final = """
import json
import sys

from jsii._kernel.providers import process

sent = 0
send = process._NodeProcess.send
def count(*arguments):
    global sent
    sent += 1
    return send(*arguments)
process._NodeProcess.send = count

import aws_cdk as cdk
from aws_cdk import aws_lambda as lambda_
{imports}

app = cdk.App(outdir=sys.argv[1])
stack = cdk.Stack(app, "Actions", env=cdk.Environment(account="111122223333", region="us-east-1"))
function = lambda_.Function(
    stack, "Function", runtime=lambda_.Runtime.PYTHON_3_13, handler="index.handle",
    code=lambda_.Code.from_inline("def handle(event, context): pass"),
)
for number in range(int(sys.argv[2])):
    action = dict(Id=f"Action{{number}}", Name=f"Action {{number}}", Description="Does something")
{action}
app.synth()
print(json.dumps(sent))
"""
_BY_HAND: Final = _APP.format(
    imports="from aws_cdk import aws_events as events, aws_events_targets as targets",
    action="""
    target = cdk.CfnResource(
        stack, f"Action{number}", type="AWS::SecurityHub::ActionTarget", properties=action
    )
    rule = events.Rule(
        stack, f"Rule{number}",
        event_pattern=events.EventPattern(
            source=["aws.securityhub"],
            detail_type=["Security Hub Findings - Custom Action", "Security Hub Insight Results"],
            resources=[target.get_att("ActionTargetArn").to_string()],
        ),
    )
    rule.add_target(targets.LambdaFunction(function))
""",
)
_WITH_THE_LIBRARY: Final = _APP.format(
    imports="from securityhub_actions import CustomActionRule, targets",
    action="""
    CustomActionRule(
        stack, f"Action{number}", action_id=action["Id"], action_name=action["Name"],
        description=action["Description"], targets=[targets.LambdaFunction(function)],
    )
""",
)


class Measured(NamedTuple):
    """What one synthesis took."""

    cpu_seconds: float
    seconds: float
    messages: int


def synthesize(app: str, actions: int = _ACTIONS) -> Measured:
    """Run an app in a new Python process and measure it, with what it starts."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(  # noqa: S603 - one of the two apps above
            [sys.executable, "-c", app, folder, str(actions)],
            env=_ENVIRONMENT,
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        sys.exit(f"The app failed:\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
    seconds, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Measured(cpu_seconds, seconds, json.loads(done.stdout.splitlines()[-1]))


def messages_of_one_more(app: str, fewer: int, more: int) -> float:
    """The messages that each action costs beyond a number of them."""
    return (synthesize(app, more).messages - synthesize(app, fewer).messages) / (more - fewer)


def main() -> None:
    """Print both, and the ratios of the library to what is written by hand."""
    apps = {"by hand": _BY_HAND, "with the library": _WITH_THE_LIBRARY}
    messages = {  # which also compiles the modules
        name: [messages_of_one_more(app, *numbers) for numbers in ((15, 25), (40, _ACTIONS))]
        for name, app in apps.items()
    }
    measured: dict[str, list[Measured]] = {name: [] for name in apps}
    for _ in range(_ROUNDS):
        for name, app in apps.items():
            measured[name].append(synthesize(app))
    print(f"Synthesis of {_ACTIONS} custom actions, medians of {_ROUNDS} rounds")
    print(f"{'':<20}{'CPU seconds':>12}{'seconds':>9}{'messages':>10}{'for one more':>14}{'beyond 40':>11}")
    medians = {}
    for name, rounds in measured.items():
        cpu, seconds = (statistics.median(values) for values in list(zip(*rounds, strict=True))[:2])
        medians[name] = cpu, seconds
        print(
            f"{name:<20}{cpu:>12.2f}{seconds:>9.2f}{rounds[0].messages:>10}"
            f"{messages[name][0]:>14.1f}{messages[name][1]:>11.1f}"
        )
    ratios = [ours / hand for hand, ours in zip(*medians.values(), strict=True)]
    print(f"{'ratio':<20}{ratios[0]:>12.2f}{ratios[1]:>9.2f}")


if __name__ == "__main__":
    main()
