"""Columns, choices, and references of incidents in ServiceNow.

Sources:
    https://www.servicenow.com/docs/bundle/zurich-api-reference/page/integrate/inbound-rest/concept/c_TableAPI.html
    https://www.servicenow.com/docs/r/yokohama/platform-security/authentication/r_OAuthAPIRequestParameters.html
    https://www.servicenow.com/docs/r/washingtondc/platform-administration/t_SpecifyingADefaultValue.html
"""

from __future__ import annotations

import json
import re
import time
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from securityhub_actions.cli.aws import code_of, denied_action
from securityhub_actions.cli.doctor.model import Check, denied, fault, ok, warning
from securityhub_actions.cli.doctor.trackers.api import (
    Api,
    ApiError,
    Tracker,
    basic,
    constants_of,
    default_wanted,
)
from securityhub_actions.cli.doctor.trackers.decisions import name_faults

_KEY: Final = "ticketing.service_now"
_OWN: Final = frozenset(
    {
        "close_code",
        "close_notes",
        "correlation_display",
        "correlation_id",
        "description",
        "impact",
        "short_description",
        "state",
        "urgency",
    }
)
_JWT_BEARER: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_SYS_ID: Final = re.compile(r"[0-9a-f]{32}")
_REFUSED: Final = frozenset({401, 403, 404})


def examine(tracker: Tracker) -> Iterator[Check]:
    """The user can read incidents, and the columns, choices, and references exist."""
    client = tracker.aws.client("kms")
    try:
        authorization = _sign_in(tracker)
    except client.exceptions.ClientError as error:
        yield (
            denied(error, "ServiceNow")
            if denied_action(error)
            else fault(
                f"AWS KMS can't sign with the key {tracker.variables.get('JWT_KEY')}: {code_of(error)}.",
                f"Correct {_KEY}.jwt_key_id in settings.toml: an enabled RSA key for signing.",
            )
        )
        return
    api = Api(tracker.variables["URL"], Authorization=authorization)
    _rows(api, "incident", "", "sys_id", limit=1)
    faults = [
        *_column_faults(api, tracker),
        *_choice_faults(api, tracker),
        *_reference_faults(api, tracker),
        *_decision_faults(api, tracker),
    ]
    yield from faults
    if not faults:
        yield ok("ServiceNow has the columns, choices, and records that settings.toml names.")


def _sign_in(tracker: Tracker) -> str:
    secret = tracker.secret
    if key_id := tracker.variables.get("JWT_KEY"):
        client = {member: secret[member] for member in ("client_id", "client_secret") if member in secret}
        form = {"grant_type": _JWT_BEARER, **client, "assertion": _assertion(tracker, key_id)}
        return _bearer(tracker, form)
    if "client_id" not in secret:
        return basic(secret["username"], secret["password"])
    members = ("client_id", "client_secret", *(("username", "password") if "username" in secret else ()))
    grant = "password" if "username" in secret else "client_credentials"
    form = {"grant_type": grant, **{member: secret[member] for member in members}}
    return _bearer(tracker, form)


def _bearer(tracker: Tracker, form: Mapping[str, str]) -> str:
    return f"Bearer {Api(tracker.variables['URL']).post_form('/oauth_token.do', form)['access_token']}"


def _assertion(tracker: Tracker, key_id: str) -> str:
    """Return an assertion for the user, as the function makes them: signed by AWS KMS."""
    secret, now = tracker.secret, int(time.time())
    kid = {"kid": secret["jwt_kid"]} if secret.get("jwt_kid") else {}
    claims = {
        "iss": secret["client_id"],
        "aud": secret["client_id"],
        "sub": secret["jwt_subject"],
        "iat": now,
        "exp": now + 300,
        "jti": str(uuid.uuid4()),
    }
    header = {"alg": "RS256", "typ": "JWT", **kid}
    signed = ".".join(_encoded(json.dumps(part).encode()) for part in (header, claims))
    signature = tracker.aws.client("kms").sign(
        KeyId=key_id,
        Message=signed.encode(),
        MessageType="RAW",
        SigningAlgorithm="RSASSA_PKCS1_V1_5_SHA_256",
    )["Signature"]
    return f"{signed}.{_encoded(signature)}"


def _encoded(content: bytes) -> str:
    return urlsafe_b64encode(content).rstrip(b"=").decode()


def _tables(tracker: Tracker) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield each table of fields with its key."""
    for where, place in tracker.places:
        for member in ("fields", "close_fields"):
            yield f"{_KEY}{where}.{member}", place.get(member, {})


def _column_faults(api: Api, tracker: Tracker) -> Iterator[Check]:
    try:
        asked = "element,mandatory,column_label,default_value"
        rows = _rows(api, "sys_dictionary", "nameINtask,incident", asked, limit=2_000)
    except ApiError as error:
        if error.status not in _REFUSED:
            raise
        rows = []
    columns = {row["element"]: row for row in rows if row["element"]}
    if not columns:
        yield warning(
            "The columns of incidents could not be checked: the user can't read sys_dictionary.",
            "Let the user read sys_dictionary, or check yourself that the columns exist.",
        )
        return
    for key, fields in _tables(tracker):
        for name in fields:
            if name not in columns:
                yield fault(f"Incidents have no column {name}.", f"Correct {key}.{name} in settings.toml.")
    for name, row in columns.items():
        # ServiceNow itself fills a column that has a default value.
        if row["mandatory"] != "true" or row.get("default_value") or name in _OWN:
            continue
        key, wanted = f"{_KEY}.fields.{name}", f"Incidents require the column {row['column_label']} ({name})"
        if field := tracker.settings.get("fields", {}).get(name):
            yield from default_wanted(field, key, wanted)
        else:
            yield fault(f"{wanted}.", f"Specify {key} in settings.toml.")


def _choice_faults(api: Api, tracker: Tracker) -> Iterator[Check]:
    wanted = {
        "close_code": [tracker.variables.get("CLOSE_CODE") or "Solution provided"],
        "state": [*tracker.settings.get("steps", ())],
    }
    keys = {"close_code": "close_code", "state": "steps"}
    for column, values in wanted.items():
        choices = {row["value"] for row in _choices(api, column, "value")}
        for value in values:
            if choices and value not in choices:
                yield fault(
                    f"The column {column} has no choice {value!r}, only {', '.join(sorted(choices))}.",
                    f"Correct {_KEY}.{keys[column]} in settings.toml.",
                )


def _decision_faults(api: Api, tracker: Tracker) -> Iterator[Check]:
    """Check the names of states and resolution codes as the user sees them."""
    if not tracker.decisions:
        return
    labels = [
        row["label"] for column in ("state", "close_code") for row in _choices(api, column, "value,label")
    ]
    if labels:
        yield from name_faults(tracker, _KEY, "ServiceNow", labels)


def _choices(api: Api, column: str, columns: str) -> Sequence[Mapping[str, str]]:
    """Return the choices of a column; none if the user can't read them."""
    query = f"nameINtask,incident^element={column}^inactive=false"
    try:
        return _rows(api, "sys_choice", query, columns, limit=500)
    except ApiError as error:
        if error.status not in _REFUSED:
            raise
        return ()


def _reference_faults(api: Api, tracker: Tracker) -> Iterator[Check]:
    for key, fields in _tables(tracker):
        for name, field in fields.items():
            if field["type"] != "reference":
                continue
            for value in constants_of(field):
                if not _SYS_ID.fullmatch(value) and (found := _matches(api, field, value)) != 1:
                    number = "no record" if not found else "more than one record"
                    yield fault(
                        f"The table {field['table']} has {number} with the {field['column']} {value!r}.",
                        f"Correct {key}.{name} in settings.toml, or let the user read the table.",
                    )


def _matches(api: Api, field: Mapping[str, Any], value: str) -> int:
    column = field["column"]
    rows = _rows(api, field["table"], f"{column}={value}^ORDERBYsys_id", f"sys_id,{column}", limit=2)
    # ServiceNow ignores a condition on a column that the user can't read, and returns any records.
    return sum(row[column].casefold() == value.casefold() for row in rows)


def _rows(api: Api, table: str, query: str, columns: str, *, limit: int) -> Sequence[Mapping[str, str]]:
    answer = api.get(
        f"/api/now/table/{table}",
        sysparm_query=query,
        sysparm_fields=columns,
        sysparm_limit=limit,
        sysparm_display_value="false",
        sysparm_exclude_reference_link="true",
    )
    found: Sequence[Mapping[str, str]] = answer["result"]
    return found
