"""Reports outcomes: as events on a bus of this app, and as metrics."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol

from invocation.environment import Environment, json_object, one_of
from invocation.event_bus import EventBus, EventsNotPutError
from invocation.messages import IncompleteError
from invocation.stop_switch import Stops
from securityhub.events import Finding, FindingsEvent, is_press
from securityhub.outcomes.metrics import Dimensions, OutcomeMetrics
from securityhub.outcomes.model import Operation, Outcome, Result

SOURCE: Final = "securityhub-actions.outcomes"
DETAIL_TYPE: Final = "Security Hub Action Outcome"
AUTOMATIC: Final = "automatic"
OTHER_ACCOUNTS: Final = "other"
"""The group of the accounts that are in none."""
_BUS: Final = "OUTCOME_BUS"
_METRICS: Final = "OUTCOME_METRICS"
_GROUPS: Final = "ACCOUNT_GROUPS"
_NO_CONTROL: Final = "none"

logger = logging.getLogger(__name__)


class OutcomesNotReportedError(IncompleteError):
    """Outcomes are not on the bus. What they tell of isn't undone, and isn't done again by a retry."""


class Bus(Protocol):
    """Where events are put."""

    def put(self, details: Sequence[Mapping[str, Any]], *, source: str, detail_type: str) -> None:
        """Put events on the bus.

        Raises:
            EventsNotPutError: Some are not there, or might not be.
        """


class Reporter(Protocol):
    """Reports outcomes to others, as `Outcomes` does."""

    def report(self, outcomes: Sequence[Outcome]) -> None:
        """Report outcomes.

        Raises:
            OutcomesNotReportedError: Some are not reported, or might not be.
        """


class Outcomes:
    """Reports the outcomes of one function."""

    def __init__(
        self,
        function: str,
        bus: Bus,
        *,
        control_of: Callable[[Finding], str | None],
        metrics: OutcomeMetrics | None = None,
        groups: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        """Prepare to report.

        Args:
            function: The name of the function, such as `remediate`.
            bus: Where the events are put.
            control_of: Returns the control of a finding, as far as no account can make it up.
            metrics: What counts. Default: nothing does.
            groups: The IDs of accounts, by the name of their group. Default: no groups.
        """
        self._function = function
        self._bus = bus
        self._control_of = control_of
        self._metrics = metrics
        self._groups = {account: name for name, accounts in (groups or {}).items() for account in accounts}

    @classmethod
    def from_environment(
        cls, environment: Environment, *, function: str, control_of: Callable[[Finding], str | None]
    ) -> Outcomes | None:
        """Return what reports on the bus that `OUTCOME_BUS` names, or None if it isn't set.

        Args:
            environment: The environment variables.
            function: The name of the function.
            control_of: As above.

        Raises:
            ValueError: `OUTCOME_METRICS` is neither `on` nor `off`, the default; or `ACCOUNT_GROUPS` isn't a
                JSON object of lists of account IDs.
        """
        if not (name := environment.get(_BUS, "").strip()):
            return None
        has_metrics = one_of(environment, _METRICS, ("on", "off"), default="off") == "on"
        return cls(
            function,
            EventBus(name),
            control_of=control_of,
            metrics=OutcomeMetrics(function) if has_metrics else None,
            groups=_groups(environment),
        )

    def received(self, event: FindingsEvent) -> None:
        """Count the findings of an event that is about to be handled."""
        if self._metrics:
            for finding in event.findings:
                self._metrics.received(self._dimensions(finding, event))
            self._metrics.flush()

    def report(self, outcomes: Sequence[Outcome]) -> None:
        """Report outcomes. Call it when what they tell of is done and remembered.

        Raises:
            OutcomesNotReportedError: Some are not on the bus, or might not be. Each attempt at reporting
                gives an outcome the same ID.
        """
        if not outcomes:
            return
        details = [
            one.to_detail(
                function=self._function,
                control=self._control_of(one.finding),
                account_group=self._group_of(one.finding),
            )
            for one in outcomes
        ]
        try:
            self._bus.put(details, source=SOURCE, detail_type=DETAIL_TYPE)
        except EventsNotPutError as error:
            self._count(outcomes, is_reported=False)
            raise OutcomesNotReportedError(
                f"What was done is not reported, and a retry only reports it: {error}"
            ) from error
        self._count(outcomes, is_reported=True)

    def stopping(
        self, stops: Stops, event: FindingsEvent, operation: Operation, request_id: str
    ) -> Callable[[tuple[Finding, ...]], None]:
        """Return what reports that changes are stopped for some findings of an event.

        It doesn't raise an error, because the invocation fails in any case, and its event is retried.

        Args:
            stops: What is stopped.
            event: The event.
            operation: What was to be done.
            request_id: The ID of the Lambda request.
        """

        def report(findings: tuple[Finding, ...]) -> None:
            outcomes = [
                Outcome(
                    operation=operation,
                    result=Result.STOPPED,
                    reason=stops.reason,
                    finding=finding,
                    event=event,
                    request_id=request_id,
                )
                for finding in findings
            ]
            try:
                self.report(outcomes)
            except OutcomesNotReportedError as error:
                logger.warning("%s", error)

        return report

    def _count(self, outcomes: Sequence[Outcome], *, is_reported: bool) -> None:
        if self._metrics:
            for one in outcomes:
                dimensions = self._dimensions(one.finding, one.event)
                if is_reported:
                    self._metrics.reached(one, dimensions)
                else:
                    self._metrics.not_reported(dimensions)
            self._metrics.flush()

    def _dimensions(self, finding: Finding, event: FindingsEvent) -> Dimensions:
        return Dimensions(
            action=event.action_id if is_press(event) else AUTOMATIC,
            control=self._control_of(finding) or _NO_CONTROL,
            account_group=self._group_of(finding),
        )

    def _group_of(self, finding: Finding) -> str:
        return self._groups.get(finding.aws_account_id, OTHER_ACCOUNTS)


def _groups(environment: Environment) -> Mapping[str, Sequence[str]]:
    return json_object(
        _GROUPS,
        environment.get(_GROUPS) or "{}",
        fits=lambda groups: all(
            isinstance(accounts, list) and all(isinstance(account, str) for account in accounts)
            for accounts in groups.values()
        ),
        allowed="a JSON object of names and lists of account IDs",
    )
