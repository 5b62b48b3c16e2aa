"""Turns the services' errors about what doesn't exist, or isn't an identifier, into a refusal to remediate.

A retry would get the same error, until the finding reaches the dead-letter queue. Errors about permissions
stay errors, because a retry succeeds after the permission was granted, and say what to deploy.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import wraps
from typing import Any, Final, ParamSpec, TypeVar

from botocore.exceptions import ClientError, InvalidRegionError, ParamValidationError

from remediations.contract import CannotRemediateError

# The codes with which the services that remediations read refuse an identifier, or don't find it.
# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
# https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
# https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/CommonErrors.html
# https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_GetTrail.html#API_GetTrail_Errors
# https://docs.aws.amazon.com/kms/latest/APIReference/API_DescribeKey.html#API_DescribeKey_Errors
# https://docs.aws.amazon.com/lambda/latest/api/API_GetPolicy.html#API_GetPolicy_Errors
# https://docs.aws.amazon.com/sns/latest/api/API_GetTopicAttributes.html#API_GetTopicAttributes_Errors
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_GetQueueUrl.html#API_GetQueueUrl_Errors
_REFUSED: Final = re.compile(
    r".+\.Malformed|Validation(Error|Exception)|CloudTrailARNInvalidException"
    r"|Invalid(Address|Arn|ArnException|BucketName|Input|ParameterCombination|TrailNameException)"
    r"|Invalid(Parameter|ParameterValue)(Exception)?"
    r"|.*(NotFound|NoSuch|NonExistent|DoesNotExist).*"
)

# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
# https://docs.aws.amazon.com/sns/latest/api/CommonErrors.html
_DENIED: Final = re.compile(
    r"AccessDenied(Exception)?|AuthorizationError|NotAuthorized|UnauthorizedOperation"
)
# In front, because a note has room for the beginning of a long message only.
_CURE: Final = (
    "Deploy the member role of the account with the present settings, and check what other policies deny. "
)

_P = ParamSpec("_P")
_R = TypeVar("_R")


def refusing(plan: Callable[_P, _R]) -> Callable[_P, _R]:
    """Return a `plan` that raises CannotRemediateError where a service refuses what the finding names."""
    return _refusing(
        plan, "AWS doesn't accept what the finding names: {reason} Remediate the finding manually."
    )


def refusing_to_undo(look: Callable[_P, _R]) -> Callable[_P, _R]:
    """Return a `look` that raises CannotRemediateError where a service doesn't find what was changed."""
    return _refusing(
        look,
        "What was changed isn't there anymore: {reason} If it lives on elsewhere, restore it manually.",
    )


def _refusing(read: Callable[_P, _R], message: str) -> Callable[_P, _R]:
    @wraps(read)
    def refuse(*given: _P.args, **parameters: _P.kwargs) -> _R:
        try:
            return read(*given, **parameters)
        except (InvalidRegionError, ParamValidationError) as error:
            reason = str(error)
        except ClientError as error:
            if not _REFUSED.fullmatch(error.response["Error"]["Code"]):
                raise
            reason = str(error)
        raise CannotRemediateError(message.format(reason=reason))

    return refuse


def explaining_denials(call: Callable[_P, _R]) -> Callable[_P, _R]:
    """Return a call through the member role whose error says what to do if the role lacks a permission.

    A member role that was deployed before a remediation was enabled lacks the remediation's permissions.
    """

    @wraps(call)
    def explain(*given: _P.args, **parameters: _P.kwargs) -> _R:
        try:
            return call(*given, **parameters)
        except ClientError as error:
            told = error.response["Error"]
            if not _DENIED.fullmatch(told["Code"]):
                raise
            cured = {**told, "Message": f"{_CURE}{told.get('Message', '')}"}
            response: Any = {**error.response, "Error": cured}
            raise ClientError(response, error.operation_name) from error

    return explain
