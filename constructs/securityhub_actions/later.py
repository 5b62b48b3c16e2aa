"""Values that the AWS CDK asks for when it needs them, because they depend on what is created later."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jsii
from aws_cdk import IStableAnyProducer, IStableStringProducer, Lazy


def later(value: Callable[[], object]) -> Any:  # noqa: ANN401 - a token stands for any value
    """Return a token for what a function returns at synthesis, where it can be called several times."""
    return Lazy.any(_Value(value))


def text_later(text: Callable[[], str]) -> str:
    """Return a token for the text that a function returns at synthesis."""
    return Lazy.string(_Text(text))


@jsii.implements(IStableAnyProducer)
class _Value:
    def __init__(self, value: Callable[[], object]) -> None:
        self._value = value

    def produce(self) -> Any:  # noqa: ANN401 - as in the CDK
        return self._value()


@jsii.implements(IStableStringProducer)
class _Text:
    def __init__(self, text: Callable[[], str]) -> None:
        self._text = text

    def produce(self) -> str:
        return self._text()
