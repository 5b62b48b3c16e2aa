"""What takes data as a target: mutations of AppSync APIs, and the Data API of Redshift.

Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-targets.html
"""

from __future__ import annotations

import json
from typing import Any, Final

from ministack.services import appsync

from emulator import inprocess, redshift_data
from emulator.delivery.parcels import Parcel, json_input, require_role
from emulator.errors import (
    ERROR_FROM_TARGET,
    INVALID_PARAMETER,
    NO_RESOURCE,
    DeliveryError,
)

_SIGNED: Final = {"authorization": "AWS4-HMAC-SHA256"}


def run_mutation(parcel: Parcel) -> None:
    """Run the mutation of the target. The input of the target is its variables.

    AWS doesn't document what becomes of a mutation that answers with errors. Here, the delivery fails.

    Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/target-appsync.html
    Source: https://docs.aws.amazon.com/appsync/latest/devguide/security-authz.html#aws-iam-authorization
    """
    kind, _, api = parcel.arn.resource.rpartition("/")
    operation = (parcel.target.get("AppSyncParameters") or {}).get("GraphQLOperation")
    if kind != "endpoints/graphql-api" or not operation:
        raise DeliveryError(
            INVALID_PARAMETER, f"{parcel.arn} needs AppSyncParameters with a GraphQLOperation."
        )
    if not str(operation).lstrip().startswith("mutation"):
        raise DeliveryError(INVALID_PARAMETER, f"{parcel.arn} takes only a mutation, not {operation}.")
    variables = json_input(parcel)
    refusals: list[DeliveryError] = []

    def is_allowed(type_name: str, field: str) -> bool:
        owner = f"arn:{parcel.arn.partition}:appsync:{parcel.arn.region}:{parcel.arn.account_id}:apis/{api}"
        try:
            require_role(
                parcel, action="appsync:GraphQL", resource=f"{owner}/types/{type_name}/fields/{field}"
            )
        except DeliveryError as refusal:
            refusals.append(refusal)
        return not refusals

    request = {"query": operation, "variables": variables}
    # MiniStack runs it in a worker thread, too, because a data source can call other services.
    answer = appsync._execute_graphql(api, request, _SIGNED, is_allowed)  # noqa: SLF001 - see tests/emulator/contract
    if refusals:
        raise refusals[0]
    _require_success(parcel, answer)


def _require_success(parcel: Parcel, answer: Any) -> None:  # noqa: ANN401 - MiniStack's answers have no common type
    status, content = answer[0], json.loads(answer[2])
    if status == 404:  # noqa: PLR2004 - HTTP's status
        raise DeliveryError(NO_RESOURCE, f"{parcel.arn} does not exist.")
    if errors := content.get("errors"):
        again = status >= 500  # noqa: PLR2004 - HTTP's status
        raise DeliveryError(ERROR_FROM_TARGET, f"{parcel.arn} answered {errors}.", retryable=again)


def execute_statements(parcel: Parcel) -> None:
    """Run the SQL of the target on a cluster, with the access to the database that the target names.

    Source: https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_RedshiftDataParameters.html
    """
    given = parcel.target.get("RedshiftDataParameters") or {}
    kind, _, cluster = parcel.arn.resource.partition(":")
    one, several = given.get("Sql"), given.get("Sqls")
    if kind != "cluster" or not given.get("Database") or bool(one) == bool(several):
        raise DeliveryError(
            INVALID_PARAMETER,
            f"{parcel.arn} must be a cluster, and RedshiftDataParameters need a Database and Sql or Sqls.",
        )
    operation = "ExecuteStatement" if one else "BatchExecuteStatement"
    require_role(parcel, action=f"redshift-data:{operation}")
    _require_access(parcel, cluster, given)
    body = {
        "ClusterIdentifier": cluster,
        "Database": given["Database"],
        "DbUser": given.get("DbUser"),
        "SecretArn": given.get("SecretManagerArn"),
        "StatementName": given.get("StatementName"),
        "WithEvent": given.get("WithEvent", False),
        **({"Sql": one} if one else {"Sqls": several}),
    }
    inprocess.call_json(redshift_data.SERVICE, f"{redshift_data.TARGET}.{operation}", body)


def _require_access(parcel: Parcel, cluster: str, given: dict[str, Any]) -> None:
    """Raise unless the role can get the credentials for the database.

    Source: https://docs.aws.amazon.com/redshift-data/latest/APIReference/API_ExecuteStatement.html
    Source: https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonredshift.html
    """
    if secret := given.get("SecretManagerArn"):
        require_role(parcel, action="secretsmanager:GetSecretValue", resource=secret)
        return
    start = f"arn:{parcel.arn.partition}:redshift:{parcel.arn.region}:{parcel.arn.account_id}"
    database = f"{start}:dbname:{cluster}/{given['Database']}"
    if user := given.get("DbUser"):
        for resource in (f"{start}:dbuser:{cluster}/{user}", database):
            require_role(parcel, action="redshift:GetClusterCredentials", resource=resource)
        return
    require_role(parcel, action="redshift:GetClusterCredentialsWithIAM", resource=database)
