from __future__ import annotations

import itertools

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from emulator.securityhub import finding_filters, ocsf, ocsf_filters
from functions.summary.figures import SEVERITIES
from functions.summary.finding_pages import (
    PARTS,
    FindingPages,
    PageNotReadError,
    ThrottledError,
    TokenRefusedError,
    filters,
    filters_v2,
)
from functions.summary.open_findings import number_of
from securityhub.events import parse_finding, parse_finding_v2
from tests.both_formats import ocsf_finding
from tests.summaries import asff

STATUSES = ("NEW", "NOTIFIED", "SUPPRESSED", "RESOLVED")
STATES = ("ACTIVE", "ARCHIVED")


def part_of(severity, status, state):
    """The part in which a finding is expected, if in any."""
    if state == "ARCHIVED" or status == "RESOLVED":
        return []
    return [status if status == "SUPPRESSED" else severity]


@pytest.mark.parametrize(
    ("severity", "status", "state"), list(itertools.product(SEVERITIES, STATUSES, STATES))
)
def test_each_finding_that_counts_is_in_one_part(severity, status, state):
    finding = asff(1, severity=severity, Workflow={"Status": status}, RecordState=state)
    for part in PARTS:
        finding_filters.check(filters(part))
    found = [part for part in PARTS if finding_filters.matches(finding, filters(part))]
    assert found == part_of(severity, status, state)


@pytest.mark.parametrize(("severity", "status"), list(itertools.product((*range(7), 99), range(1, 5))))
def test_each_finding_in_ocsf_that_counts_is_in_one_part(severity, status):
    names = {1: "INFORMATIONAL", 2: "LOW", 3: "MEDIUM", 4: "HIGH", 5: "CRITICAL", 6: "CRITICAL"}
    statuses = {1: "NEW", 2: "NOTIFIED", 3: "SUPPRESSED", 4: "RESOLVED"}
    finding = {
        "severity": {**ocsf.SEVERITY_NAMES}.get(severity, "Unknown"),
        "status": {**ocsf.STATUS_NAMES}[status],
        "activity_name": "Create",
    }
    for part in PARTS:
        ocsf_filters.check(filters_v2(part))
    found = [part for part in PARTS if ocsf_filters.matches(finding, filters_v2(part))]
    assert found == part_of(names.get(severity, "INFORMATIONAL"), statuses[status], "ACTIVE")
    closed = {**finding, "activity_name": "Close"}
    assert not [part for part in PARTS if ocsf_filters.matches(closed, filters_v2(part))]


class Client:
    """GetFindings and GetFindingsV2 with given answers."""

    def __init__(self, *answers):
        self.answers, self.requests = list(answers), []

    def get_findings(self, **request):
        self.requests.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    get_findings_v2 = get_findings


def refused(code):
    return ClientError({"Error": {"Code": code, "Message": "because"}}, "GetFindings")


def test_a_page_has_its_findings_and_the_token_of_the_next_one():
    client = Client({"Findings": [asff(1), asff(2)], "NextToken": "more"})
    page = FindingPages(client, is_v2=False).page("HIGH", "")
    assert ([one.id for one in page.findings], page.token) == (["finding-1", "finding-2"], "more")
    order = [{"Field": "CreatedAt", "SortOrder": "asc"}]
    assert client.requests == [{"Filters": filters("HIGH"), "SortCriteria": order, "MaxResults": 100}]


def test_the_next_page_is_asked_for_with_its_token():
    client = Client({"Findings": []})
    page = FindingPages(client, is_v2=True).page("LOW", "more")
    assert client.requests == [{"Filters": filters_v2("LOW"), "MaxResults": 100, "NextToken": "more"}]
    assert page.token == ""


def test_a_finding_that_cannot_be_read_is_counted():
    page = FindingPages(Client({"Findings": [asff(1), {"Id": "broken"}]}), is_v2=False).page("HIGH", "")
    assert (len(page.findings), page.unreadable, list(page.left_out)) == (1, 1, [])


@pytest.mark.parametrize("is_v2", [False, True])
def test_a_finding_that_cannot_be_read_is_identified_if_that_can_be_read(is_v2):
    given = ocsf_finding(1) if is_v2 else asff(1)
    parsed = parse_finding_v2(given) if is_v2 else parse_finding(given)
    spoiled = {**given, "resources": "none"} if is_v2 else {**given, "Resources": "none"}
    page = FindingPages(Client({"Findings": [spoiled, {}]}), is_v2=is_v2).page("HIGH", "")
    assert (page.unreadable, list(page.left_out)) == (2, [number_of(parsed)])


@pytest.mark.parametrize(
    ("error", "token", "expected"),
    [
        (refused("LimitExceededException"), "", ThrottledError),
        (refused("TooManyRequestsException"), "", ThrottledError),
        (refused("ThrottlingException"), "more", ThrottledError),
        (refused("InvalidInputException"), "more", TokenRefusedError),
        (refused("ValidationException"), "more", TokenRefusedError),
        (refused("InvalidInputException"), "", PageNotReadError),
        (refused("AccessDeniedException"), "more", PageNotReadError),
        (EndpointConnectionError(endpoint_url="https://example.com"), "", PageNotReadError),
    ],
)
def test_an_error_says_what_is_to_be_done(error, token, expected):
    with pytest.raises(expected):
        FindingPages(Client(error), is_v2=False).page("HIGH", token)
