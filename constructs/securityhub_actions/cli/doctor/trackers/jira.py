"""Projects, issue types, fields, and transitions in Jira.

Sources:
    https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issues/#api-rest-api-3-issue-createmeta-projectidorkey-issuetypes-get
    https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issues/#api-rest-api-3-issue-issueidorkey-transitions-get
    https://developer.atlassian.com/server/jira/platform/rest/v10000/api-group-issue/
    https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-workflow-statuses/#api-rest-api-3-status-get
    https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issue-resolutions/#api-rest-api-3-resolution-get
    https://developer.atlassian.com/cloud/jira/platform/webhooks/-
    https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-user-search/#api-rest-api-3-user-assignable-search-get
    https://developer.atlassian.com/server/jira/platform/rest/v10000/api-group-user/
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from typing import Any, Final

from securityhub_actions.cli.doctor.model import Check, fault, ok, skipped
from securityhub_actions.cli.doctor.trackers.api import (
    Api,
    ApiError,
    Tracker,
    basic,
    constants_of,
    default_wanted,
    in_path,
)
from securityhub_actions.cli.doctor.trackers.decisions import name_faults

_KEY: Final = "ticketing.jira"
_OWN: Final = frozenset({"project", "issuetype", "summary", "description", "labels"})
_ALWAYS_SET: Final = ("summary", "description", "labels")
_MEMBERS: Final = ("value", "name", "key", "id")
_EVENT: Final = "jira:issue_updated"
_CLOSING: Final = frozenset({"comment"})
_REFUSED: Final = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})


def examine(tracker: Tracker) -> Iterator[Check]:
    """Every project and issue type exists, takes the fields, and has a way to a done status."""
    cloud = "token" not in tracker.secret
    sign_in = (
        basic(tracker.secret["email"], tracker.secret["api_token"])
        if cloud
        else f"Bearer {tracker.secret['token']}"
    )
    api = Api(tracker.variables["URL"] + f"/rest/api/{3 if cloud else 2}", Authorization=sign_in)
    # Jira tells the same of all rules for one project.
    yield from dict.fromkeys(_of_places(api, cloud, tracker))
    if tracker.decisions:
        names = [one["name"] for path in ("/status", "/resolution") for one in api.get(path)]
        yield from name_faults(tracker, _KEY, "Jira", names)
    if tracker.webhook_url:
        yield _of_webhook(Api(tracker.variables["URL"], Authorization=sign_in), tracker.webhook_url)


_Given = tuple[str, Mapping[str, Any]]
_Open = tuple[str, Sequence[Mapping[str, Any]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where issues are created, and with which fields: those of all, and those of a rule.

    Attributes:
        key: The key in settings.toml of what the rule says; that of the tracker if it's the place of all.
        project: The key of the project.
        issue_type: The name of the issue type.
        more: The key in settings.toml under which further fields are specified.
        fields: The fields of new issues, by their IDs, each with its key in settings.toml.
        closing: The fields of transitions, likewise.
    """

    key: str
    project: str
    issue_type: str
    more: str
    fields: Mapping[str, _Given]
    closing: Mapping[str, _Given]


def _of_places(api: Api, cloud: bool, tracker: Tracker) -> Iterator[Check]:
    @cache
    def transitions(project: str, issue_type: str) -> _Open | None:
        return _transitions(api, cloud, project, issue_type)

    for place in _places(tracker):
        yield from _of_creation(api, place)
        yield from _of_assignee(api, cloud, place)
        yield from _of_closing(tracker, place, transitions(place.project, place.issue_type))


def _places(tracker: Tracker) -> Iterator[_Place]:
    default = (tracker.variables["PROJECT"], tracker.variables.get("ISSUE_TYPE") or "Task")
    for where, table in tracker.places:
        project, issue_type = table.get("project", default[0]), table.get("issue_type", default[1])
        yield _Place(
            key=_KEY + where,
            project=project,
            issue_type=issue_type,
            # What all issues of the project need isn't up to the rule.
            more=_KEY if (project, issue_type) == default else _KEY + where,
            fields=_given(tracker, where, table, "fields"),
            closing=_given(tracker, where, table, "close_fields"),
        )


def _given(tracker: Tracker, where: str, table: Mapping[str, Any], member: str) -> dict[str, _Given]:
    """Return the fields of the tracker and of one of its rules, which replace those of the same name."""
    return {
        name: (f"{_KEY}{at}.{member}.{name}", field)
        for at, settings in (("", tracker.settings), (where, table))
        for name, field in settings.get(member, {}).items()
    }


def _of_assignee(api: Api, cloud: bool, place: _Place) -> Iterator[Check]:
    """Check that issues can be assigned to those whom the settings name. Only some users may ask that."""
    key, field = place.fields.get("assignee", ("", {}))
    member = "accountId" if cloud else "name"
    for user in constants_of(field):
        asked = {"accountId" if cloud else "username": user}
        try:
            found = api.get("/user/assignable/search", project=place.project, maxResults=50, **asked)
        except ApiError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                continue  # there is no such project, which is reported
            if error.status not in _REFUSED:
                raise
            yield skipped(f"Whether issues in {place.project} can be assigned to {user} can't be read.")
            continue
        if user not in {one.get(member) for one in found}:
            yield fault(
                f"Issues in {place.project} can't be assigned to {user}.",
                f"Correct {key} in settings.toml, or let the user be assigned to issues of the project.",
            )


def _of_webhook(site: Api, url: str) -> Check:
    """Check the webhooks of the site, which only administrators see."""
    try:
        found = site.get("/rest/webhooks/1.0/webhook")
    except ApiError as error:
        return skipped(
            f"Whether Jira sends webhooks can't be read: it answered {error}, and shows them only to "
            "administrators.",
            f"Look in Settings, System, WebHooks for the URL {url}.",
        )
    registered = [one for one in found if one.get("url") == url]
    if not registered:
        return fault(f"Jira has no webhook with the URL {url}.", "Register it as docs/tickets.md says.")
    if not any(one.get("enabled", True) and _EVENT in one.get("events", ()) for one in registered):
        return fault(
            f"The webhook with the URL {url} is disabled, or without the event {_EVENT}.",
            "Enable it, and select the event Issue: updated.",
        )
    return ok(f"Jira sends the event {_EVENT} to {url}.")


def _of_creation(api: Api, place: _Place) -> Iterator[Check]:
    project, issue_type = place.project, place.issue_type
    try:
        types = _page(api, f"/issue/createmeta/{in_path(project)}/issuetypes", "issueTypes")
    except ApiError as error:
        if error.status != HTTPStatus.NOT_FOUND:
            raise
        yield fault(
            f"Jira has no project {project} in which the user can create issues.",
            f"Correct {place.key}.project in settings.toml, or give the user access.",
        )
        return
    ids = [one["id"] for one in types if one["name"].casefold() == issue_type.casefold()]
    if not ids:
        names = ", ".join(one["name"] for one in types)
        yield fault(
            f"The project {project} has no issue type {issue_type!r}, only {names}.",
            f"Correct {place.key}.issue_type in settings.toml.",
        )
        return
    metas = _page(api, f"/issue/createmeta/{in_path(project)}/issuetypes/{in_path(ids[0])}", "fields")
    known = {one["fieldId"]: one for one in metas}
    more, where = f"{place.more}.fields", f"{issue_type} in {project}"
    faults = [*_screen_faults(known, where), *_field_faults(known, place.fields, more, own=_OWN, place=where)]
    yield from faults
    if not faults:
        yield ok(f"Issues of the type {issue_type} in {project} need no other fields.")


def _screen_faults(known: Mapping[str, Mapping[str, Any]], place: str) -> Iterator[Check]:
    """Check that the screen has the fields that every ticket has. By a label, the function finds its own."""
    for name in _ALWAYS_SET:
        if name not in known:
            yield fault(
                f"{place} has no field {name} on its screen, which every ticket has.",
                "Add it in Jira to the screens for creating and editing issues.",
            )


def _field_faults(
    known: Mapping[str, Mapping[str, Any]],
    fields: Mapping[str, _Given],
    more: str,
    *,
    own: frozenset[str],
    place: str,
) -> Iterator[Check]:
    """Return what is wrong with fields, given those of a screen, and the key of what is missing."""
    for name, meta in known.items():
        if not meta.get("required") or meta.get("hasDefaultValue") or name in own:
            continue
        wanted = f"{place} requires the field {meta['name']} ({name})"
        if name in fields:
            key, field = fields[name]
            yield from default_wanted(field, key, wanted)
        else:
            yield fault(f"{wanted}.", f"Specify {more}.{name} in settings.toml.")
    for name, (key, field) in fields.items():
        if name not in known:
            if name not in own:
                yield fault(
                    f"{place} has no field {name} on its screen.",
                    f"Remove {key} from settings.toml, or add the field to the screen.",
                )
            continue
        allowed = {
            str(one[member])
            for one in known[name].get("allowedValues") or ()
            for member in _MEMBERS
            if member in one
        }
        unknown = [one for one in constants_of(field) if allowed and one not in allowed]
        if unknown and field["type"] != "cascade":
            yield fault(
                f"The field {known[name]['name']} ({name}) of {place} has no value {unknown[0]!r}.",
                f"Correct {key} in settings.toml.",
            )


def _transitions(api: Api, cloud: bool, project: str, issue_type: str) -> _Open | None:
    """Return an open issue and its transitions: Jira tells them only of an issue, and only the next ones."""
    jql = (
        f'project = "{project}" AND issuetype = "{issue_type}" AND labels = "security-hub" '
        "AND statusCategory != Done ORDER BY created DESC"
    )
    found = api.get("/search/jql" if cloud else "/search", jql=jql, maxResults=1, fields="status")["issues"]
    if not found:
        return None
    issue = str(found[0]["id"])
    path = f"/issue/{in_path(issue)}/transitions"
    return found[0].get("key", issue), api.get(path, expand="transitions.fields")["transitions"]


def _of_closing(tracker: Tracker, place: _Place, open_: _Open | None) -> Iterator[Check]:
    """Check the transitions of an open issue."""
    project, issue_type = place.project, place.issue_type
    if open_ is None:
        yield skipped(
            f"There is no open issue of the type {issue_type} in {project} yet, so its transitions can't be "
            "checked.",
            "Press the custom action on a finding, and run this again.",
        )
        return
    name, offered = open_
    chosen = _next(offered, tracker)
    if chosen is None:
        names = ", ".join(repr(one["name"]) for one in offered) or "none"
        yield fault(
            f"The issue {name} has neither the transition that resolves it nor one of the steps, only "
            f"{names}.",
            f"Correct {_KEY}.done_transition or {_KEY}.steps in settings.toml.",
        )
        return
    if _is_named_done(chosen, tracker) and not _leads_to_done(chosen):
        yield fault(
            f"The transition {chosen['name']!r} leads to the status {chosen['to']['name']!r}, which isn't of "
            "the category Done, so that the issue would count as open.",
            f"Put it into {_KEY}.steps, and in {_KEY}.done_transition the one that leads on to a status of "
            "that category; or change the category of the status in Jira.",
        )
        return
    screen = chosen.get("fields") or {}
    given = {one: field for one, field in place.closing.items() if one in screen}
    faults = [
        *_field_faults(
            screen,
            given,
            f"{place.more}.close_fields",
            own=_CLOSING,
            place=f"The transition {chosen['name']!r} of {project}",
        )
    ]
    yield from faults
    if not faults:
        yield ok(f"The issue {name} offers the transition {chosen['name']!r}, which needs no other fields.")


def _is_named_done(transition: Mapping[str, Any], tracker: Tracker) -> bool:
    done = tracker.variables.get("DONE_TRANSITION", "")
    return bool(transition["name"].casefold() == done.casefold())


def _leads_to_done(transition: Mapping[str, Any]) -> bool:
    return bool(transition["to"]["statusCategory"]["key"] == "done")


def _next(offered: Sequence[Mapping[str, Any]], tracker: Tracker) -> Mapping[str, Any] | None:
    """Return the transition that the function would take."""
    has_name = bool(tracker.variables.get("DONE_TRANSITION"))
    for one in offered:
        if _is_named_done(one, tracker) if has_name else _leads_to_done(one):
            return one
    steps = [step.casefold() for step in tracker.settings.get("steps", ())]
    named = [(steps.index(one["name"].casefold()), one) for one in offered if one["name"].casefold() in steps]
    return min(named, key=lambda pair: pair[0])[1] if named else None


def _page(api: Api, path: str, member: str) -> Sequence[Mapping[str, Any]]:
    page: Mapping[str, Any] = api.get(path, maxResults=200)
    found: Sequence[Mapping[str, Any]] = page.get(member) or page["values"]  # Cloud's or Data Center's
    return found
