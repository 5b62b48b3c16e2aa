"""What the app and the library depend on: `make sbom` lists it, `make audit` asks for known vulnerabilities.

The list (SBOM, in CycloneDX) is of an environment with the wheel and with the locked packages of
requirements.txt: what the app synthesizes with, and what its Lambda functions bring along. The AWS CDK CLI
and the tools aren't part of it.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from tools.cdk import ROOT
from tools.security import npm_audit
from tools.security.environments import UV, build, environment
from tools.setup_env import cached_first, run

# Not checkov.lock: its versions are what checkov pins, and it reads nothing but this project's templates.
_AUDITED: Final = (
    ROOT / "requirements-dev.lock",
    *(Path(__file__).with_name(name) for name in ("supply-chain.lock", "uv.lock")),
)
_NOT_A_REQUIREMENT: Final = re.compile(r"\s*(#|-|$)")


def write_sbom(folder: Path) -> Path:
    """Write the list of what is released, and return its path.

    Args:
        folder: Where it goes, as `securityhub-actions-VERSION.cdx.json`.
    """
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        python, version = _installed(work)
        listed = work / "sbom.json"
        run(
            environment("supply-chain") / "cyclonedx-py",
            *("environment", "--pyproject", ROOT / "pyproject.toml", "--mc-type", "library"),
            *("--output-reproducible", "--output-format", "JSON", "--output-file", listed, python),
        )
        document = json.loads(listed.read_text(encoding="utf-8"))
    # The version isn't in pyproject.toml but in the package.
    document["metadata"]["component"]["version"] = version
    folder.mkdir(parents=True, exist_ok=True)
    written = folder / f"securityhub-actions-{version}.cdx.json"
    written.write_text(f"{json.dumps(document, indent=2)}\n", encoding="utf-8")
    return written


def _installed(work: Path) -> tuple[Path, str]:
    """Install what is released into a new environment, and return its Python and the version of the wheel."""
    run(*UV, "build", "--quiet", "--wheel", "--no-build-isolation", "--python", sys.executable,
        "--out-dir", work)  # fmt: skip
    (wheel,) = work.glob("*.whl")
    requirements, lock = work / "requirements.txt", work / "requirements.lock"
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    requirements.write_text("\n".join(line for line in lines if not _NOT_A_REQUIREMENT.match(line)))
    compile_ = (*UV, "pip", "compile", "--quiet", "--generate-hashes", requirements, "--output-file", lock,
                "--constraints", ROOT / "requirements-dev.lock", "--python", sys.executable)  # fmt: skip
    cached_first((*compile_, "--offline"), compile_)
    build(work / "environment", lock)
    python = work / "environment" / "bin" / "python"
    run(*UV, "pip", "install", "--quiet", "--python", python, "--no-deps", "--offline", wheel)
    return python, wheel.name.split("-")[1]


def audit() -> int:
    """Ask PyPI and npm for known vulnerabilities of the locked packages, and return 1 if there are any.

    That one of them doesn't know a package, or can't be reached, is an error as well: nothing would be known
    then.
    """
    command: list[Any] = [environment("supply-chain") / "pip-audit", "--strict", "--progress-spinner", "off"]
    for lock in _AUDITED:
        command += ["--requirement", lock]
    done = subprocess.run(  # noqa: S603 - the pinned pip-audit
        [str(part) for part in [*command, "--require-hashes", "--disable-pip"]], check=False
    )
    if done.returncode:
        print(
            "audit: there are vulnerabilities, or PyPI didn't answer for all packages: see above. Upgrade "
            "what is vulnerable, then run `make lock`."
        )
    return 1 if npm_audit.audit() or done.returncode else 0


def main() -> int:
    """Write the list, or audit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["audit", "sbom"])
    parser.add_argument("--output", type=Path, default=ROOT / "build" / "sbom")
    arguments = parser.parse_args()
    if arguments.what == "audit":
        return audit()
    print(f"sbom: {write_sbom(arguments.output)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
