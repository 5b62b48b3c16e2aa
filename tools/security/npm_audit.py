"""Asks the npm registry for known vulnerabilities of the packages in package-lock.json.

Source: https://docs.npmjs.com/cli/commands/npm-audit
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping
from typing import Any, Final

from tools.cdk import ROOT
from tools.setup_env import npm

_NOT_OFFERED: Final = frozenset({404, 405, 501})


class NotAuditedError(Exception):
    """The registry didn't answer, so nothing is known."""


def audit() -> int:
    """Print known vulnerabilities, and return 1 if there are any, or if the registry didn't answer."""
    done = subprocess.run(  # noqa: S603 - the npm of the environment
        [str(part) for part in (*npm(), "audit", "--package-lock-only", "--json")],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    try:
        vulnerable = list(vulnerable_in(done.stdout))
    except NotAuditedError as error:
        print(f"audit: package-lock.json was not audited: {error}")
        return 1
    for line in vulnerable:
        print(f"package-lock.json: {line}")
    if vulnerable:
        print("audit: upgrade what is vulnerable in package.json, then lock it as CONTRIBUTING.md says.")
        return 1
    print("No known vulnerabilities found in package-lock.json")
    return 0


def vulnerable_in(answer: str) -> Iterator[str]:
    """Return the vulnerable packages in what `npm audit --json` prints, a line for each.

    Raises:
        NotAuditedError: npm got no answer from the registry.
    """
    try:
        report = json.loads(answer)
    except ValueError:
        report = None
    if not isinstance(report, Mapping):
        raise NotAuditedError(f"npm audit did not answer in JSON, but {answer[:200]!r}. Run it to see why.")
    found = report.get("vulnerabilities")
    if isinstance(found, Mapping):
        return (_line(name, one) for name, one in sorted(found.items()))
    raise NotAuditedError(_why(report))


def _line(name: str, found: Mapping[str, Any]) -> str:
    causes = [
        one if isinstance(one, str) else f"{one.get('title')} ({one.get('url')})"
        for one in found.get("via", ())
    ]
    return f"{name} {found.get('range', '')}: {found.get('severity')}: {'; '.join(causes)}"


def _why(report: Mapping[str, Any]) -> str:
    message = report.get("message") or (report.get("error") or {}).get("summary") or "no reason was given"
    if report.get("statusCode") in _NOT_OFFERED:
        return (
            f"the registry that npm is configured for offers no audit ({message}). Audit against one that "
            "does, such as npm's own: set npm_config_registry."
        )
    return (
        f"the registry can't be reached, or refuses: {message}. Check the network, and the settings of npm."
    )
