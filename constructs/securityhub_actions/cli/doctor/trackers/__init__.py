"""Are the settings of ticketing what the trackers want?

The command signs in to the trackers as the function does, with the secrets that whoever runs it may read. It
only reads, and prints no value of a secret.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from securityhub_actions.cli.aws import denied_action
from securityhub_actions.cli.doctor.model import Check, fault, skipped, warning
from securityhub_actions.cli.doctor.patient import Function, Patient
from securityhub_actions.cli.doctor.trackers import connector, jira, pager_duty, service_now, slack, teams
from securityhub_actions.cli.doctor.trackers.api import ApiError, Tracker
from securityhub_actions.cli.doctor.trackers.settings import read_settings
from securityhub_actions.cli.doctor.trackers.webhooks import url_for

_CHECKS: Final[Mapping[str, Callable[[Tracker], Iterable[Check]]]] = {
    "jira": jira.examine,
    "servicenow": service_now.examine,
    "pagerduty": pager_duty.examine,
    "slack": slack.examine,
    "teams": teams.examine,
}

# The tracker without a secret: Security Hub has it.
_CONNECTOR: Final = "connector"


def trackers(patient: Patient) -> Iterator[Check]:
    """Projects, services, and channels exist, and the settings have the fields that they require."""
    functions = [function for function in patient.functions if function.environment.get("TRACKERS")]
    if not functions:
        yield skipped("The app opens no tickets.")
    for function in functions:
        settings = read_settings(patient, function)
        for name in str(function.environment["TRACKERS"]).split(","):
            if name in _CHECKS:
                yield from _of_tracker(patient, function, name, settings.get(name, {}))
            elif name == _CONNECTOR:
                yield from connector.examine(
                    patient.aws, _variables_of(function, name), settings.get(name, {})
                )


def _of_tracker(
    patient: Patient, function: Function, name: str, settings: Mapping[str, Any]
) -> Iterator[Check]:
    variables = _variables_of(function, name)
    secret = _secret(patient, variables.get("SECRET", ""))
    if isinstance(secret, Check):
        yield secret
        return
    try:
        decisions = json.loads(str(function.environment.get("TICKET_DECISIONS") or "{}"))
        tracker = Tracker(
            variables=variables,
            secret=secret,
            settings=settings,
            aws=patient.aws,
            decisions=decisions.get(name, {}),
            webhook_url=url_for(patient, name) if name in decisions else "",
        )
        yield from _CHECKS[name](tracker)
    except ApiError as error:
        yield fault(
            f"{variables.get('URL', name)} answered {error}.",
            f"Check the url in settings.toml, and the secret {variables.get('SECRET')}.",
        )
    except (LookupError, TypeError, ValueError) as error:
        yield warning(
            f"An answer of {variables.get('URL', name)} can't be read ({type(error).__name__}).", ""
        )


def _variables_of(function: Function, name: str) -> Mapping[str, str]:
    """Return the function's variables of a tracker, without its name."""
    prefix = f"{name.upper()}_"
    return {
        variable.removeprefix(prefix): str(value)
        for variable, value in function.environment.items()
        if variable.startswith(prefix)
    }


def _secret(patient: Patient, name: str) -> Mapping[str, str] | Check:
    client = patient.aws.client("secretsmanager")
    try:
        found = json.loads(client.get_secret_value(SecretId=name).get("SecretString") or "")
    except client.exceptions.ClientError as error:
        needs = denied_action(error) or "secretsmanager:GetSecretValue"
        return warning(
            f"A tracker could not be checked, because the secret {name} can't be read.", f"Allow {needs}."
        )
    except ValueError:
        found = None
    if not isinstance(found, dict):
        return skipped(f"The secret {name} isn't a JSON object, so its tracker can't be checked.")
    return {str(member): value for member, value in found.items() if isinstance(value, str)}
