"""What Run Command and Automation share: the names of documents and the format of parameters."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Final

from aws_cdk import Arn, ArnFormat, Stack, Tokenization
from aws_cdk import aws_events as events
from aws_cdk import aws_ssm as ssm

from securityhub_actions.tokens import is_token, without_tokens

Parameters = Mapping[str, str | Sequence[str]]
"""Parameter names and values. A string can be an `aws_events.EventField`."""

MAX_INPUT_LENGTH: Final = 8192
_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{3,128}")
_RESERVED_PREFIX: Final = re.compile(r"aws|amazon|amzn", re.IGNORECASE)


class SsmDocument:
    """A Systems Manager document and its owner.

    Attributes:
        name: The name of the document without its owner.

    Source: https://docs.aws.amazon.com/systems-manager/latest/userguide/documents-creating-content.html
    """

    def __init__(self, document: str | ssm.CfnDocument) -> None:
        """Determine the name and owner of a document.

        Args:
            document: The name of your own or an AWS-owned document, the ARN of a document that another
                account shares, or the document itself.

        Raises:
            ValueError: `document` is neither a valid name nor the ARN of a document.
        """
        self._shared_by: str | None = None
        if isinstance(document, ssm.CfnDocument):
            self.name = document.ref
        elif is_token(document):
            self.name = document
        elif document.startswith("arn:") and ":document/" in document:
            parts = Arn.split(document, ArnFormat.SLASH_RESOURCE_NAME)
            self.name, self._shared_by = str(parts.resource_name), parts.account
        elif _NAME.fullmatch(document):
            self.name = document
        else:
            raise ValueError(
                f"{document!r} is not the name of a Systems Manager document. Use 3 to 128 letters, digits, "
                "'_', '-', and '.', such as 'AWS-ConfigureAWSPackage', or the ARN of a document that is "
                "shared with this account."
            )

    @property
    def belongs_to_aws(self) -> bool:
        """Whether AWS owns the document. The prefix of its name is reserved for AWS."""
        return not is_token(self.name) and _RESERVED_PREFIX.match(self.name) is not None

    def arn(self, stack: Stack, *, resource: str = "document", version: str = "", owned: bool = True) -> str:
        """Return the document's ARN. The ARN of an AWS-owned document has no account.

        Args:
            stack: The stack that determines the partition, the Region, and the account of your own documents.
            resource: `document`, or `automation-definition` for a runbook.
            version: The version, which is appended after a colon. Default: none.
            owned: Whether to omit the account for an AWS-owned document. Default: True.
        """
        account = "" if self.belongs_to_aws and owned else self._shared_by or stack.account
        return stack.format_arn(
            service="ssm",
            account=account,
            resource=resource,
            resource_name=f"{self.name}:{version}" if version else self.name,
            arn_format=ArnFormat.SLASH_RESOURCE_NAME,
        )


def parameters_input(parameters: Parameters) -> events.RuleTargetInput:
    """Return the target's input in the format of Systems Manager, with a list of strings per parameter.

    A target without an input would receive the event, which isn't a valid set of parameters.

    Raises:
        ValueError: An event field is part of a longer string, where EventBridge wouldn't escape its quotes;
            or the parameters have more than 8,192 characters as JSON.

    Source: https://docs.aws.amazon.com/systems-manager/latest/userguide/running-automations-event-bridge.html
    Source: https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_Target.html
    """
    for name, value in parameters.items():
        if any(_is_embedded(text) for text in _texts(value)):
            raise ValueError(
                f"The parameter {name} has an event field inside a longer string, where its quotes would not "
                "be escaped. Pass the field alone, and add the surrounding text in the document."
            )
    document = {name: _texts(value) for name, value in parameters.items()}
    size = len(without_tokens(json.dumps(document, separators=(",", ":"), ensure_ascii=False)))
    if size > MAX_INPUT_LENGTH:
        raise ValueError(
            f"The parameters {', '.join(document)} have at least {size:,} characters as JSON. EventBridge "
            f"allows {MAX_INPUT_LENGTH:,}. Put long texts into the document, or into a parameter in Systems "
            "Manager."
        )
    return events.RuleTargetInput.from_object(document)


def take_from_event(parameters: Parameters) -> bool:
    """Return whether parameters contain values from the event."""
    return any(_has_event_field(text) for value in parameters.values() for text in _texts(value))


def _texts(value: str | Sequence[str]) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


def _has_event_field(text: str) -> bool:
    return any(isinstance(token, events.EventField) for token in Tokenization.reverse_string(text).tokens)


def _is_embedded(text: str) -> bool:
    return _has_event_field(text) and Tokenization.reverse_string(text).length > 1
