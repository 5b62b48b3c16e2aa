"""Compare what it costs to import the offline parts of the library with Python alone and with AWS CDK.

Each import is a new Python process. The processes take turns, so that other work on the machine affects all
alike. The figures are medians of CPU seconds, including those of Node.js, which every import of `aws_cdk`
starts, and ratios of them. Run it with `python benchmarks/import_time.py`.
"""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # for the tools of the project

from tools.cdk import toolchain_environment

# Without compiled modules, compiling them would be most of the time.
_ENVIRONMENT: Final = {
    name: value for name, value in toolchain_environment().items() if name != "PYTHONDONTWRITEBYTECODE"
}
_ROUNDS: Final = 7
_BARE: Final = "pass"
_CDK: Final = "import aws_cdk"
_PROGRAMS: Final = (
    _BARE,
    "import securityhub_actions.patterns",
    "import securityhub_actions.filters",
    _CDK,
    "from securityhub_actions import CustomActionRule",
)


def cpu_seconds_of(program: str) -> float:
    """Run a program in a new Python process, and return its CPU time and that of what it started."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", program], env=_ENVIRONMENT, check=True)  # noqa: S603 - one of those
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Print the CPU time of each program, and its ratios to the two that it is compared with."""
    for program in _PROGRAMS:
        cpu_seconds_of(program)  # compiles the modules
    seconds: dict[str, list[float]] = {program: [] for program in _PROGRAMS}
    for _ in range(_ROUNDS):
        for program, measured in seconds.items():
            measured.append(cpu_seconds_of(program))
    median = {program: statistics.median(measured) for program, measured in seconds.items()}
    print(f"Median of {_ROUNDS} rounds, CPU seconds")
    print(f"{'python -c':<50} {'seconds':>7} {'of bare Python':>15} {'of aws_cdk':>11}")
    for program, measured in median.items():
        of_bare, of_cdk = measured / median[_BARE], measured / median[_CDK]
        print(f"{program:<50} {measured:>7.3f} {of_bare:>15.2f} {of_cdk:>11.3f}")


if __name__ == "__main__":
    main()
