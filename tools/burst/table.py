"""The bursts in docs/load.md: what each way through the app makes of a million findings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from securityhub_actions.cli.cost.amounts import Range
from securityhub_actions.cli.cost.findings import charges_of
from securityhub_actions.cli.cost.prices import load_prices
from securityhub_actions.cli.cost.requests import Work, load_work
from tools.burst.model import BATCH, RETENTION_SECONDS, Function, Outcome, Rates, load_quotas, simulate

FINDINGS: Final = 1_000_000
ACCOUNTS: Final = (1_000, 5_000, 20_000)
SHIPPED_CONCURRENCY: Final = 5
SHIPPED_TICKETS_AN_HOUR: Final = 30
ALARM_HOURS: Final = 2.5
# As stacks/ticketing.py has it.
_LOOKS_AT_ONCE: Final = 2
_GIGABYTES: Final = 0.5
_HOUR: Final = 3_600.0
_SEEN: Final = 0.005
_SQS_REQUESTS: Final = 1.0 + 2.0 / BATCH
_WORK: Final = load_work()
HEADINGS: Final = (
    "Accounts",
    "What",
    "`maximum_concurrency`",
    "Hours",
    "Held back",
    "Dead letters",
    "Throttled",
    "US dollars",
    "What breaks first",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """A way through the app.

    Attributes:
        name: As the table calls it.
        handler: The handler of its function in requests.toml.
        kind: What becomes of a finding there.
        must_read: Whether a finding that can't be read fails.
    """

    name: str
    handler: str
    kind: str
    must_read: bool

    @property
    def work(self) -> Work:
        """What the function does for a finding."""
        return _WORK[self.handler][self.kind]

    @property
    def seconds(self) -> float:
        """How long the function works on a finding: the middle of what requests.toml estimates."""
        return self.work.seconds.middle

    @property
    def updates(self) -> float:
        """How often it calls BatchUpdateFindings for a finding."""
        return self.work.operations["securityhub:BatchUpdateFindings"]

    @property
    def reads(self) -> float:
        """How often it calls GetFindings for a finding."""
        return self.work.operations.get("securityhub:GetFindings", 0.0)


WAYS: Final = (
    Way(name="Tickets", handler="functions.tickets.handler.handle", kind="opened", must_read=False),
    Way(name="Remediation", handler="functions.remediate.handler.handle", kind="remediated", must_read=True),
)


def advised_concurrency(way: Way) -> int:
    """Return the highest `maximum_concurrency` with which Security Hub throttles nothing."""
    quotas = load_quotas()
    allowed = min(
        quotas[name].value / calls
        for name, calls in (("update_findings", way.updates), ("get_findings", way.reads))
        if calls
    )
    return max(2, int(allowed * way.seconds))


def burst(way: Way, concurrency: int) -> Outcome:
    """Simulate a burst on one of the ways."""
    quotas = load_quotas()
    return simulate(
        FINDINGS,
        Function(
            seconds=way.seconds,
            updates=way.updates,
            reads=way.reads,
            must_read=way.must_read,
            maximum_concurrency=min(concurrency, int(quotas["concurrency"].value)),
        ),
        Rates(
            updates=quotas["update_findings"].value,
            reads=quotas["get_findings"].value,
            arrivals=quotas["deliveries"].value,
            first_batches=quotas["first_batches"].value,
            more_batches=quotas["more_batches"].value,
        ),
        step=120.0,
    )


def cost(way: Way, outcome: Outcome) -> Range:
    """Return what a burst costs, in US dollars: requests, duration, logs, and the queue."""
    prices = load_prices().rows
    worked = replace(way.work, seconds=Range.of(outcome.busy / FINDINGS))
    total = Range.of(FINDINGS * _SQS_REQUESTS * prices["sqs_request"].each)
    charges = charges_of(
        worked, gigabytes=_GIGABYTES, number=Range.of(FINDINGS), invocations=Range.of(1 / BATCH)
    )
    for _, price, quantity in charges:
        total += quantity * prices[price].each
    return total


def held_back(way: Way, accounts: int, outcome: Outcome) -> float:
    """Return how many tickets exceed the limit of an account and hour, if the accounts take turns."""
    if way.kind != "opened":
        return 0.0
    each_hour = FINDINGS / (outcome.seconds / _HOUR) / accounts
    return FINDINGS * max(0.0, 1 - SHIPPED_TICKETS_AN_HOUR / each_hour)


def hours_of_held(way: Way, tickets: float, *, accounts: int) -> float:
    """Return how many hours it takes to open them, hour by hour. Each is read once more than a new one."""
    reads = load_quotas()["get_findings"].value / (way.reads + 1)
    a_second = min(_LOOKS_AT_ONCE / way.seconds, reads)
    return tickets / min(_HOUR * a_second, SHIPPED_TICKETS_AN_HOUR * accounts)


def rows() -> Iterator[tuple[str, ...]]:
    """Return the rows of the table."""
    for way in WAYS:
        advised = advised_concurrency(way)
        for concurrency in (SHIPPED_CONCURRENCY, advised, 10 * advised):
            outcome = burst(way, concurrency)
            for accounts in ACCOUNTS:
                yield _row(way, accounts, concurrency, outcome)


def _row(way: Way, accounts: int, concurrency: int, outcome: Outcome) -> tuple[str, ...]:
    held, dollars = held_back(way, accounts, outcome), cost(way, outcome)
    hours = hours_of_held(way, held, accounts=accounts)
    return (
        f"{accounts:,}",
        way.name,
        str(concurrency),
        f"{outcome.seconds / _HOUR:.0f}",
        f"{held:,.0f}",
        f"{outcome.dead:,.0f}",
        f"{outcome.throttled:.0%}",
        f"{dollars.low:.0f} to {dollars.high:.0f}",
        _first_to_break(way, held, outcome, hours),
    )


def _first_to_break(way: Way, held: float, outcome: Outcome, hours: float) -> str:
    if outcome.oldest > RETENTION_SECONDS:
        return "retention of the queue, 14 days"
    if outcome.dead >= 1:
        is_unread = way.must_read and outcome.unread >= _SEEN
        refused = "GetFindings, 3 a second" if is_unread else "BatchUpdateFindings, 10 a second"
        return f"{refused}: findings become dead letters"
    if outcome.unread >= _SEEN:
        return f"GetFindings, 3 a second: {outcome.unread:.0%} get the status that their event allows"
    if held >= 1:
        return f"`tickets_per_account_and_hour`: what is held back takes {hours:,.0f} more hours"
    if outcome.oldest > ALARM_HOURS * _HOUR:
        return f"the alarm on the age of the queue, after {ALARM_HOURS} hours; nothing is lost"
    return "nothing"


def markdown() -> str:
    """Return the table."""
    lines = [HEADINGS, ["---"] * len(HEADINGS), *rows()]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
