from __future__ import annotations

import pytest

from securityhub.events import Finding, FindingsEvent, Format, parse_event


def test_insight_results_carry_no_findings(load_event):
    assert not isinstance(parse_event(load_event("insight_results_few")), FindingsEvent)


@pytest.mark.parametrize("name", ["custom_action_1_finding", "findings_imported", "findings_imported_v2"])
def test_the_other_events_carry_findings(load_event, name):
    assert isinstance(parse_event(load_event(name)), FindingsEvent)


@pytest.mark.parametrize(
    ("product", "format_"),
    [
        ("arn:aws:securityhub:eu-west-1::product/aws/securityhub", Format.ASFF),
        ("arn:aws:securityhub:eu-west-1::productv2/aws/securityhub", Format.OCSF),
    ],
)
def test_a_finding_is_identified_alike_by_its_product_in_either_format(product, format_):
    finding = Finding.identified(id_="finding/1", product=product, account="111122223333")
    assert finding.identity == ("arn:aws:securityhub:eu-west-1::product/aws/securityhub", "finding/1")
    assert finding.format is format_
    assert finding.product_uid == (product if finding.is_ocsf else None)
