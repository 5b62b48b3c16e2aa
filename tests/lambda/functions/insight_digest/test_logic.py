from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.insight_digest.logic import (
    Settings,
    compose_digest,
    malformed_items,
)
from invocation.topic import MAX_MESSAGE_BYTES
from securityhub.events import InsightResult, InsightResultsEvent, parse_event

ANY_TEXT = st.text(min_size=1, max_size=400, alphabet=st.characters())


@pytest.fixture
def insight(load_event):
    return parse_event(load_event("insight_results_few"))


def test_insight_results_become_an_aligned_table_with_the_highest_count_first(insight):
    results = (
        InsightResult(value="arn:aws:s3:::example-archive", count=1),
        InsightResult(value="arn:aws:s3:::example-website", count=5),
        InsightResult(value="arn:aws:s3:::example-reports-01", count=1234),
    )

    message = compose_digest(replace(insight, results=results))

    assert message.subject == (
        "Security Hub insight: S3 buckets with public write or read permissions (3 results)"
    )
    assert message.body == "\n".join(
        [
            "Insight: S3 buckets with public write or read permissions",
            "Insight ARN: arn:aws:securityhub:::insight/securityhub/default/10",
            "Sent from account 111122223333, eu-west-1, at 2026-01-31T10:05:33+00:00",
            'Custom action: "Insight digest"',
            "Console: https://eu-west-1.console.aws.amazon.com/securityhub/home?region=eu-west-1#/insights",
            "",
            "Findings in total: 1,240, in 3 results",
            "",
            "  Count  ResourceId",
            "  1,234  arn:aws:s3:::example-reports-01",
            "      5  arn:aws:s3:::example-website",
            "      1  arn:aws:s3:::example-archive",
        ]
    )


def test_100_results_are_all_in_the_message(load_event):
    given = load_event("insight_results_100_results")

    body = compose_digest(parse_event(given)).body

    assert "in 100 results" in body
    for result in given["detail"]["insightResults"]:
        assert next(iter(result)) in body


def test_an_insight_without_results_says_so(insight):
    body = compose_digest(replace(insight, results=())).body

    assert "Findings in total: 0, in 0 results" in body


def test_results_that_could_not_be_read_are_mentioned(load_event):
    given = load_event("insight_results_few")
    given["detail"]["insightResults"][0] = {"example": -1}
    event = parse_event(given)

    body = compose_digest(event).body

    assert "Items left out because they can't be read: 1. The first: $.detail.insightResults[0]" in body
    assert malformed_items(event) == event.malformed_results


@pytest.mark.parametrize(
    ("partition", "region", "host"),
    [
        ("aws", "us-east-1", "us-east-1.console.aws.amazon.com"),
        ("aws-cn", "cn-north-1", "cn-north-1.console.amazonaws.cn"),
        ("aws-us-gov", "us-gov-west-1", "us-gov-west-1.console.amazonaws-us-gov.com"),
    ],
)
def test_the_console_address_follows_partition_and_region(insight, partition, region, host):
    event = replace(insight, region=region, insight_arn=f"arn:{partition}:securityhub:::insight/default/1")

    assert f"Console: https://{host}/securityhub/home?region={region}#/insights" in compose_digest(event).body


@pytest.mark.parametrize(
    ("insight_arn", "region"),
    [
        ("arn:aws-iso:securityhub:::insight/default/1", "us-iso-east-1"),
        ("no ARN", "eu-west-1"),
        ("arn:aws:securityhub:::insight/default/1", "evil.example/"),
    ],
)
def test_without_a_known_console_there_is_no_address(insight, insight_arn, region):
    event = replace(insight, region=region, insight_arn=insight_arn)

    assert "https://" not in compose_digest(event).body


def test_findings_become_counts_by_severity_and_account_and_titles(load_event):
    message = compose_digest(parse_event(load_event("custom_action_20_findings")))

    assert message.subject.startswith("Security Hub: 20 findings (2 CRITICAL, 6 HIGH, 8 MEDIUM,")
    lines = message.body.split("\n")
    start = lines.index("  Count  Severity")
    assert lines[start + 1 : start + 6] == [
        "      2  CRITICAL",
        "      6  HIGH",
        "      8  MEDIUM",
        "      2  LOW",
        "      2  INFORMATIONAL",
    ]
    start = lines.index("  Count  Account")
    assert sorted(lines[start + 1 : start + 4]) == [
        "      6  111122223333",
        "      7  444455556666",
        "      7  777788889999",
    ]
    titles = lines[lines.index("Titles") + 1 :]
    assert len(titles) == 20
    assert titles[0].startswith("  [CRITICAL] ")
    assert titles[-1].startswith("  [INFORMATIONAL] ")


def test_ocsf_findings_are_told_like_the_others(load_event):
    message = compose_digest(parse_event(load_event("findings_imported_v2")))

    assert message.subject == "Security Hub: 1 finding (1 HIGH)"
    assert message.body.endswith(
        "\n  [HIGH] S3 general purpose buckets should block public access: "
        "arn:aws:s3:::example-reports-42 (444455556666, eu-west-1)"
    )


def test_a_finding_on_several_resources_names_the_first_and_counts_the_others(load_event):
    given = load_event("findings_imported")
    given["detail"]["findings"][0]["Resources"] *= 3

    body = compose_digest(parse_event(given)).body

    assert body.endswith(": arn:aws:s3:::example-reports-01 and 2 more (111122223333, eu-west-1)")


def test_a_finding_without_title_or_severity_is_listed_by_its_id(load_event):
    given = load_event("findings_imported")
    del given["detail"]["findings"][0]["Title"], given["detail"]["findings"][0]["Severity"]

    body = compose_digest(parse_event(given)).body

    assert f"  [UNKNOWN] {given['detail']['findings'][0]['Id']}" in body


def test_a_value_cannot_forge_lines_of_the_message(insight):
    results = (InsightResult(value="harmless\n  99999  forged\x1b[31m", count=1),)

    body = compose_digest(replace(insight, results=results)).body

    assert body.endswith("      1  harmless 99999 forged [31m")


@given(name=ANY_TEXT, kind=ANY_TEXT, region=ANY_TEXT, values=st.lists(ANY_TEXT, max_size=100))
def test_whatever_an_insight_holds_the_message_is_one_that_sns_takes(name, kind, region, values):
    event = InsightResultsEvent(
        event_id="6f0c",
        account="111122223333",
        region=region,
        time=datetime(2026, 1, 31, tzinfo=UTC),
        resources=(),
        action_arn=None,
        action_name=name,
        action_description="",
        insight_arn=name,
        insight_name=name,
        result_type=kind,
        number_of_results=None,
        results=tuple(InsightResult(value=value, count=1) for value in values),
        malformed_results=(),
    )

    message = compose_digest(event)

    assert message.subject.isascii()
    assert message.subject.isprintable()
    assert message.subject[0].isalnum()
    assert 1 <= len(message.subject) < 100
    assert len(message.body.encode()) <= MAX_MESSAGE_BYTES
    assert len(message.body.split("\n")) <= 10 + len(values)


@pytest.mark.parametrize(
    "topic_arn",
    [
        None,
        "",
        "digests",
        "arn:aws:sqs:eu-west-1:111122223333:q",
        "arn:aws:sns:eu-west-1:111122223333:a.fifo",
    ],
)
def test_a_wrong_topic_is_refused_at_cold_start(topic_arn):
    environment = {} if topic_arn is None else {"TOPIC_ARN": topic_arn}

    with pytest.raises(ValueError, match="TOPIC_ARN must be the ARN of a standard SNS topic"):
        Settings.from_environment(environment)


def test_the_region_of_the_topic_is_read_from_its_arn():
    settings = Settings.from_environment({"TOPIC_ARN": "arn:aws-cn:sns:cn-north-1:111122223333:digests"})

    assert settings.topic_region == "cn-north-1"
