"""What `targets.EachFinding` makes of an event: an event for each finding, on a bus of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from securityhub_actions.cli.assembly import Rule, Target
from securityhub_actions.cli.explanation import CompiledRule, Explanation, Received, decoded
from securityhub_actions.cli.target_input import target_input
from securityhub_actions.each_finding_handler.parts import ROUTE, UnusableEventError, take_apart
from securityhub_actions.event_names import EACH_FINDING_SOURCE


def route_of(rule: Rule) -> str | None:
    """Return the route of the events that a rule matches, or None for a rule on any other bus."""
    pattern = rule.pattern or {}
    detail = pattern.get("detail")
    routes = detail.get(ROUTE) if isinstance(detail, Mapping) else None
    if pattern.get("source") != [EACH_FINDING_SOURCE] or not isinstance(routes, list) or len(routes) != 1:
        return None
    return str(routes[0])


def route_to(target: Target) -> str | None:
    """Return the route on which the events of a target go on, or None for any other target."""
    payload = decoded(target_input(target.properties, {}, rule_name="", rule_arn="", ingested=""))
    route = payload.get(ROUTE) if isinstance(payload, dict) else None
    return route if isinstance(route, str) else None


def origin_of(rule: Rule, rules: Sequence[Rule]) -> tuple[Rule, Target] | None:
    """Return the rule whose events a rule gets one by one, and its target that takes them apart."""
    route = route_of(rule)
    if route is None:
        return None
    found = ((one, target) for one in rules for target in one.targets if route_to(target) == route)
    return next(found, None)


def explain_all(rules: Sequence[CompiledRule], event: dict[str, Any]) -> list[Explanation]:
    """Say for each rule whether it matches. Those of `EachFinding` get what is made of the first finding.

    Args:
        rules: The rules where the event is.
        event: The event.
    """
    explained = [_shortened(rule.explain(event)) for rule in rules]
    sent = {
        route: (one.rule, received)
        for one in explained
        for received in one.received
        if (route := route_to(received.target)) is not None
    }
    return [
        one if (route := route_of(one.rule)) is None else _on_bus(rule, one, sent.get(route), event)
        for rule, one in zip(rules, explained, strict=True)
    ]


def _shortened(explanation: Explanation) -> Explanation:
    """Mark what a function gets that takes events apart as the event, which only has a route in addition."""
    received = [
        one if route_to(one.target) is None else replace(one, is_event=True) for one in explanation.received
    ]
    return replace(explanation, received=received)


def _on_bus(
    rule: CompiledRule, alone: Explanation, sent: tuple[Rule, Received] | None, event: Mapping[str, Any]
) -> Explanation:
    if event.get("source") == EACH_FINDING_SOURCE:
        return alone
    if sent is None:
        return replace(alone, failures=(), reason="no rule whose events it gets one by one matches")
    origin, received = sent
    parts = list(_parts(received, event))
    if not parts:
        return replace(alone, failures=(), reason="the event has no findings and no results")
    explanation = rule.explain(parts[0])
    what = f"the first of {len(parts)} events" if len(parts) > 1 else "the event"
    return replace(explanation, reason=f"it gets {what} made from that of {origin.path}")


def _parts(received: Received, event: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    payload = decoded(received.body)
    try:
        details = list(take_apart(payload if isinstance(payload, dict) else {}))
    except UnusableEventError:
        return
    for detail in details:
        yield {**event, "source": EACH_FINDING_SOURCE, "detail": detail}
