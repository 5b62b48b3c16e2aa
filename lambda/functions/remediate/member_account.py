"""Sessions in the accounts of the findings, through the member role of each account."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, cast

from botocore.exceptions import BotoCoreError, ClientError

from invocation import clients
from securityhub.events import Finding

if TYPE_CHECKING:
    from boto3.session import Session
    from mypy_boto3_sts.client import STSClient
    from mypy_boto3_sts.type_defs import CredentialsTypeDef

# The shortest that STS permits. One finding needs seconds.
_SESSION_SECONDS: Final = 900
_RENEWED_BEFORE: Final = timedelta(minutes=5)
# Several remediations of one finding have a session each. A session is never used for another finding, and
# its clients take up to 1.5 MB, so those of a burst would fill the function's memory before they expire.
_MOST_KEPT: Final = 4
_MAX_SESSION_NAME_CHARACTERS: Final = 64
_NOT_FOR_SESSION_NAMES: Final = re.compile(r"[^\w+=,.@-]", re.ASCII)
_READ_SECONDS: Final = 20
# The limit of the packed form, which can be reached below 2,048 characters.
_TOO_LARGE: Final = "PackedPolicyTooLarge"
SOURCE_IDENTITY_PREFIX: Final = "securityhub-"


class MemberRoleError(Exception):
    """The role in a member account is missing or can't be assumed, or STS could not be reached."""


def create_client(region: str) -> STSClient:
    """Create the client, once per container, for the endpoint of the function's own Region.

    Its tokens are valid in every Region, including opt-in Regions. The variable `AWS_STS_REGIONAL_ENDPOINTS`
    keeps older SDKs from using the global endpoint, whose tokens aren't.

    Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_temp_region-endpoints.html
    """
    client: STSClient = clients.create_client("sts", region=region, read_seconds=_READ_SECONDS)
    return client


class _ClientsOnly:
    """The part of boto3's session that remediations use, without the time that importing boto3 takes.

    Creating a client takes longer than its calls, so the plan and the change share it. A session of botocore
    for each role would take as long again, and read the models of services, of which EC2's alone has 20 MB.
    """

    def __init__(self, credentials: CredentialsTypeDef, region: str) -> None:
        self._credentials = credentials
        self._region = region
        self._clients: dict[tuple[str, str], Any] = {}

    def client(self, service_name: str, region_name: str | None = None) -> Any:  # noqa: ANN401 - as in boto3
        key = service_name, region_name or self._region
        if key not in self._clients:
            self._clients[key] = clients.one_session().create_client(
                service_name,
                region_name=key[1],
                aws_access_key_id=self._credentials["AccessKeyId"],
                aws_secret_access_key=self._credentials["SecretAccessKey"],
                aws_session_token=self._credentials["SessionToken"],
                config=clients.client_config(read_seconds=_READ_SECONDS),
            )
        return self._clients[key]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    session: Session
    expires: datetime


class MemberSessions:
    """Assumes the members' roles and caches the last sessions until shortly before they expire.

    A session is cached by account, Region, policy, and name, which contains the action and the finding: if it
    were used for another finding, CloudTrail in the member account would show the wrong one.

    Source: https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
    """

    def __init__(
        self,
        client: STSClient,
        *,
        partition: str,
        role: str,
        external_id: str,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Prepare to assume roles.

        Args:
            client: STS.
            partition: The partition of all accounts, such as `aws`.
            role: The path and name of the role, the same in every account.
            external_id: The external ID that the roles require.
            now: Returns the current time.
        """
        self._client = client
        self._partition = partition
        self._role = role
        self._external_id = external_id
        self._now = now
        self._kept: dict[tuple[str, str, str, str], _Kept] = {}

    def session(self, finding: Finding, action: str, policy: str) -> Session:
        """Return a session in the finding's account and Region.

        Args:
            finding: Names the account and the Region.
            action: The action that requested it, for CloudTrail.
            policy: The session policy as JSON.

        Raises:
            MemberRoleError: The role is missing or can't be assumed, or STS could not be reached.
        """
        key = (finding.aws_account_id, finding.region, session_name(finding, action), policy)
        threshold = self._now() + _RENEWED_BEFORE
        self._kept = {known: kept for known, kept in self._kept.items() if kept.expires > threshold}
        if key not in self._kept:
            self._kept = dict([*self._kept.items()][1 - _MOST_KEPT :])
            self._kept[key] = self._assume(*key, source_identity=_source_identity(action))
        return self._kept[key].session

    def _assume(self, account: str, region: str, name: str, policy: str, *, source_identity: str) -> _Kept:
        role_arn = f"arn:{self._partition}:iam::{account}:role/{self._role}"
        try:
            credentials = self._client.assume_role(
                RoleArn=role_arn,
                RoleSessionName=name,
                ExternalId=self._external_id,
                SourceIdentity=source_identity,
                Policy=policy,
                DurationSeconds=_SESSION_SECONDS,
            )["Credentials"]
        except (ClientError, BotoCoreError) as error:
            if isinstance(error, ClientError) and error.response["Error"]["Code"] == _TOO_LARGE:
                raise MemberRoleError(
                    f"The role {role_arn} could not be assumed: {error} The policy of the session has "
                    f"{len(policy)} characters. Only STS can tell whether it can be packed: shorten the "
                    "statements of the remediation."
                ) from error
            raise MemberRoleError(
                f"The role {role_arn} could not be assumed: {error} Check that the account has the member "
                "role with this function's role and external ID in its trust policy, and that no service "
                "control policy denies it."
            ) from error
        session = cast("Session", _ClientsOnly(credentials, region))
        return _Kept(session=session, expires=credentials["Expiration"])


def session_name(finding: Finding, action: str) -> str:
    """Return the role session's name: the action and the end of the finding's ID, as STS allows it."""
    name = f"{action}-{finding.id.rpartition('/')[2]}"
    return _NOT_FOR_SESSION_NAMES.sub("-", name)[:_MAX_SESSION_NAME_CHARACTERS]


def _source_identity(action: str) -> str:
    return _NOT_FOR_SESSION_NAMES.sub("-", f"{SOURCE_IDENTITY_PREFIX}{action}")[:_MAX_SESSION_NAME_CHARACTERS]
