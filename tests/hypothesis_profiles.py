"""How many examples a property test tries, and what its health checks leave alone.

No example has a deadline, because a deadline measures the machine. `make test` tries the same examples in
every run, so that a failure comes from a change; `make test-thorough` tries twenty times as many, which
differ from run to run. A failure prints the decorator that reproduces it.

Source: https://hypothesis.readthedocs.io/en/latest/reference/api.html#hypothesis.settings
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from hypothesis import HealthCheck, settings

DEFAULT_PROFILE: Final = "repeatable"
THOROUGH_PROFILE: Final = "thorough"

settings.register_profile(
    DEFAULT_PROFILE,
    max_examples=25,
    derandomize=True,
    deadline=None,
    # It measures how long drawing takes, which on a busy machine says nothing about the strategy.
    suppress_health_check=[HealthCheck.too_slow],
    print_blob=True,
)
settings.register_profile(
    THOROUGH_PROFILE,
    settings.get_profile(DEFAULT_PROFILE),
    max_examples=500,
    # In continuous integration too, unlike Hypothesis's own profile: the same examples find nothing new.
    # Source: https://hypothesis.readthedocs.io/en/latest/reference/api.html#built-in-profiles
    derandomize=False,
)


def examples(share: float, *, suppress: Iterable[HealthCheck] = (), **more: int) -> settings:
    """Return the settings of a test that tries more or fewer examples than others.

    Args:
        share: What to multiply the profile's number of examples by.
        suppress: Health checks to suppress in addition to the profile's.
        **more: Further settings that are numbers, such as ``stateful_step_count``.
    """
    return settings(
        max_examples=max(1, round(settings.default.max_examples * share)),
        suppress_health_check=[*settings.default.suppress_health_check, *suppress],
        **more,
    )
