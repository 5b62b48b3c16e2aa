"""The findings of Security Hub in pages, by severity, at a rate that leaves room for other functions.

GetFindings allows 3 requests a second in an account and Region, and remediation and tickets use it, too.

Source: https://docs.aws.amazon.com/securityhub/1.0/APIReference/Welcome.html
Source: https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_GetFindings.html
Source: https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_GetFindingsV2.html
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from functions.summary.figures import SEVERITIES
from functions.summary.open_findings import number_of
from securityhub.events import Finding, MalformedEventError, parse_finding, parse_finding_v2

if TYPE_CHECKING:
    from mypy_boto3_securityhub.client import SecurityHubClient

REQUESTS_PER_SECOND: Final = 2.5
SUPPRESSED: Final = "SUPPRESSED"
PARTS: Final = (*SEVERITIES, SUPPRESSED)
"""What is read separately, so that what is missing can be named. The most severe findings come first."""

_PAGE: Final = 100
# By what stays the same: sorted by its last update, a finding that is updated while others are read could
# move to a page that was read already, and would count as fixed. In which order Security Hub sorts otherwise
# isn't documented, and neither is by what it can sort findings in OCSF.
# https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_SortCriterion.html
_ORDER: Final[Sequence[Any]] = ({"Field": "CreatedAt", "SortOrder": "asc"},)
_THROTTLED: Final = frozenset({"LimitExceededException", "ThrottlingException", "TooManyRequestsException"})
_REFUSED_TOKEN: Final = frozenset({"InvalidInputException", "ValidationException"})
# Those with an own part. The last part has the rest, whatever severity it may be.
_NAMED: Final = SEVERITIES[:-1]
_NAMES_V2: Final[Mapping[str, Sequence[str]]] = {
    "CRITICAL": ("Critical", "Fatal"),
    "HIGH": ("High",),
    "MEDIUM": ("Medium",),
    "LOW": ("Low",),
}


class ThrottledError(Exception):
    """Security Hub asks for a pause."""


class TokenRefusedError(Exception):
    """The token of the next page isn't valid any longer."""


class PageNotReadError(Exception):
    """Security Hub refused the request, or couldn't be reached."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page of findings.

    Attributes:
        findings: The findings that can be read.
        unreadable: The number of those that can't.
        token: The token of the next page; empty if this is the last one.
        left_out: The numbers of those that can't be read, but be identified.
    """

    findings: Sequence[Finding]
    unreadable: int
    token: str
    left_out: Sequence[int] = ()


class Pace:
    """Lets threads make a number of requests a second together."""

    def __init__(
        self,
        per_second: float = REQUESTS_PER_SECOND,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Set the pace.

        Args:
            per_second: The number of requests a second. Default: 2.5.
            clock: Returns a time in seconds, from any starting point. Default: a monotonic clock.
            sleep: Waits for a number of seconds. Default: `time.sleep`.
        """
        self._interval = 1 / per_second
        self._clock = clock
        self._sleep = sleep
        self._next = 0.0
        self._lock = threading.Lock()

    def wait(self, *, pause: float = 0.0) -> None:
        """Wait for the turn of the next request, and at least for a pause."""
        with self._lock:
            now = self._clock()
            turn = max(now + pause, self._next)
            self._next = turn + self._interval
        if turn > now:
            self._sleep(turn - now)


class FindingPages:
    """Reads pages of the findings of one hub."""

    def __init__(self, client: SecurityHubClient, *, is_v2: bool) -> None:
        """Read from a hub.

        Args:
            client: Security Hub.
            is_v2: Whether to read from the new Security Hub instead of Security Hub CSPM.
        """
        self._client = client
        self._is_v2 = is_v2

    def page(self, part: str, token: str) -> Page:
        """Return a page of one of `PARTS`, the first one for an empty token.

        Raises:
            ThrottledError: Security Hub asks for a pause.
            TokenRefusedError: The token isn't valid any longer. Begin the part again.
            PageNotReadError: Security Hub refused the request, or couldn't be reached.
        """
        request: dict[str, Any] = {"MaxResults": _PAGE}
        if token:
            request["NextToken"] = token
        try:
            if self._is_v2:
                answer: Any = self._client.get_findings_v2(Filters=filters_v2(part), **request)
            else:
                answer = self._client.get_findings(
                    Filters=filters(part), SortCriteria=list(_ORDER), **request
                )
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code in _THROTTLED:
                raise ThrottledError from error
            if code in _REFUSED_TOKEN and token:
                raise TokenRefusedError from error
            raise PageNotReadError(f"Security Hub refused the request: {error}") from error
        except BotoCoreError as error:
            raise PageNotReadError(f"Security Hub couldn't be reached: {error}") from error
        return self._page(answer["Findings"], answer.get("NextToken") or "")

    def _page(self, given: Sequence[Any], token: str) -> Page:
        parse = parse_finding_v2 if self._is_v2 else parse_finding
        findings, unreadable = [], []
        for one in given:
            try:
                findings.append(parse(one))
            except MalformedEventError:
                unreadable.append(one)
        return Page(
            findings=findings,
            unreadable=len(unreadable),
            token=token,
            left_out=[number for one in unreadable for number in self._numbers(one)],
        )

    def _numbers(self, unreadable: Mapping[str, Any]) -> Iterator[int]:
        """Yield the number of a finding that can't be read, if what identifies it can."""
        with suppress(KeyError, TypeError):
            if self._is_v2:
                id_ = unreadable["finding_info"]["uid"]
                product = unreadable["metadata"]["product"]["uid"]
                account = unreadable["cloud"]["account"]["uid"]
            else:
                id_, product, account = (unreadable[name] for name in ("Id", "ProductArn", "AwsAccountId"))
            yield number_of(Finding.identified(id_=str(id_), product=str(product), account=str(account)))


def filters(part: str) -> Any:  # noqa: ANN401 - AwsSecurityFindingFilters
    """Return the filters of a part for GetFindings. All parts together have every finding that counts."""
    statuses = [SUPPRESSED] if part == SUPPRESSED else ["NEW", "NOTIFIED"]
    found: dict[str, Any] = {
        "RecordState": [{"Value": "ACTIVE", "Comparison": "EQUALS"}],
        "WorkflowStatus": [{"Value": status, "Comparison": "EQUALS"} for status in statuses],
    }
    if part in _NAMED:
        found["SeverityLabel"] = [{"Value": part, "Comparison": "EQUALS"}]
    elif part != SUPPRESSED:
        found["SeverityLabel"] = [{"Value": named, "Comparison": "NOT_EQUALS"} for named in _NAMED]
    return found


def filters_v2(part: str) -> Any:  # noqa: ANN401 - OcsfFindingFilters
    """Return the filters of a part for GetFindingsV2. What has the activity `Close` is archived."""
    statuses = ["Suppressed"] if part == SUPPRESSED else ["New", "In Progress"]
    composites = [_any_of("status", statuses), _composite("activity_name", ["Close"], "NOT_EQUALS", "AND")]
    if part in _NAMED:
        composites.append(_any_of("severity", _NAMES_V2[part]))
    elif part != SUPPRESSED:
        named = [name for names in _NAMES_V2.values() for name in names]
        composites.append(_composite("severity", named, "NOT_EQUALS", "AND"))
    return {"CompositeFilters": composites, "CompositeOperator": "AND"}


def _any_of(field: str, values: Sequence[str]) -> dict[str, Any]:
    return _composite(field, values, "EQUALS", "OR")


def _composite(field: str, values: Sequence[str], comparison: str, operator: str) -> dict[str, Any]:
    conditions = [
        {"FieldName": field, "Filter": {"Value": value, "Comparison": comparison}} for value in values
    ]
    return {"StringFilters": conditions, "Operator": operator}
