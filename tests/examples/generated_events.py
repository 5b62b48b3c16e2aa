"""Events that are like those in tests/events, and differ from them in what filters and templates look at."""

from __future__ import annotations

import copy
import json

from emulator.server import DEFAULT_REGION
from tests.examples.running import ROOT

_ACTION = f"arn:aws:securityhub:{DEFAULT_REGION}:111122223333:action/custom/"
_CHOICES = {
    "Severity": [{"Label": label} for label in ("CRITICAL", "HIGH", "MEDIUM", "LOW", "critical")]
    + [None, "HIGH"],
    "Workflow": [{"Status": status} for status in ("NEW", "NOTIFIED", "RESOLVED")],
    "RecordState": ["ACTIVE", "ARCHIVED"],
    "Title": [
        'A "quoted" <title>',
        "back\\slash\n",
        "日本語 <b>&</b>",
        "",
        None,
        1.5,
        ["a", "b"],
        {"a": '"'},
    ],
    "Description": ["<aws.events.event>", "{}", "\u2028"],
    "Resources": [[], None, [{"Id": "a"}, {"Id": "b", "Type": "AwsS3Bucket"}], [{"Type": "x" * 300}]],
    "UpdatedAt": ["2026-01-31T09:02:31.229Z", 1],
    "AwsAccountId": ["444455556666", 5],
}


def corpus():
    """The events of tests/events in the Region of the examples, by name of the file."""
    folder = ROOT / "tests" / "events"
    return {
        file.stem: json.loads(file.read_text().replace("eu-west-1", DEFAULT_REGION))
        for file in sorted(folder.glob("*.json"))
    }


def generated(count, random):
    """Return so many events, each of the corpus with some changes."""
    originals = list(corpus().values())
    return [_changed(copy.deepcopy(random.choice(originals)), random) for _ in range(count)]


def _changed(event, random):
    event["id"] = f"{random.getrandbits(64):016x}"
    if random.random() < 0.7:
        event["resources"] = random.choice(
            [[f"{_ACTION}Everywhere"], [f"{_ACTION}Other", f"{_ACTION}Everywhere"]]
        )
    if random.random() < 0.1:
        del event[random.choice(["source", "resources", "time"])]
    findings = event["detail"].get("findings", [])
    for finding in findings:
        for name in random.sample(sorted(_CHOICES), random.randint(0, 3)):
            finding[name] = random.choice(_CHOICES[name])
        if random.random() < 0.2:
            del finding[random.choice(sorted(finding))]
    if findings and random.random() < 0.1:
        del findings[random.randrange(len(findings)) :]
    return event
