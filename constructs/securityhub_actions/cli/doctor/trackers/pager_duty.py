"""Services, priorities, escalation policies, and the user in PagerDuty.

Source: https://developer.pagerduty.com/api-reference/
"""

from __future__ import annotations

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any, Final

from securityhub_actions.cli.doctor.model import Check, State, fault, ok, skipped, warning
from securityhub_actions.cli.doctor.trackers.api import Api, ApiError, Tracker, constants_of, in_path
from securityhub_actions.cli.doctor.trackers.decisions import name_faults

_KEY: Final = "ticketing.pager_duty"
# As lambda/functions/tickets/trackers/pager_duty_changes.py names them.
_STATES: Final = ("resolved", "resolved automatically", "merged")
_EVENTS: Final = frozenset({"incident.resolved", "incident.reopened"})


def examine(tracker: Tracker) -> Iterator[Check]:
    """Every service exists and is enabled, and so do the priorities, the policies, and the user."""
    api = Api(
        tracker.variables["URL"],
        Authorization=f"Token token={tracker.secret['api_token']}",
        Accept="application/vnd.pagerduty+json;version=2",
    )
    faults = [
        *_service_faults(api, tracker),
        *_field_faults(api, tracker),
        *_user_faults(api, tracker),
        *name_faults(tracker, _KEY, "PagerDuty", [*_STATES]),
    ]
    yield from faults
    if tracker.webhook_url:
        yield from _webhook_faults(api, tracker)
    if not any(one.state is State.FAULT for one in faults):
        yield ok("PagerDuty has the services, the user, and what else settings.toml names.")


def _webhook_faults(api: Api, tracker: Tracker) -> Iterator[Check]:
    """Check the webhook subscriptions that the key can see.

    Source: https://github.com/PagerDuty/api-schema/blob/main/reference/REST/openapiv3.json
    """
    url = tracker.webhook_url
    try:
        found = api.get("/webhook_subscriptions", limit=100)["webhook_subscriptions"]
    except ApiError as error:
        yield skipped(f"Whether PagerDuty sends webhooks can't be read: it answered {error}.")
        return
    registered = [one for one in found if (one.get("delivery_method") or {}).get("url") == url]
    events = {event for one in registered if one.get("active", True) for event in one.get("events", ())}
    if not registered:
        yield fault(f"PagerDuty has no webhook with the URL {url}.", "Register it as docs/tickets.md says.")
    elif missing := sorted(_EVENTS - events):
        yield fault(
            f"The webhook with the URL {url} is inactive, or without {' and '.join(missing)}.",
            "Activate it, and select both events.",
        )
    elif any(one["delivery_method"].get("temporarily_disabled") for one in registered):
        yield fault(
            f"PagerDuty has disabled the webhook with the URL {url} for a while, because it was refused.",
            "Put the secret that PagerDuty has shown into that in Secrets Manager, and enable the webhook.",
        )
    elif silent := sorted(_services(tracker) - _covered(registered, _services(tracker))):
        yield warning(
            f"PagerDuty sends no webhooks about the incidents of {', '.join(silent)}.",
            "Register the webhook for the account. Until then, polls find what is decided about them.",
        )
    else:
        yield ok(f"PagerDuty sends webhooks to {url}.")


def _services(tracker: Tracker) -> set[str]:
    """Return the IDs of the services in which incidents are triggered."""
    named = {place["service_id"] for _, place in tracker.places if place.get("service_id")}
    return {tracker.variables["SERVICE_ID"], *named}


def _covered(registered: list[dict[str, Any]], services: set[str]) -> set[str]:
    """Return those of the services that have a webhook: all, if one is for the account, or for a team."""
    filters = [one.get("filter") or {} for one in registered]
    if any(one.get("type") != "service_reference" for one in filters):
        return services
    return {str(one.get("id")) for one in filters}


def _service_faults(api: Api, tracker: Tracker) -> Iterator[Check]:
    for where, place in tracker.places:
        service_id = place.get("service_id", "" if where else tracker.variables["SERVICE_ID"])
        if not service_id:
            continue
        key = f"{_KEY}{where}.service_id"
        found = _get(api, f"/services/{in_path(service_id)}")
        if found is None:
            yield fault(f"PagerDuty has no service {service_id}.", f"Correct {key} in settings.toml.")
        elif found["service"].get("status") == "disabled":
            yield fault(
                f"The service {service_id} is disabled.", f"Enable it, or correct {key} in settings.toml."
            )
        elif seconds := found["service"].get("auto_resolve_timeout"):
            yield warning(
                f"The service {service_id} resolves incidents by itself after {int(seconds) / 3600:g} hours, "
                "although their findings still need work.",
                "Turn off auto-resolution in the settings of the service.",
            )


def _field_faults(api: Api, tracker: Tracker) -> Iterator[Check]:
    for where, place in tracker.places:
        for name, field in place.get("fields", {}).items():
            for one in constants_of(field):
                if not _exists(api, name, one):
                    yield fault(
                        f"PagerDuty has no {name.replace('_', ' ')} {one}.",
                        f"Correct {_KEY}{where}.fields.{name} in settings.toml.",
                    )


def _exists(api: Api, name: str, id_: str) -> bool:
    if name == "priority":
        return id_ in {one["id"] for one in api.get("/priorities", limit=100)["priorities"]}
    return _get(api, f"/escalation_policies/{in_path(id_)}") is not None


def _user_faults(api: Api, tracker: Tracker) -> Iterator[Check]:
    email = tracker.variables["FROM"]
    users = api.get("/users", query=email, limit=100)["users"]
    if email.casefold() not in {str(one.get("email")).casefold() for one in users}:
        yield fault(
            f"PagerDuty has no user with the email address {email}.",
            f"Correct {_KEY}.from_email in settings.toml.",
        )


def _get(api: Api, path: str) -> dict[str, dict[str, Any]] | None:
    try:
        found: dict[str, dict[str, Any]] = api.get(path)
    except ApiError as error:
        if error.status != HTTPStatus.NOT_FOUND:
            raise
        return None
    return found
