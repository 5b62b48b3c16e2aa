"""The Data API of Redshift: statements are recorded as finished and not run. Any cluster is taken to exist.

Source: https://docs.aws.amazon.com/redshift-data/latest/APIReference/API_ExecuteStatement.html
Source: https://docs.aws.amazon.com/redshift-data/latest/APIReference/API_BatchExecuteStatement.html
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import Any, Final

from ministack.core.responses import AccountRegionScopedDict, error_response_json, json_response, new_uuid

from emulator import services

SERVICE: Final = "redshift-data"
TARGET: Final = "RedshiftData"
_statements = AccountRegionScopedDict()
_MAX_STATEMENTS: Final = 40
_CONNECTION: Final = ("ClusterIdentifier", "WorkgroupName", "Database", "DbUser", "SecretArn")


def register() -> None:
    """Add the service to MiniStack. Calling it again changes nothing."""
    handler = services.json_handler("the Redshift Data API", _OPERATIONS)
    services.add_service(SERVICE, handler, sys.modules[__name__], target_prefixes=(TARGET,))


def reset() -> None:
    """Delete all statements."""
    _statements.clear()


def _execute(request: dict[str, Any]) -> Any:  # noqa: ANN401 - MiniStack's answers have no common type
    return _record(request, [request.get("Sql")])


def _execute_batch(request: dict[str, Any]) -> Any:  # noqa: ANN401
    return _record(request, request.get("Sqls") or [])


def _record(request: dict[str, Any], texts: list[Any]) -> Any:  # noqa: ANN401
    if problem := _problem(request, texts):
        return error_response_json("ValidationException", problem, 400)
    now, identifier = time.time(), new_uuid()
    connection = {name: request[name] for name in _CONNECTION if request.get(name)}
    _statements[identifier] = {
        "Id": identifier,
        **connection,
        "StatementName": request.get("StatementName"),
        "Texts": texts,
        "IsBatchStatement": "Sqls" in request,
        "CreatedAt": now,
    }
    return json_response({"Id": identifier, "CreatedAt": now, **connection})


def _problem(request: Mapping[str, Any], texts: list[Any]) -> str | None:
    """What the service has against a request."""
    if not texts or not all(isinstance(one, str) and one.strip() for one in texts):
        return "There is no SQL statement, or it is blank."
    if len(texts) > _MAX_STATEMENTS:
        return f"There are {len(texts)} SQL statements, and {_MAX_STATEMENTS} are allowed."
    if bool(request.get("ClusterIdentifier")) == bool(request.get("WorkgroupName")):
        return "Specify either ClusterIdentifier or WorkgroupName."
    if not request.get("Database"):
        return "Database is required."
    if request.get("DbUser") and request.get("SecretArn"):
        return "Specify either DbUser or SecretArn."
    return None


def _describe(request: dict[str, Any]) -> Any:  # noqa: ANN401
    found = _statements.get(request["Id"])
    if found is None:
        answer = {"Message": "Query does not exist.", "ResourceId": request["Id"]}
        return error_response_json("ResourceNotFoundException", "Query does not exist.", 400, answer)
    times = {"Status": "FINISHED", "CreatedAt": found["CreatedAt"], "UpdatedAt": found["CreatedAt"]}
    described = {
        "Id": found["Id"],
        **{name: found[name] for name in _CONNECTION if name in found},
        **times,
        "HasResultSet": False,
    }
    if not found["IsBatchStatement"]:
        return json_response({**described, "QueryString": found["Texts"][0]})
    parts = [
        {"Id": f"{found['Id']}:{number}", "QueryString": text, "HasResultSet": False, **times}
        for number, text in enumerate(found["Texts"], start=1)
    ]
    return json_response({**described, "SubStatements": parts})


def _list(request: dict[str, Any]) -> Any:  # noqa: ANN401
    """List statements, the newest first. A name finds all that begin with it."""
    wanted = request.get("StatementName") or ""
    found = [
        {
            "Id": one["Id"],
            "Status": "FINISHED",
            "CreatedAt": one["CreatedAt"],
            "UpdatedAt": one["CreatedAt"],
            "IsBatchStatement": one["IsBatchStatement"],
            **({"StatementName": one["StatementName"]} if one["StatementName"] else {}),
            **(
                {"QueryStrings": one["Texts"]}
                if one["IsBatchStatement"]
                else {"QueryString": one["Texts"][0]}
            ),
        }
        for one in reversed(list(_statements.values()))
        if (one["StatementName"] or "").startswith(wanted)
    ]
    return json_response({"Statements": found})


_OPERATIONS: Final[services.Operations] = {
    "ExecuteStatement": _execute,
    "BatchExecuteStatement": _execute_batch,
    "DescribeStatement": _describe,
    "ListStatements": _list,
}
