"""What Run Command and Automation share: how documents are named, and how parameters are passed."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from aws_cdk import Arn, ArnFormat, Stack, Token, Tokenization
from aws_cdk import aws_events as events
from aws_cdk import aws_ssm as ssm

Parameters = Mapping[str, str | Sequence[str]]
"""Values by parameter. A text may be an `aws_events.EventField`."""

_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{3,128}")
_RESERVED_PREFIX: Final = re.compile(r"aws|amazon|amzn", re.IGNORECASE)


class SsmDocument:
    """A Systems Manager document by its name, which also says whose it is.

    Attributes:
        name: The name without its owner.

    Source: https://docs.aws.amazon.com/systems-manager/latest/userguide/documents-creating-content.html
    """

    def __init__(self, document: str | ssm.CfnDocument) -> None:
        """Tell who owns a document.

        Args:
            document: The name of one's own document or of one of AWS, the ARN of one that another account
                shares, or the document itself.

        Raises:
            ValueError: Neither a name nor the ARN of a document.
        """
        self._shared_by: str | None = None
        if isinstance(document, ssm.CfnDocument):
            self.name = document.ref
        elif Token.is_unresolved(document):
            self.name = document
        elif document.startswith("arn:") and ":document/" in document:
            parts = Arn.split(document, ArnFormat.SLASH_RESOURCE_NAME)
            self.name, self._shared_by = str(parts.resource_name), parts.account
        elif _NAME.fullmatch(document):
            self.name = document
        else:
            raise ValueError(
                f"{document!r} is not the name of a Systems Manager document. Allowed are 3 to 128 letters, "
                "digits, '_', '-' and '.', such as 'AWS-ConfigureAWSPackage', or the ARN of a document that "
                "is shared with this account."
            )

    @property
    def belongs_to_aws(self) -> bool:
        """Whether AWS owns the document: nobody else may use the beginning of its name."""
        return not Token.is_unresolved(self.name) and _RESERVED_PREFIX.match(self.name) is not None

    def arn(self, stack: Stack, *, resource: str = "document", version: str = "", owned: bool = True) -> str:
        """Return the document's ARN, without an account for one of AWS.

        Args:
            stack: Gives partition, region and, unless the document is somebody else's, the account.
            resource: `document`, or `automation-definition` for a runbook.
            version: Appended after a colon. Default: none.
            owned: False puts the stack's account into the ARN of a document of AWS as well.
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
    """Return the target's input in the form that Systems Manager wants, each parameter a list of texts.

    Without an input of its own such a target would be given the event, which is no parameters at all.

    Raises:
        ValueError: A field of the event is only a part of a text: EventBridge would put it there without
            escaping its quotes.

    Source: https://docs.aws.amazon.com/systems-manager/latest/userguide/running-automations-event-bridge.html
    """
    for name, value in parameters.items():
        if any(_is_embedded(text) for text in _texts(value)):
            raise ValueError(
                f"The parameter {name} has a field of the event inside a longer text, whose quotes would not "
                "be escaped there. Pass the field alone, and put the text around it in the document."
            )
    return events.RuleTargetInput.from_object({name: _texts(value) for name, value in parameters.items()})


def take_from_event(parameters: Parameters) -> bool:
    """Tell whether parameters take anything from the event."""
    return any(_has_event_field(text) for value in parameters.values() for text in _texts(value))


def _texts(value: str | Sequence[str]) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


def _has_event_field(text: str) -> bool:
    return any(isinstance(token, events.EventField) for token in Tokenization.reverse_string(text).tokens)


def _is_embedded(text: str) -> bool:
    return _has_event_field(text) and Tokenization.reverse_string(text).length > 1
