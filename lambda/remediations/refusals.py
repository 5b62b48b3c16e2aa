"""Turns the services' errors about what doesn't exist, or isn't an identifier, into a refusal to remediate.

A retry would get the same error, until the finding reaches the dead-letter queue.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import wraps
from typing import Final

from botocore.exceptions import ClientError, InvalidRegionError, ParamValidationError

from remediations.contract import CannotRemediateError, Plan

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


def refusing(plan: Callable[..., Plan]) -> Callable[..., Plan]:
    """Return a `plan` that raises CannotRemediateError where a service refuses what the finding names."""

    @wraps(plan)
    def refuse(*given: object, **parameters: object) -> Plan:
        try:
            return plan(*given, **parameters)
        except (InvalidRegionError, ParamValidationError) as error:
            reason = str(error)
        except ClientError as error:
            if not _REFUSED.fullmatch(error.response["Error"]["Code"]):
                raise
            reason = str(error)
        raise CannotRemediateError(
            f"AWS doesn't accept what the finding names: {reason} Remediate the finding manually."
        )

    return refuse
