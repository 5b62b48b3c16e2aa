"""Which control a finding is about, and with which parameters it was checked."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from remediations.contract import CannotRemediateError
from remediations.standards import control_of_generator
from securityhub.events import Finding

PRODUCT_PREFIX: Final = "product/"
"""What `control_of` returns begins with this if a product other than Security Hub made the finding."""
_SECURITY_HUB: Final = "product/aws/securityhub"
# Those of accounts have the account before `product`.
_PRODUCT_OF_AWS: Final = re.compile(r"arn:aws[a-z-]*:securityhub:[a-z0-9-]*::(product/aws/[^/]+)")


def control_of(finding: Finding) -> str | None:
    """Return which control failed, in the terms of `CONTROL_IDS`.

    Only findings of Security Hub itself are about its controls: any account can import findings of a product
    of its own that claim to be. The control's ID is in `Compliance`. Where it isn't, as in old findings, the
    generator ID contains the standard's own number.

    Source: https://docs.aws.amazon.com/securityhub/latest/userguide/controls-findings-create-update.html
    """
    found = _PRODUCT_OF_AWS.fullmatch(finding.product_arn)
    if found is None or found[1] != _SECURITY_HUB:
        return found and found[1]
    return finding.control or control_of_generator(finding.generator_id or "")


def parameters_of(finding: Finding) -> Mapping[str, Sequence[str]]:
    """Return the values of the control's parameters that a finding was made with, by name.

    Security Hub says them as texts, such as `80` and `443`; none for a parameter without value. Findings of
    controls without parameters have none.

    Raises:
        CannotRemediateError: They are not as documented.

    Source: https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_SecurityControlParameter.html
    """
    given = finding.control_parameters
    found: dict[str, Sequence[str]] = {}
    for parameter in given if isinstance(given, list) else [given] if given else ():
        match parameter:
            case {"Name": str(name), "Value": [*values]} if all(isinstance(value, str) for value in values):
                found[name] = values
            case _:
                raise CannotRemediateError(
                    "Compliance.SecurityControlParameters of the finding must be a list of objects of Name "
                    f"and Value, a list of texts, but has {parameter!r}. Remediate the finding manually."
                )
    return found
