"""Names of a package that are imported on first use.

Modules that don't require the AWS CDK or Node.js can then be imported without them.

Source: https://peps.python.org/pep-0562/
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module


def lazy_names(
    package: str, homes: Mapping[str, str]
) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """Create the functions `__getattr__` and `__dir__` of a package.

    Args:
        package: The package's name.
        homes: For each name, the module in the package that defines it; for a subpackage, the name itself.

    Returns:
        `__getattr__`, which raises AttributeError for any other name, and `__dir__`.
    """

    def get_attribute(name: str) -> object:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module = import_module(f"{package}.{homes[name]}")
        value = module if homes[name] == name else getattr(module, name)
        setattr(sys.modules[package], name, value)
        return value

    def list_names() -> list[str]:
        return sorted({*vars(sys.modules[package]), *homes})

    return get_attribute, list_names
