"""Check the templates of the app with everything turned on: `make security`.

The packs NIST 800-53 r5, PCI DSS 3.2.1, and HIPAA of cdk-nag, and checkov, look for what the checks of every
synthesis don't. It's an error if something is found that acknowledgments.toml doesn't have, or the other way
around.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tools.cdk import ROOT, toolchain_environment
from tools.security.environments import environment
from tools.security.findings import (
    ACKNOWLEDGMENTS,
    Finding,
    compare,
    findings_of_checkov,
    findings_of_packs,
    read_acknowledgments,
)

# It takes any 40 letters, digits, and slashes for a secret access key, as names and paths happen to be, and
# not in every run the same ones. That no template has a secret is tested where secrets are used.
_GUESSES: Final = "CKV_AWS_45"
EVERYTHING: Final = Path(__file__).with_name("everything.toml")


def synthesize(folder: Path) -> Sequence[Finding]:
    """Synthesize the app with everything turned on, and return what cdk-nag's packs find.

    Args:
        folder: Where the templates go.
    """
    context = json.loads((ROOT / "cdk.json").read_text(encoding="utf-8"))["context"]
    context |= {
        "settings": str(EVERYTHING),
        "aws:cdk:disable-asset-staging": True,
        "aws:cdk:enable-path-metadata": True,
    }
    done = subprocess.run(
        [sys.executable, "-m", "tools.security.app_with_packs"],
        cwd=ROOT,
        env={
            **toolchain_environment(),
            "CDK_CONTEXT_JSON": json.dumps(context),
            "CDK_DEFAULT_ACCOUNT": "111122223333",
            "CDK_DEFAULT_REGION": "us-east-1",
            "CDK_OUTDIR": str(folder),
            "CDK_VALIDATION": "false",  # the CDK's own rules, which every synthesis checks
        },
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        return findings_of_packs(folder)
    except FileNotFoundError:
        sys.exit(f"security: the app could not be synthesized:\n{done.stdout}{done.stderr}")


def run_checkov(folder: Path) -> Sequence[Finding]:
    """Return what checkov finds in the templates of a folder. It asks nobody else."""
    command = [
        environment("checkov") / "checkov",
        *("--directory", folder, "--framework", "cloudformation", "--output", "json", "--quiet"),
        *("--compact", "--skip-download", "--skip-check", _GUESSES),
    ]
    done = subprocess.run(  # noqa: S603 - the pinned checkov
        [str(part) for part in command], capture_output=True, text=True, check=False
    )
    try:
        return findings_of_checkov(json.loads(done.stdout), folder)
    except (ValueError, KeyError, TypeError):
        sys.exit(f"security: checkov failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")


def main() -> int:
    """Print what is wrong, and return 1 if something is."""
    acknowledgments = read_acknowledgments()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        findings = [*synthesize(folder), *run_checkov(folder)]
        templates = len(list(folder.glob("*.template.json")))
    found, stale = compare(findings, acknowledgments)
    for finding in found:
        print(f"{finding.check}: {finding.resource}\n    {finding.description}")
    for check, resource in stale:
        print(
            f"{check}: {resource} is acknowledged in {ACKNOWLEDGMENTS.relative_to(ROOT)}, but no longer "
            "found: remove it"
        )
    print(
        f"security: {templates} templates, {len(set(findings))} findings of cdk-nag's packs and checkov, "
        f"{len(found)} of them not acknowledged; {len(stale)} acknowledged in vain"
    )
    return 1 if found or stale else 0


if __name__ == "__main__":
    sys.exit(main())
