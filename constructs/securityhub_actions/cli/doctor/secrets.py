"""Are the secrets there, and are they what their readers expect?

No value of a secret is ever part of a result.

Sources:
    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/dynamic-references-secretsmanager.html
    https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from securityhub_actions.cli.assembly import is_known, shown
from securityhub_actions.cli.aws import code_of, denied_action
from securityhub_actions.cli.doctor import slack_tokens
from securityhub_actions.cli.doctor.model import Check, fault, ok, skipped, warning
from securityhub_actions.cli.doctor.patient import Patient
from securityhub_actions.cli.review.texts import texts_in

# The name of a secret that the app creates itself is unknown, and has a dollar sign.
_REFERENCE: Final = re.compile(r"resolve:secretsmanager:(?P<secret>[^$]+?):SecretString:(?P<member>[^:}]*)")
_VARIABLE: Final = re.compile(r"[A-Z][A-Z0-9_]*_SECRET")
# Each tracker accepts a secret that has all members of one of its sets. See docs/tickets.md.
_OF_TRACKERS: Final[Mapping[str, tuple[frozenset[str], ...]]] = {
    "JIRA_SECRET": (frozenset({"email", "api_token"}), frozenset({"token"})),
    "SERVICENOW_SECRET": (frozenset({"username", "password"}), frozenset({"client_id", "client_secret"})),
    "PAGERDUTY_SECRET": (frozenset({"api_token"}),),
    "SLACK_SECRET": (frozenset({"bot_token"}),),
    "TEAMS_SECRET": (frozenset({"webhook_url"}),),
}
# The function that rotates the tokens of Slack apps reads several secrets, with these members.
_OF_ROTATION: Final = (frozenset({"bot_token", "client_id", "client_secret", "refresh_token"}),)
_ANY_SHAPE: Final[tuple[frozenset[str], ...]] = (frozenset(),)
Shapes = tuple[frozenset[str], ...]


def secrets(patient: Patient) -> Iterator[Check]:
    """The tickets function and API destinations read secrets, each with members of its own."""
    wanted: dict[str, list[Shapes]] = {}
    for name, shapes in (*_of_functions(patient), *_of_templates(patient)):
        if shapes not in wanted.setdefault(name, []):
            wanted[name].append(shapes)
    if not wanted:
        yield skipped("The app reads no secrets.")
    for name, several in wanted.items():
        yield _of_secret(patient, name, several)


def _of_functions(patient: Patient) -> Iterator[tuple[str, Shapes]]:
    for function in patient.functions:
        for variable, value in function.environment.items():
            if _VARIABLE.fullmatch(variable) and value and is_known(value):
                yield str(value), _OF_TRACKERS.get(variable, _ANY_SHAPE)
        for name in slack_tokens.secrets_of(function):
            yield name, _OF_ROTATION


def _of_templates(patient: Patient) -> Iterator[tuple[str, Shapes]]:
    for stack in patient.stacks:
        for name, member in secrets_in(stack.resources):
            yield name, (frozenset({member} if member else ()),)


def secrets_in(value: object) -> Iterator[tuple[str, str]]:
    """Return the secrets to which a part of a template refers: the name, and the member or ''."""
    for text in texts_in(value):
        for match in _REFERENCE.finditer(shown(text)):
            yield match["secret"], match["member"]


def _of_secret(patient: Patient, name: str, several: list[Shapes]) -> Check:
    client = patient.aws.client("secretsmanager")
    try:
        value = client.get_secret_value(SecretId=name)
    except client.exceptions.ResourceNotFoundException:
        return fault(
            f"The secret {name} doesn't exist, or has no value.",
            f"Store {_in_words(several)} in it, with `aws secretsmanager create-secret --name {name} ...`.",
        )
    except client.exceptions.ClientError as error:
        action = denied_action(error)
        if action is None and code_of(error) != "InvalidRequestException":
            raise
        if action is None:  # It's marked for deletion.
            return fault(
                f"The secret {name} can't be read, because it is being deleted.",
                f"Run `aws secretsmanager restore-secret --secret-id {name}`.",
            )
        return warning(
            f"The secret {name} could not be checked: it needs {action}.",
            f"Allow {action}, or make sure yourself that the secret has {_in_words(several)}.",
        )
    missing = [shapes for shapes in several if not _fits(value.get("SecretString"), shapes)]
    if missing:
        return fault(
            f"The secret {name} must be a JSON object with {_in_words(missing)}, and isn't.",
            "Correct the secret. The functions read it again within five minutes; a connection of "
            "EventBridge takes it over when it's deployed with the context value "
            "securityhub-actions:secretsAsOf.",
        )
    return ok(f"The secret {name} has {_in_words(several)}.")


def _fits(text: str | None, shapes: Shapes) -> bool:
    if shapes == _ANY_SHAPE:
        return True
    try:
        document = json.loads(text or "")
    except ValueError:
        return False
    if not isinstance(document, dict):
        return False
    filled = {name for name, value in document.items() if isinstance(value, str) and value.strip()}
    return any(shape <= filled for shape in shapes)


def _in_words(several: Iterable[Shapes]) -> str:
    """The members that secrets need, such as `"email" and "api_token", or "token"`."""
    return (
        "; ".join(
            ", or ".join(" and ".join(f'"{member}"' for member in sorted(shape)) for shape in shapes)
            for shapes in several
            if shapes != _ANY_SHAPE
        )
        or "a value"
    )
