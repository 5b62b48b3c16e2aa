"""Clients of AWS services for the commands that need an account, and AWS's errors in one line.

The session comes from `--profile` and `--region`, or from the environment. Boto3 itself honors
`AWS_ENDPOINT_URL`, so that the commands also work with the embedded AWS.
"""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import click

from securityhub_actions.cli.errors import CommandError, ExitCode
from securityhub_actions.cli.options import a_region

_CONNECT_TIMEOUT_SECONDS: Final = 10
_READ_TIMEOUT_SECONDS: Final = 60
_MAX_ATTEMPTS: Final = 5
_PERFORMED: Final = re.compile(r"not authorized to perform:? (?P<action>[\w-]+:\w+)")

_DENIED: Final = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "AuthorizationError",
        "NotAuthorized",
        "UnauthorizedOperation",
    }
)
_EXPIRED: Final = frozenset(
    {"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"}
)
_UNKNOWN_CREDENTIALS: Final = frozenset(
    {"AuthFailure", "InvalidClientTokenId", "SignatureDoesNotMatch", "UnrecognizedClientException"}
)
_SIGN_IN: Final = "Sign in, for example with `aws sso login`, or specify another --profile."
_OF_BOTOCORE: Final = {
    "NoCredentialsError": f"There are no AWS credentials. {_SIGN_IN}",
    "PartialCredentialsError": f"The AWS credentials are incomplete. {_SIGN_IN}",
    "CredentialRetrievalError": f"AWS credentials could not be retrieved. {_SIGN_IN}",
    "TokenRetrievalError": f"The sign-in has expired. {_SIGN_IN}",
    "SSOTokenLoadError": f"There is no valid sign-in. {_SIGN_IN}",
    "UnauthorizedSSOTokenError": f"The sign-in has expired. {_SIGN_IN}",
    "NoRegionError": "No Region is set. Specify --region, or set AWS_REGION.",
}
"""What botocore raises before AWS answers, by the name of the class, and what to do."""
_UNREACHABLE: Final = frozenset(
    {"ConnectTimeoutError", "EndpointConnectionError", "ProxyConnectionError", "ReadTimeoutError"}
)


class Aws:
    """An AWS account and Region.

    Args:
        profile: The profile, or None for that of the environment.
        region: The Region, or None for that of the environment or the profile.

    Raises:
        CommandError: There is no such profile, or no Region.
    """

    def __init__(self, *, profile: str | None = None, region: str | None = None) -> None:
        import boto3  # noqa: PLC0415 - takes long to import
        from botocore.exceptions import BotoCoreError, ProfileNotFound  # noqa: PLC0415

        try:
            # Other than the AWS CLI, boto3 doesn't read AWS_REGION.
            self._session = boto3.Session(
                profile_name=profile, region_name=region or os.environ.get("AWS_REGION") or None
            )
        except ProfileNotFound as error:
            known = ", ".join(boto3.Session(region_name="us-east-1").available_profiles) if profile else ""
            raise CommandError(
                f"There is no profile {profile!r}. Profiles are: {known or 'none'}."
                if profile
                else f"{error}. Correct AWS_PROFILE, or specify --profile."
            ) from error
        except BotoCoreError as error:
            raise explained(error) from error
        if not self._session.region_name:
            raise CommandError(_OF_BOTOCORE["NoRegionError"])
        self._clients: dict[tuple[str, str, bool], Any] = {}
        self._account: str | None = None

    @property
    def region(self) -> str:
        """The Region."""
        return str(self._session.region_name)

    @property
    def partition(self) -> str:
        """The partition of the Region."""
        return str(self._session.get_partition_for_region(self.region))

    @property
    def account(self) -> str:
        """The ID of the account."""
        if self._account is None:
            self._account = str(self.client("sts").get_caller_identity()["Account"])
        return self._account

    def client(self, service: str, *, region: str | None = None, retries: bool = True) -> Any:  # noqa: ANN401 - boto3's clients have no common type
        """Return a client of a service.

        Args:
            service: The name of the service in boto3.
            region: The Region. Default: that of the session.
            retries: Whether a call is repeated if it fails. Without, a call that isn't idempotent is certain
                to be done at most once.
        """
        from botocore.config import Config  # noqa: PLC0415

        key = (service, region or self.region, retries)
        if key not in self._clients:
            attempts = _MAX_ATTEMPTS if retries else 1
            # boto3's type information lists a client for each literal name; here the name is a variable.
            connect: Any = self._session.client
            self._clients[key] = connect(
                service,
                region_name=key[1],
                config=Config(
                    connect_timeout=_CONNECT_TIMEOUT_SECONDS,
                    read_timeout=_READ_TIMEOUT_SECONDS,
                    retries={"mode": "standard", "total_max_attempts": attempts},
                    user_agent_extra="securityhub-actions",
                ),
            )
        return self._clients[key]


def with_aws(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options `--profile` and `--region`, and the argument `aws`.

    What AWS refuses ends the command with one line.
    """

    @click.option("--profile", metavar="NAME", help="The AWS profile. Default: that of the environment.")
    @click.option(
        "--region",
        callback=a_region,
        metavar="REGION",
        help="The Region. Default: that of the environment.",
    )
    @functools.wraps(command)
    def wrapped(*args: Any, profile: str | None, region: str | None, **kwargs: Any) -> Any:  # noqa: ANN401 - passed on
        with refusals_in_one_line():
            return command(*args, aws=Aws(profile=profile, region=region), **kwargs)

    return wrapped


@contextmanager
def refusals_in_one_line() -> Iterator[None]:
    """Raise what AWS refuses as the error that ends a command with one line."""
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - takes long to import

    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise explained(error) from error


def code_of(error: Exception) -> str:
    """Return AWS's code of an error, such as `AccessDenied`, or the name of its class."""
    response = getattr(error, "response", None) or {}
    return str(response.get("Error", {}).get("Code") or type(error).__name__)


def explained(error: Exception) -> CommandError:
    """Return an error of boto3 as one that says what to do."""
    return CommandError(reason_of(error), code=ExitCode.FAILED)


def reason_of(error: Exception) -> str:
    """Return in one line why AWS refused, and what to do."""
    operation = getattr(error, "operation_name", None)
    return _before_an_answer(error) if operation is None else _in_the_answer(error, operation)


def _before_an_answer(error: Exception) -> str:
    name = type(error).__name__
    if name in _UNREACHABLE:
        return f"{str(error).rstrip('.')}. Check the Region, the network, and AWS_ENDPOINT_URL if it's set."
    return _OF_BOTOCORE.get(name, str(error))


def _in_the_answer(error: Exception, operation: str) -> str:
    code = code_of(error)
    message = _message_of(error, str(error)).rstrip(".")
    if code in _EXPIRED:
        return f"The AWS credentials have expired. {_SIGN_IN}"
    if code in _UNKNOWN_CREDENTIALS:
        return f"AWS doesn't know the credentials ({code}). {_SIGN_IN}"
    if action := denied_action(error):
        return f"AWS denied {action}: {message}. Allow it, or specify another --profile."
    if code == "InvalidAccessException":
        # Source: https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_GetFindings.html
        return (
            f"Security Hub refused {operation}: {message}. Enable Security Hub in this account and Region, "
            "or specify another --profile or --region."
        )
    return f"{operation} failed with {code}: {message}."


def _message_of(error: Exception, default: str) -> str:
    return str(getattr(error, "response", {}).get("Error", {}).get("Message") or default)


def denied_action(error: Exception) -> str | None:
    """Return the action that AWS denied, such as `securityhub:DescribeHub`, or None if it's another error."""
    if code_of(error) not in _DENIED:
        return None
    found = _PERFORMED.search(_message_of(error, ""))
    return found["action"] if found else str(getattr(error, "operation_name", "an action"))
