"""What approvers read of a plan, and what identifies the plan and the request."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Final

from invocation.topic import on_one_line
from remediations.contract import Plan
from securityhub.events import Finding
from securityhub.findings.updates import truncate

# The parameters that refer to a request and a plan.
REQUEST: Final = "Request"
PLAN: Final = "Plan"
_MAX_VALUE: Final = 512
_BRACES: Final = re.compile(r"\{(?=\{)")


def words_of(finding: Finding, remediation: str, plan: Plan, digest: str) -> dict[str, str]:
    """Return the parameters of an execution, which its approvers read.

    Findings can determine the values. Systems Manager takes up to 512 characters of each, and puts them into
    the lines of a message. In documents it replaces `{{ssm:name}}` by a parameter. Unverified: whether it
    does so in values, too.

    Source: https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_StartAutomationExecution.html
    Source: https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-param-runcommand.html
    """
    words = {
        REQUEST: key_of(finding, remediation),
        PLAN: digest,
        "Finding": finding.id,
        "Account": finding.aws_account_id,
        "Region": finding.region,
        "Remediation": remediation,
        "Resource": plan.resource,
        "Change": plan.description,
    }
    return {name: truncate(_harmless(value), _MAX_VALUE) or "-" for name, value in words.items()}


def _harmless(value: str) -> str:
    return _BRACES.sub("{ ", on_one_line(value))


def key_of(finding: Finding, remediation: str) -> str:
    """Return what identifies the request for a finding and a remediation."""
    return _sha256([finding.digest, remediation])


def digest_of(finding: Finding, remediation: str, plan: Plan, parameters: Mapping[str, str]) -> str:
    """Return what identifies a plan: it differs if anything about it does.

    The time at which the finding was updated isn't a part of it: Security Hub updates a finding whenever its
    control is checked, and nothing else need have changed.
    """
    return _sha256(
        {
            "product": finding.product_arn,
            "finding": finding.id,
            "account": finding.aws_account_id,
            "region": finding.region,
            "remediation": remediation,
            "parameters": dict(parameters),
            "resource": plan.resource,
            "description": plan.description,
            "before": plan.prior_state,
            "remains": plan.remains,
        }
    )


def _sha256(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
