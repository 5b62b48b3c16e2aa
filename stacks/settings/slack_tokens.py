"""Which secrets have the tokens of a Slack app with token rotation, of all tables of settings.toml."""

from __future__ import annotations

from collections.abc import Mapping

from stacks.settings.routing import RoutingSettings
from stacks.settings.summary import SummarySettings
from stacks.settings.ticketing import TicketingSettings


def rotated_secrets(
    *, routing: RoutingSettings, ticketing: TicketingSettings, summary: SummarySettings
) -> Mapping[str, str]:
    """Return the base URL of Slack's Web API for the name of each secret whose tokens are rotated.

    Raises:
        ValueError: Tables that are enabled say different things about one secret, or one of them needs a
            token that doesn't expire.
    """
    users = {
        "ticketing.slack": ticketing.slack if ticketing.enabled and ticketing.slack.enabled else None,
        "summary.slack": summary.slack if summary.enabled and summary.slack.enabled else None,
    }
    rotated: dict[str, tuple[str, str]] = {}
    for key, user in users.items():
        if user is not None and user.token_rotation:
            first, url = rotated.setdefault(user.secret_name, (key, user.url))
            if url != user.url:
                raise ValueError(
                    f"{first}.url is {url!r} and {key}.url is {user.url!r}, but both use the secret "
                    f"{user.secret_name!r} of one app; correct one of them"
                )
    for key, user in users.items():
        if user is not None and not user.token_rotation and user.secret_name in rotated:
            raise ValueError(
                f"{rotated[user.secret_name][0]}.token_rotation is true, but {key}.token_rotation is false "
                f"for the same secret {user.secret_name!r}; an app has it or not, so set both to true"
            )
    critical = routing.critical
    if critical.enabled and critical.slack.enabled and critical.slack.secret_name in rotated:
        raise ValueError(
            f"routing.critical.slack.secret_name is {critical.slack.secret_name!r}, whose token is rotated "
            f"({rotated[critical.slack.secret_name][0]}.token_rotation), but a connection of EventBridge "
            "keeps the token with which it was deployed, which would expire after 12 hours; specify the "
            "secret of another Slack app, without token rotation"
        )
    return {name: url for name, (_, url) in rotated.items()}
