from __future__ import annotations

import dataclasses
import json

import pytest

from emulator.delivery.log import BusEvent, Delivery, DeliveryLog, LambdaAnswer


def opened(log, event_id="e"):
    return log.open(event_id=event_id, rule_arn="r", target_id="t", target_arn="a", payload="{}")


def test_the_log_keeps_the_newest_only():
    log = DeliveryLog(capacity=2)
    for number in "123":
        opened(log, number)
        log.add_event(BusEvent(event_bus_arn="bus", event={"id": number}))
    assert [delivery.event_id for delivery in log.deliveries()] == ["2", "3"]
    assert [entry.event["id"] for entry in log.events()] == ["2", "3"]


def test_an_update_of_what_left_the_log_is_ignored():
    log = DeliveryLog(capacity=1)
    first, second = opened(log), opened(log)
    log.update(first, outcome="lost")
    assert [(delivery.id, delivery.outcome) for delivery in log.deliveries()] == [(second, "pending")]


def test_whatever_is_noted_is_a_change_even_of_what_left_the_log():
    log = DeliveryLog(capacity=1)
    log.add_event(BusEvent(event_bus_arn="bus", event={}))
    first = opened(log)
    opened(log)
    log.update(first, outcome="lost")
    assert log.changes() == 4


@pytest.mark.parametrize("answer", [None, LambdaAnswer(payload=[1], function_error=None, attempts=1)])
def test_a_delivery_survives_the_way_through_json(answer):
    log = DeliveryLog()
    log.update(opened(log), outcome="delivered", attempts=2, answer=answer)
    [delivery] = log.deliveries()
    assert Delivery.from_json(json.loads(json.dumps(dataclasses.asdict(delivery)))) == delivery
