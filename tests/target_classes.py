"""The library's targets, found by their base class, for tests that look at each of them."""

from __future__ import annotations

from securityhub_actions import targets
from securityhub_actions.delivery import Target

TARGETS = {
    name: target
    for name in targets.__all__
    if isinstance(target := getattr(targets, name), type) and issubclass(target, Target)
}
"""Each class by its name in `securityhub_actions.targets`."""
