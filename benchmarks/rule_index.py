"""How many events per second an index over 300 rules decides, side by side with each rule by itself.

Run it with ``python benchmarks/rule_index.py``. Both get the same filters, compiled beforehand, and the same
decoded event of about 3 KB, in turns, so that other work on the machine hits both alike. The figures are
medians. Below is how long one rule takes for an event with many array elements: 20 findings, each with 10
resources and 10 standards.
"""

from __future__ import annotations

import copy
import json
import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from securityhub_actions.filters import (
    AnythingBut,
    EqualsIgnoreCase,
    FindingFilter,
    Numeric,
    Prefix,
    Wildcard,
)
from securityhub_actions.patterns import EventPattern, RuleIndex

_SAMPLE: Final = Path(__file__).parents[1] / "tests" / "events" / "findings_imported.json"
_EVENT_CHARACTERS: Final = 3072
_RULES: Final = 300
_MOST_MATCHES: Final = 5
_ROUNDS: Final = 7
_CALLS_OF_INDEX: Final = 2000
_CALLS_OF_RULES: Final = 40
_CALLS_OF_BIG_EVENT: Final = 5


def _event() -> dict[str, Any]:
    """A full finding, its description drawn out to an event of about 3 KB."""
    event: dict[str, Any] = json.loads(_SAMPLE.read_text(encoding="utf-8"))
    finding = event["detail"]["findings"][0]
    finding["Description"] += "." * (_EVENT_CHARACTERS - len(json.dumps(event)))
    return event


def _big_event() -> dict[str, Any]:
    """An event in which only the last resource of the last finding is a bucket."""
    event: dict[str, Any] = json.loads(_SAMPLE.read_text(encoding="utf-8"))
    finding = event["detail"]["findings"][0]
    finding["Compliance"]["AssociatedStandards"] = [{"StandardsId": f"standards/{at}"} for at in range(10)]
    finding["Resources"] = [
        {**finding["Resources"][0], "Id": f"arn:{at}", "Type": "AwsEc2Instance", "Tags": {"team": "a"}}
        for at in range(10)
    ]
    findings = [copy.deepcopy(finding) for _ in range(20)]
    findings[-1]["Resources"][-1]["Type"] = "AwsS3Bucket"
    event["detail"]["findings"] = findings
    return event


def _account(number: int) -> str:
    return f"{444455556666 + number}"


def _scores(number: int) -> Numeric:
    return Numeric(">", round(0.3 * number, 6), "<=", round(0.3 * (number + 1), 6))


_KINDS: Final[Mapping[str, Callable[[int], FindingFilter]]] = {
    "an account each": lambda at: FindingFilter(account_ids=_account(at), severity=["CRITICAL", "HIGH"]),
    "a control each": lambda at: FindingFilter(control_ids=f"S3.{at}", severity=["CRITICAL", "HIGH"]),
    "a prefix of titles each": lambda at: FindingFilter(title=Prefix(f"Rule {at} "), severity="HIGH"),
    "a resource tag each": lambda at: FindingFilter(resource_tags={f"team{at}": "a"}, severity="HIGH"),
    "a range of scores each": lambda at: FindingFilter(severity_score=_scores(at)),
    "a title in any case each": lambda at: FindingFilter(title=EqualsIgnoreCase(f"rule {at}")),
    "a wildcard in every tenth": lambda at: FindingFilter(
        resource_id=f"bucket-{at}" if at % 10 else Wildcard(f"arn:*:bucket-{at}-*")
    ),
    "another excluded account, and a bucket": lambda at: FindingFilter(
        account_ids=AnythingBut(_account(at)), resource_id=f"arn:aws:s3:::bucket-{at}"
    ),
}


def _mixed(at: int) -> FindingFilter:
    kinds = list(_KINDS.values())
    return kinds[at % len(kinds)](at)


def _rate(decide: Callable[[], object], calls: int) -> float:
    start = time.perf_counter()
    for _ in range(calls):
        decide()
    return calls / (time.perf_counter() - start)


def _compare(title: str, kind: Callable[[int], FindingFilter], event: dict[str, Any]) -> None:
    rules = {f"Rule{at}": EventPattern.parse(kind(at).to_event_pattern()) for at in range(_RULES)}
    index = RuleIndex(rules)

    def one_by_one() -> tuple[str, ...]:
        return tuple(name for name, pattern in rules.items() if pattern.matches(event))

    matches = index.matches(event)
    assert matches == one_by_one()
    assert len(matches) <= _MOST_MATCHES
    together, alone = [], []
    for _ in range(_ROUNDS):
        together.append(_rate(lambda: index.matches(event), _CALLS_OF_INDEX))
        alone.append(_rate(one_by_one, _CALLS_OF_RULES))
    mine, other = statistics.median(together), statistics.median(alone)
    print(f"{title:<40} {len(matches):>7} {mine:>9,.0f} {other:>11,.0f} {mine / other:>7.1f}")


def _time_big_event(title: str, findings: FindingFilter, event: dict[str, Any], *, expected: bool) -> None:
    pattern = EventPattern.parse(findings.to_event_pattern())
    assert pattern.matches(event) is expected
    rates = [_rate(lambda: pattern.matches(event), _CALLS_OF_BIG_EVENT) for _ in range(_ROUNDS)]
    print(f"{title:<40} {1000 / statistics.median(rates):>7.1f}")


def main() -> None:
    """Prints events per second of the index and of each rule by itself, then milliseconds for a big event."""
    event, big = _event(), _big_event()
    print(f"{len(json.dumps(event)):,} characters an event, {_ROUNDS} rounds, one core, events per second")
    print(f"{f'{_RULES} rules with':<40} {'matches':>7} {'index':>9} {'one by one':>11} {'ratio':>7}")
    for title, kind in _KINDS.items():
        _compare(title, kind, event)
    _compare("all of these, mixed", _mixed, event)
    print(f"\n{len(json.dumps(big)):,} characters, 20 findings with 10 resources and 10 standards, one rule")
    print(f"{'':<40} {'ms':>7}")
    instance = FindingFilter(
        resource_type="AwsEc2Instance", resource_id=Prefix("arn:"), standards="standards/9", severity="LOW"
    )
    bucket = FindingFilter(
        resource_type="AwsS3Bucket",
        resource_id="arn:0",
        resource_tags={"team": "a"},
        standards=Prefix("standards/"),
        severity="CRITICAL",
    )
    _time_big_event("fails on the severity", instance, big, expected=False)
    _time_big_event("fails on the same resource", bucket, big, expected=False)


if __name__ == "__main__":
    main()
