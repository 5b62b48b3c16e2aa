"""The app, checked by those packs of cdk-nag that `cdk synth` leaves out.

`python -m tools.security.app_with_packs` synthesizes it.
"""

from __future__ import annotations

from unittest.mock import patch

from aws_cdk import App, Validations
from cdk_nag import HIPAASecurityChecks, NIST80053R5Checks, PCIDSS321Checks

import app


def check_by_packs(checked: App) -> None:
    """Add the packs, whose findings are in `validation-report.json` of the output folder."""
    Validations.of(checked).add_plugins(
        HIPAASecurityChecks(checked), NIST80053R5Checks(checked), PCIDSS321Checks(checked)
    )


if __name__ == "__main__":
    with patch.object(app, "check_templates", check_by_packs):
        app.main()
