"""Resolved values of a template as people read them, for warnings, acknowledgments, and examples."""

from __future__ import annotations

from collections.abc import Mapping


def readable(value: object, *, variable: str = "${{{}}}") -> object:
    """Write the intrinsic functions in a resolved value as text.

    Args:
        value: The return value of `Stack.resolve`.
        variable: The format of a reference. Default: that of Fn::Sub, `${Name}` and `${Name.Attribute}`.
    """
    match value:
        case {"Ref": str(name)}:
            return variable.format(name)
        case {"Fn::GetAtt": [str(name), str(attribute)]}:
            return variable.format(f"{name}.{attribute}")
        case {"Fn::Join": [str(separator), [*parts]]}:
            return separator.join(str(readable(part, variable=variable)) for part in parts)
        case Mapping():
            return {key: readable(item, variable=variable) for key, item in value.items()}
        case list():
            return [readable(item, variable=variable) for item in value]
        case _:
            return value
