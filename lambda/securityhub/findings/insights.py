"""From the selected results of an insight to the findings that they count.

The event of such a press has no findings. They are what GetFindings returns for the filters of the insight,
with the selected values in place of what the filters say about the attribute that the results are grouped by.
Each is checked against all filters again. Independent of boto3 and Lambda, apart from `from_environment`.

Source: https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-cwe-event-formats.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Protocol

from invocation.environment import Environment, matching
from invocation.topic import (
    TOPIC_ARN,
    Message,
    Topic,
    create_client,
    fit_body,
    fit_subject,
    one_line,
    region_of,
)
from securityhub.events import (
    Finding,
    FindingsEvent,
    InsightFindingsEvent,
    InsightResultsEvent,
    MalformedEventError,
    MalformedItem,
    SecurityHubEvent,
    parse_finding,
)
from securityhub.events.contents import moment_or_none
from securityhub.findings import insight_filters
from securityhub.findings.insight_filters import MAX_VALUES, FilterNotUnderstoodError, Filters
from securityhub.findings.settled import settled_state

DEFAULT_MAX_FINDINGS: Final = 100
"""The most findings of one press: as many as one request of BatchUpdateFindings may have."""

# What is remembered of a press has to fit into an item of DynamoDB, 400 KB, with IDs of up to 512 characters.
_MAX_FINDINGS: Final = r"[1-9][0-9]?|[1-4][0-9]{2}|500"
# Enough to get through thousands of findings that only the check here leaves out. GetFindings allows three
# requests a second.
_MAX_PAGES: Final = 60
# As long as Amazon SQS keeps a dead letter, which can be sent again until then.
# Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html
_KEPT_SECONDS: Final = 14 * 24 * 3600

_Found = dict[tuple[str, str], Mapping[str, Any]]


class InsightNotResolvedError(Exception):
    """The findings of insight results can't be determined, and a retry wouldn't help."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Insight:
    """An insight.

    Attributes:
        filters: Which findings it has.
        group_by_attribute: The attribute whose values are its results.
    """

    filters: Filters
    group_by_attribute: str


class Reader(Protocol):
    """What is needed of Security Hub. `InsightReader` describes the methods."""

    def insight(self, arn: str) -> Insight:
        """Return an insight."""

    def findings(self, filters: Filters) -> Iterator[Sequence[Mapping[str, Any]]]:
        """Yield the findings that match filters, in pages."""


class Once(Protocol):
    """Does a piece of work once for each key."""

    def run(
        self, key: Mapping[str, str], work: Callable[[], Any], *, remembered_seconds: float
    ) -> tuple[Any, bool]:
        """Return the work's result, and whether it was done before."""


class Notices(Protocol):
    """Where people are told what couldn't be done."""

    def publish(self, message: Message) -> str:
        """Publish a message."""


class InsightFindings:
    """The findings of insight results, the same for each attempt at one press."""

    def __init__(
        self,
        *,
        reader: Reader,
        once: Callable[[], Once],
        notices: Callable[[], Notices] | None,
        max_findings: int = DEFAULT_MAX_FINDINGS,
    ) -> None:
        """Prepare for presses.

        Args:
            reader: Security Hub.
            once: Returns what remembers the findings of a press. What a first attempt writes to findings can
                let them no longer match the insight, and a second one must not act on others in their place.
            notices: Returns where it's said that findings can't be determined; None if nowhere.
            max_findings: The most findings of one press. Default: `DEFAULT_MAX_FINDINGS`.
        """
        self._reader = reader
        self._once = once
        self._notices = notices
        self._max_findings = max_findings

    @classmethod
    def from_environment(
        cls, environment: Environment, *, reader: Reader, once: Callable[[], Once]
    ) -> InsightFindings:
        """Read `INSIGHT_MAX_FINDINGS`, from 1 to 500, and `NOTICE_TOPIC_ARN`, a standard SNS topic or empty.

        Raises:
            ValueError: One of them is invalid.
        """
        limit = matching(
            environment,
            "INSIGHT_MAX_FINDINGS",
            pattern=_MAX_FINDINGS,
            allowed="a whole number from 1 to 500",
            default=str(DEFAULT_MAX_FINDINGS),
        )
        arn = matching(
            environment,
            "NOTICE_TOPIC_ARN",
            pattern=f"(?:{TOPIC_ARN})?",
            allowed="the ARN of a standard SNS topic, or empty",
        )
        # Made when it's needed, which is hardly ever: a client takes time at every cold start.
        notices = (lambda: Topic(create_client(region_of(arn)), arn)) if arn else None
        return cls(reader=reader, once=once, notices=notices, max_findings=int(limit))

    def resolve(self, event: SecurityHubEvent, *, not_done: str) -> FindingsEvent | str:
        """Return a press on insight results as one on their findings, and every other event as it is.

        Args:
            event: The event.
            not_done: What isn't done where the findings can't be determined, such as `no ticket was opened`.

        Returns:
            The event; or why the findings can't be determined, which is said in the notices, too.

        Raises:
            InsightNotResolvedError: The findings can't be determined, and there is nowhere to say so.
            MessageNotPublishedError: It could not be said.
            Exception: Security Hub or the table can't be reached now.
        """
        if not isinstance(event, InsightResultsEvent):
            return event
        try:
            return self._resolve(event)
        except (InsightNotResolvedError, FilterNotUnderstoodError) as error:
            reason = f"The findings of the insight's results could not be determined, so {not_done}. {error}"
            if self._notices is None:
                raise InsightNotResolvedError(reason) from error
            self._notices().publish(_notice(event, reason))
            return reason

    def _resolve(self, event: InsightResultsEvent) -> InsightFindingsEvent:
        action_arn = event.action_arn
        if action_arn is None:
            raise InsightNotResolvedError("The event names no custom action.")
        if not event.results:
            reasons = " ".join(item.reason for item in event.malformed_results[:1])
            raise InsightNotResolvedError(f"None of the selected results can be read. {reasons}".rstrip())
        found: _Found = {}

        def choose() -> dict[str, Any]:
            chosen, is_cut = self._choose(event)
            found.update(chosen)
            return {
                "findings": [list(identity) for identity in chosen],
                "settled": [_state(finding) for finding in chosen.values()],
                "is_cut": is_cut,
            }

        key = {"event": event.event_id, "resolves": "insight results"}
        chosen, is_repeated = self._once().run(key, choose, remembered_seconds=_KEPT_SECONDS)
        if is_repeated:
            found = self._read_again([(product, id_) for product, id_ in chosen["findings"]])
        findings, malformed = _parsed(found)
        return InsightFindingsEvent(
            event_id=event.event_id,
            account=event.account,
            region=event.region,
            time=event.time,
            resources=event.resources,
            action_arn=action_arn,
            action_name=event.action_name,
            action_description=event.action_description,
            findings=tuple(findings),
            malformed_findings=(*event.malformed_results, *malformed),
            insight_arn=event.insight_arn,
            insight_name=event.insight_name,
            results=len(event.results),
            counted=sum(result.count for result in event.results),
            is_cut=chosen["is_cut"],
            settled_since=_settled_since(findings, chosen) if is_repeated else frozenset(),
        )

    def _choose(self, event: InsightResultsEvent) -> tuple[_Found, bool]:
        """Return the findings of an event, the most severe first, and whether there may be more."""
        insight = self._reader.insight(event.insight_arn)
        if event.result_type != insight.group_by_attribute:
            raise InsightNotResolvedError(
                f"The insight now groups by {insight.group_by_attribute} instead of {event.result_type}. "
                "Select its results again."
            )
        insight_filters.check(insight.filters)
        found: _Found = {}
        is_cut = False
        for finding in self._matching(insight, [result.value for result in event.results], event.time):
            if finding is None or (len(found) == self._max_findings and _identity(finding) not in found):
                is_cut = True
                break
            found.setdefault(_identity(finding), finding)
        if not found:
            reason = "No finding matches the insight with these results any longer. Reload the insight."
            if is_cut:
                looked_at = f"the first {_MAX_PAGES * 100:,} findings with these results"
                reason = f"None of {looked_at} matches the filters of the insight. Select fewer results."
            raise InsightNotResolvedError(reason)
        return dict(sorted(found.items(), key=_most_severe_first)), is_cut

    def _matching(
        self, insight: Insight, values: Sequence[str], pressed: datetime
    ) -> Iterator[Mapping[str, Any] | None]:
        """Yield the findings of results; None at the end if there may be more than could be read.

        What was created after the press isn't among what was selected. The press can be an old one.
        """
        values = list(dict.fromkeys(values))
        attribute = insight.group_by_attribute
        selected = {attribute: insight_filters.selecting(attribute, values)}
        pages = 0
        for filters in insight_filters.requests_for(insight.filters, attribute, values):
            for page in self._reader.findings(filters):
                for finding in page:
                    created = moment_or_none(finding.get("CreatedAt"))
                    if created and created > pressed:
                        continue
                    if all(insight_filters.matches(finding, every) for every in (insight.filters, selected)):
                        yield finding
                pages += 1
                if pages == _MAX_PAGES:
                    yield None
                    return

    def _read_again(self, identities: Sequence[tuple[str, str]]) -> _Found:
        """Return the findings that an earlier attempt chose, as they are now, in the same order."""
        read: _Found = {}
        for start in range(0, len(identities), MAX_VALUES):
            batch = identities[start : start + MAX_VALUES]
            filters = {
                name: insight_filters.selecting(name, list(dict.fromkeys(values)))
                for name, values in zip(("ProductArn", "Id"), zip(*batch, strict=True), strict=True)
            }
            for page in self._reader.findings(filters):
                read |= {_identity(finding): finding for finding in page}
        return {identity: read[identity] for identity in identities if identity in read}


def counts_of(event: object) -> dict[str, object]:
    """Return what the answer of a function says about the insight of a press, if it was on one."""
    if not isinstance(event, InsightFindingsEvent):
        return {}
    return {
        "insight": {
            "arn": event.insight_arn,
            "results": event.results,
            "counted": event.counted,
            "findings": len(event.findings),
            "isCut": event.is_cut,
        }
    }


def _most_severe_first(item: tuple[tuple[str, str], Mapping[str, Any]]) -> tuple[float, tuple[str, str]]:
    """Return what findings are sorted by, so that their order is the same whenever they are the same."""
    identity, finding = item
    severity = finding.get("Severity")
    normalized = severity.get("Normalized") if isinstance(severity, Mapping) else None
    return -(normalized if isinstance(normalized, int | float) else 0), identity


def _identity(finding: Mapping[str, Any]) -> tuple[str, str]:
    return str(finding["ProductArn"]), str(finding["Id"])


def _state(finding: Mapping[str, Any]) -> str:
    try:
        return settled_state(parse_finding(finding))
    except MalformedEventError:
        return ""


def _settled_since(findings: Sequence[Finding], chosen: Mapping[str, Any]) -> frozenset[tuple[str, str]]:
    """Return which findings are in a settled state now that they weren't in when they were chosen."""
    # An earlier version of this function kept no states.
    states = chosen.get("settled") or [""] * len(chosen["findings"])
    before = {tuple(identity): state for identity, state in zip(chosen["findings"], states, strict=True)}
    return frozenset(
        one.identity for one in findings if settled_state(one) not in ("", before.get(one.identity))
    )


def _parsed(found: _Found) -> tuple[list[Finding], list[MalformedItem]]:
    findings: list[Finding] = []
    malformed: list[MalformedItem] = []
    for index, ((_, id_), finding) in enumerate(found.items()):
        try:
            findings.append(parse_finding(finding))
        except MalformedEventError as error:
            malformed.append(MalformedItem(index=index, id=id_, reason=str(error)))
    return findings, malformed


def _notice(event: InsightResultsEvent, reason: str) -> Message:
    name = one_line(event.insight_name)
    lines = [
        reason,
        "",
        f"Insight: {name}",
        f"Insight ARN: {one_line(event.insight_arn)}",
        f"Results selected: {len(event.results)}, of {one_line(event.result_type)}",
        f'Custom action: "{one_line(event.action_name)}" ({one_line(event.action_arn or "unknown")})',
        f"Pressed in account {event.account}, {one_line(event.region)}, at {event.time.isoformat()}",
        f"Event: {one_line(event.event_id)}",
    ]
    return Message(
        subject=fit_subject(f"Security Hub: nothing done for insight {name}"), body=fit_body(lines)
    )
