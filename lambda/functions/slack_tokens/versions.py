"""The versions of a secret in AWS Secrets Manager while it's rotated.

Source: https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_lambda-functions.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from invocation.secrets import Secret, members_of

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager.client import SecretsManagerClient

CURRENT: Final = "AWSCURRENT"
PENDING: Final = "AWSPENDING"


class Versions:
    """The versions of one secret."""

    def __init__(self, client: SecretsManagerClient, secret_id: str) -> None:
        """Prepare requests.

        Args:
            client: Secrets Manager.
            secret_id: The ARN of the secret.
        """
        self._client = client
        self._secret_id = secret_id

    def stages(self) -> Mapping[str, list[str]]:
        """Return the labels of each version by its ID."""
        return self._client.describe_secret(SecretId=self._secret_id).get("VersionIdsToStages", {})

    def current(self) -> Secret:
        """Return the members of the version that everyone reads.

        Raises:
            ValueError: It isn't a JSON object. The error doesn't contain its value.
        """
        found = self._client.get_secret_value(SecretId=self._secret_id)
        return members_of(self._secret_id, found.get("SecretString"))

    def pending(self, version: str) -> Secret | None:
        """Return the members of a version that isn't current yet, or None if it's still empty.

        Raises:
            ValueError: It isn't a JSON object. The error doesn't contain its value.
        """
        try:
            found = self._client.get_secret_value(
                SecretId=self._secret_id, VersionId=version, VersionStage=PENDING
            )
        except self._client.exceptions.ResourceNotFoundException:
            return None
        return members_of(self._secret_id, found.get("SecretString"))

    def put(self, version: str, members: Secret) -> bool:
        """Fill a version that isn't current yet. Return False if another invocation has done so already."""
        try:
            self._client.put_secret_value(
                SecretId=self._secret_id,
                ClientRequestToken=version,
                SecretString=json.dumps(members),
                VersionStages=[PENDING],
            )
        except self._client.exceptions.ResourceExistsException:
            return False
        return True

    def promote(self, version: str) -> None:
        """Make a version the one that everyone reads."""
        former = next((one for one, stages in self.stages().items() if CURRENT in stages), None)
        self._client.update_secret_version_stage(
            SecretId=self._secret_id,
            VersionStage=CURRENT,
            MoveToVersionId=version,
            **({"RemoveFromVersionId": former} if former else {}),
        )

    def abandon(self, version: str) -> None:
        """Give up a version, so that the next rotation begins with the current one."""
        self._client.update_secret_version_stage(
            SecretId=self._secret_id, VersionStage=PENDING, RemoveFromVersionId=version
        )
