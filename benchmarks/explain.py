"""How long the command `explain` takes on an app of 50 custom actions, each with a rule that has a filter.

Run it with ``python benchmarks/explain.py``. Each figure is of a whole process on one core, the start of
Python included: one event, as often as it takes for a median, and once a folder of 10,000 findings, each of
which can be in 51 events.
"""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from securityhub_actions.cli.sample_findings import SEVERITIES
from securityhub_actions.filters import FindingFilter

ROOT: Final = Path(__file__).resolve().parent.parent
_SAMPLE: Final = ROOT / "tests" / "events" / "findings_imported.json"
_ACTIONS: Final = 50
_FINDINGS: Final = 10_000
_ROUNDS: Final = 7
_ARN: Final = "arn:aws:securityhub:eu-west-1:111122223333:action/custom"


def _template() -> dict[str, Any]:
    """An app as `cdk synth` writes it: actions with rules and queues, and rules for imported findings."""
    resources: dict[str, Any] = {}
    for at in range(_ACTIONS):
        properties = {"Id": f"Action{at}", "Name": f"Action {at}", "Description": "An action"}
        target = {"Id": "Target0", "Arn": {"Fn::GetAtt": [f"Queue{at}", "Arn"]}}
        imported = FindingFilter(
            severity=list(SEVERITIES)[at % 5], control_ids=f"S3.{at}", account_ids=f"{111122223333 + at % 3}"
        )
        pressed = {
            "source": ["aws.securityhub"],
            "detail-type": ["Security Hub Findings - Custom Action", "Security Hub Insight Results"],
            "resources": [{"Fn::GetAtt": [f"Action{at}", "ActionTargetArn"]}],
        }
        resources |= {
            f"Action{at}": {"Type": "Custom::SecurityHubActionTarget", "Properties": properties},
            f"Queue{at}": {"Type": "AWS::SQS::Queue"},
            f"Pressed{at}": _rule(pressed, target),
            f"Imported{at}": _rule(imported.to_event_pattern(), target),
        }
    return {"Resources": resources}


def _rule(pattern: Any, target: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    return {"Type": "AWS::Events::Rule", "Properties": {"EventPattern": pattern, "Targets": [target]}}


def _write_findings(folder: Path) -> None:
    event = json.loads(_SAMPLE.read_text(encoding="utf-8"))
    (finding,) = event["detail"]["findings"]
    for at in range(_FINDINGS):
        control = {**finding["Compliance"], "SecurityControlId": f"S3.{at % _ACTIONS}"}
        severity = {"Label": list(SEVERITIES)[at % 5]}
        one = {**finding, "Id": f"finding-{at}", "Compliance": control, "Severity": severity}
        (folder / f"{at:05}.json").write_text(json.dumps(one), encoding="utf-8")


def _seconds(arguments: Sequence[str | Path]) -> tuple[float, float]:
    """How long a process takes, and how long it computes; other processes don't matter to the latter."""
    started, computed = time.perf_counter(), _computed()
    command = [sys.executable, "-m", "securityhub_actions.cli", "explain", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    taken = time.perf_counter() - started
    assert done.returncode == 0, done.stderr
    return taken, _computed() - computed


def _computed() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Prints the seconds that both take."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        app, findings = folder / "App.template.json", folder / "findings"
        app.write_text(json.dumps(_template()), encoding="utf-8")
        findings.mkdir()
        _write_findings(findings)
        place = ("--account", "111122223333", "--region", "eu-west-1")
        some = json.loads(_SAMPLE.read_text(encoding="utf-8"))
        press = {
            **some,
            "detail-type": "Security Hub Findings - Custom Action",
            "resources": [f"{_ARN}/Action0"],
        }
        event = folder / "press.json"
        event.write_text(json.dumps(press), encoding="utf-8")
        once = [_seconds([event, "--template", app, *place]) for _ in range(_ROUNDS)]
        taken, computed = (statistics.median(values) for values in zip(*once, strict=True))
        print(f"one event        {taken:6.2f} s, {computed:6.2f} s of it computing; goal 1.5 s")
        taken, computed = _seconds([findings, "--template", app, *place])
        print(f"{_FINDINGS:,} findings  {taken:6.2f} s, {computed:6.2f} s of it computing; goal 60 s")


if __name__ == "__main__":
    main()
