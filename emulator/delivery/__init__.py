"""Faithful EventBridge deliveries."""


def register() -> None:
    """Replace MiniStack's target delivery."""
