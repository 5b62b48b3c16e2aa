"""Delivers events to targets in place of MiniStack, with retries, dead-letter queues, and a log."""

from __future__ import annotations

import contextvars
import json
import logging
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from ministack.core.arn import parse_arn
from ministack.core.responses import get_account_id, get_region
from ministack.services import eventbridge

from emulator.delivery import asynchronous, targets
from emulator.delivery.inputs import InputPathError, is_broken, target_input
from emulator.delivery.log import CAPACITY, BusEvent, DeliveryLog, LambdaAnswer
from emulator.delivery.parcels import Parcel
from emulator.delivery.retry import Failure, RetryPolicy, attempt_until_delivered
from emulator.errors import INTERNAL_ERROR, INVALID_JSON, INVALID_PARAMETER, DeliveryError
from emulator.iam.requests_of_services import Rule

logger = logging.getLogger("emulator.delivery")
_WORKERS: Final = 32
_find_rules = eventbridge._dispatch_event  # noqa: SLF001 - see tests/emulator/contract


class Engine:
    """Delivers events to targets in the background.

    Attributes:
        log: The events and their deliveries.
    """

    def __init__(self, log: DeliveryLog) -> None:
        self.log = log
        self._workers = ThreadPoolExecutor(_WORKERS, thread_name_prefix="delivery")

    def dispatch(self, event: dict[str, Any], view: Any = None) -> None:  # noqa: ANN401 - MiniStack's view
        """Log the event, then let MiniStack find the rules. Replaces `eventbridge._dispatch_event`."""
        view = view or eventbridge._pattern_event_view(event)  # noqa: SLF001
        bus = f"arn:aws:events:{get_region()}:{get_account_id()}:event-bus/{event['EventBusName']}"
        self.log.add_event(BusEvent(event_bus_arn=bus, event=view.event_with_detail()))
        # MiniStack never deletes an event.
        del eventbridge._events_log_list()[:-CAPACITY]  # noqa: SLF001
        _find_rules(event, view)

    def deliver(
        self,
        target: dict[str, Any],
        event: dict[str, Any],
        rule: dict[str, Any],
        view: Any = None,  # noqa: ANN401 - MiniStack's view
    ) -> None:
        """Deliver in the background. Replaces `eventbridge._invoke_target`.

        Args:
            target: The target as PutTargets took it.
            event: MiniStack's record of the event.
            rule: MiniStack's record of the rule.
            view: The event as rules see it.
        """
        view = view or eventbridge._pattern_event_view(event)  # noqa: SLF001
        whole_event = view.event_with_detail()
        spec = parse_arn(rule["Arn"])
        own_rule = Rule(
            arn=rule["Arn"],
            account=spec.account_id,
            region=spec.region,
            name=rule["Name"],
            bus_name=rule.get("EventBusName", "default"),
        )
        try:
            payload = target_input(target, whole_event, rule_name=own_rule.name, rule_arn=own_rule.arn)
            problem = _broken(target, payload)
        except InputPathError as error:
            payload, problem = json.dumps(whole_event), DeliveryError(INVALID_PARAMETER, str(error))
        # Logged at once, so that the sender of the event can list its deliveries without waiting.
        delivery_id = self.log.open(
            event_id=whole_event["id"],
            rule_arn=own_rule.arn,
            target_id=target["Id"],
            target_arn=target["Arn"],
            payload=payload,
        )
        parcel = Parcel(
            rule=own_rule,
            target=dict(target),
            payload=payload,
            record=dict(event),
            event=whole_event,
        )
        self._workers.submit(contextvars.Context().run, self._deliver, delivery_id, parcel, problem)

    def _deliver(self, delivery_id: int, parcel: Parcel, problem: DeliveryError | None) -> None:
        def attempt() -> None:
            if problem is not None:
                raise problem
            _send_guarded(parcel)

        def note_answer(answer: LambdaAnswer) -> None:
            self.log.update(delivery_id, answer=answer)

        asynchronous.answer_listener.set(note_answer)
        failure = attempt_until_delivered(
            attempt,
            RetryPolicy.of_target(parcel.target),
            on_attempt=lambda number: self.log.update(delivery_id, attempts=number),
        )
        if failure is None:
            self.log.update(delivery_id, outcome="delivered")
        else:
            self._dead_letter(delivery_id, parcel, failure)

    def _dead_letter(self, delivery_id: int, parcel: Parcel, failure: Failure) -> None:
        """Send the event to the target's dead-letter queue, or log that it's lost."""
        error = {"error_code": failure.error.code, "error_message": str(failure.error)}
        queue = (parcel.target.get("DeadLetterConfig") or {}).get("Arn")
        if not queue:
            self.log.update(delivery_id, outcome="lost", **error)
            return
        attributes = {
            "RULE_ARN": parcel.rule.arn,
            "TARGET_ARN": parcel.target["Arn"],
            "ERROR_CODE": failure.error.code,
            "ERROR_MESSAGE": str(failure.error),
            "RETRY_ATTEMPTS": str(failure.attempts - 1),
        }
        if failure.exhausted:
            attributes["EXHAUSTED_RETRY_CONDITION"] = failure.exhausted
        try:
            targets.send_dead_letter(parcel.rule, queue, json.dumps(parcel.event), attributes)
        except DeliveryError as refusal:
            error["error_message"] += f" The dead-letter queue did not accept it either: {refusal}"
            self.log.update(delivery_id, outcome="lost", **error)
        else:
            self.log.update(delivery_id, outcome="dead-lettered", **error)


def _broken(target: dict[str, Any], payload: str) -> DeliveryError | None:
    if not is_broken(target, payload):
        return None
    return DeliveryError(INVALID_JSON, f"The values in the InputTemplate make it invalid JSON: {payload}")


def _send_guarded(parcel: Parcel) -> None:
    """Turn an unexpected error into a failed delivery, so that the log shows it."""
    try:
        targets.send(parcel)
    except DeliveryError:
        raise
    except Exception as error:
        logger.exception("Delivery to %s failed", parcel.target["Arn"])
        raise DeliveryError(INTERNAL_ERROR, f"{type(error).__name__}: {error}") from error
