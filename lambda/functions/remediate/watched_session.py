"""A session that knows whether anything can have been changed through it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from boto3.session import Session
    from botocore.model import OperationModel

_READS: Final = ("Describe", "Get", "Head", "List")
_REFUSED: Final = range(400, 500)


class WatchedSession:
    """The part of boto3's session that remediations use, with clients whose calls are counted.

    A call has certainly changed nothing if it only reads, or if the service refused the first request. After
    a server error or a timeout, nobody knows, and neither after a refusal that answers botocore's retry.

    Source: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
    """

    def __init__(self, session: Session) -> None:
        """Watch what is called through a session from now on."""
        self._session: Any = session
        self._changes = 0
        self._clients: dict[tuple[str, str | None], Any] = {}

    @property
    def may_have_changed(self) -> bool:
        """Whether a call changed something, or might have."""
        return self._changes > 0

    def client(self, service_name: str, region_name: str | None = None) -> Any:  # noqa: ANN401 - as in boto3
        """Return a client of the session, whose calls are counted once, however often it's asked for."""
        key = service_name, region_name
        if key not in self._clients:
            where = {"region_name": region_name} if region_name else {}
            client = self._session.client(service_name, **where)
            client.meta.events.register("before-call", self._begin)
            client.meta.events.register("after-call", self._end)
            self._clients[key] = client
        return self._clients[key]

    def _begin(self, model: OperationModel, **_: object) -> None:
        if not model.name.startswith(_READS):
            self._changes += 1

    def _end(self, model: OperationModel, parsed: dict[str, Any], **_: object) -> None:
        metadata = parsed.get("ResponseMetadata", {})
        is_refused = metadata.get("HTTPStatusCode") in _REFUSED and not metadata.get("RetryAttempts")
        if is_refused and not model.name.startswith(_READS):
            self._changes -= 1
