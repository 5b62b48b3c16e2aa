"""Doing a piece of work once, remembered in DynamoDB by AWS Lambda Powertools."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from aws_lambda_powertools.utilities.idempotency import (
    DynamoDBPersistenceLayer,
    IdempotencyConfig,
    idempotent_function,
)
from aws_lambda_powertools.utilities.idempotency.exceptions import IdempotencyAlreadyInProgressError
from aws_lambda_powertools.utilities.idempotency.persistence.base import BasePersistenceLayer
from aws_lambda_powertools.utilities.idempotency.persistence.datarecord import DataRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient

# As long as EventBridge may deliver an event again.
REMEMBERED_SECONDS: Final = 24 * 3600
_KEY_PREFIX: Final = "once"
_REPEATED: Final = "repeated"

Result = TypeVar("Result", bound=Mapping[str, object])


class WorkInProgressError(Exception):
    """Another invocation is doing the work right now."""


class RememberedWork:
    """Does a piece of work once for each key, also when invocations overlap or one of them dies.

    Source: https://docs.aws.amazon.com/powertools/python/latest/utilities/idempotency/
    """

    def __init__(self, store: BasePersistenceLayer) -> None:
        self._store = store
        self._config = IdempotencyConfig(
            expires_after_seconds=REMEMBERED_SECONDS, hash_function="sha256", response_hook=_mark
        )

    @classmethod
    def in_table(cls, client: DynamoDBClient, name: str) -> RememberedWork:
        """Remember it in a DynamoDB table.

        Args:
            client: DynamoDB.
            name: The table's name.
        """
        return cls(DynamoDBPersistenceLayer(table_name=name, boto3_client=client))

    def register_lambda_context(self, context: LambdaContext) -> None:
        """Let work that died be done again once this invocation's time is over."""
        self._config.register_lambda_context(context)

    def run(self, key: Mapping[str, str], work: Callable[[], Result]) -> tuple[Result, bool]:
        """Return the work's result, and whether it had been done before.

        Args:
            key: What makes it this piece of work and no other.
            work: Does it and returns JSON values by name.

        Raises:
            WorkInProgressError: Another invocation is doing it.
            Exception: What the work raised; it counts as not done.
        """

        def do(*, key: Mapping[str, str]) -> Result:  # noqa: ARG001 - Powertools reads it
            return work()

        once: Any = idempotent_function(
            do,
            data_keyword_argument="key",
            persistence_store=self._store,
            config=self._config,
            key_prefix=_KEY_PREFIX,
        )
        try:
            result: dict[str, Any] = once(key=dict(key))
        except IdempotencyAlreadyInProgressError as error:
            raise WorkInProgressError("Another invocation is at it; try again when it is done.") from error
        repeated = bool(result.pop(_REPEATED, False))
        return cast("Result", result), repeated

    def forget(self, key: Mapping[str, str]) -> None:
        """Let the work be done again; nothing happens where it was never done."""
        self._store.configure(self._config, key_prefix=_KEY_PREFIX)
        self._store.delete_record(data=dict(key), exception=_ForgottenError())


class _ForgottenError(Exception):
    """What Powertools notes in its debug log as the reason why a record goes."""


def _mark(response: Any, idempotent_data: DataRecord) -> dict[str, Any]:  # noqa: ANN401, ARG001 - Powertools' signature
    return {**response, _REPEATED: True}
