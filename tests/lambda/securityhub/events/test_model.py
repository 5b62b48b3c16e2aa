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


@pytest.mark.parametrize("product", ["product", "productv2"])
def test_records_of_earlier_releases_are_found_by_findings_of_either_format(product):
    uid = f"arn:aws:securityhub:eu-west-1::{product}/aws/securityhub"
    finding = Finding.identified(id_="finding/1", product=uid, account="111122223333")
    # What the first release named its records and tickets by.
    assert finding.digest == "cf3e2348e69bbee93b4b1820845ad4e1672085990fe7852491a3d4e5cdf69ea1"


@pytest.mark.parametrize(
    ("product", "is_shared"),
    [
        ("::product/aws/securityhub", False),
        ("::productv2/aws/inspector", False),
        (":111122223333:product/111122223333/default", False),
        ("::product/example/scanner", True),
        ("::productv2/example/scanner", True),
    ],
)
def test_accounts_share_the_ids_of_a_partners_product_but_no_records(product, is_shared):
    digests = {
        Finding.identified(
            id_="finding/1", product=f"arn:aws:securityhub:eu-west-1{product}", account=account
        ).digest
        for account in ("111122223333", "444455556666")
    }
    assert len(digests) == (2 if is_shared else 1)
