"""The archive of a stack that gets findings of the new Security Hub, beside those of CSPM or instead."""

from __future__ import annotations

import gzip
import json
import re

import pytest
from aws_cdk import App, Environment

from emulator.server import DEFAULT_ACCOUNT, DEFAULT_REGION
from stacks.findings_routing import FindingsRoutingStack
from tests.e2e.findings import control_finding, import_findings
from tests.e2e.stacks import delete_stack, deploy_synthesized, stack_of
from tests.shipped_settings import load_shipped_settings

ACCOUNTS = (DEFAULT_ACCOUNT, "444455556666")


class Archive:
    """The archive of a deployed stack."""

    def __init__(self, aws, stack):
        self._aws, self._s3 = aws, aws.client("s3")
        outputs = stack_of(aws, stack, region=DEFAULT_REGION)["Outputs"]
        self._bucket = next(o["OutputValue"] for o in outputs if o["OutputKey"] == "ArchiveBucketName")

    def objects(self):
        """The archive's objects: key to event."""
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket)
        keys = [found["Key"] for page in pages for found in page.get("Contents", [])]
        bodies = {key: self._s3.get_object(Bucket=self._bucket, Key=key)["Body"].read() for key in keys}
        assert not [body for key, body in bodies.items() if key.startswith("errors/")]
        return {key: json.loads(gzip.decompress(body)) for key, body in bodies.items()}

    def of(self, finding, formats):
        """What is archived about an imported finding, once it's there in so many formats: by format."""

        def found():
            own = [
                (format_of(event), key, event)
                for key, event in self.objects().items()
                if id_in(event) == finding["Id"]
            ]
            return own if len(own) >= formats else None

        own = self._aws.wait_until(found, what=f"{finding['Id']} in the archive")
        assert len(own) == formats
        return {format_: (key, event) for format_, key, event in own}


def format_of(event):
    return "ocsf" if event["detail-type"] == "Findings Imported V2" else "asff"


def id_in(event):
    (finding,) = event["detail"]["findings"]
    return finding["finding_info"]["uid"] if format_of(event) == "ocsf" else finding["Id"]


@pytest.fixture(scope="module")
def archive_of(aws, feature_flags, tmp_path_factory):
    """A function that deploys a stack that listens to a hub, or both, and returns its archive."""
    shipped = load_shipped_settings().routing
    off = {
        part: getattr(shipped, part).model_copy(update={"enabled": False}) for part in ("critical", "high")
    }
    settings = shipped.model_copy(update=off)
    made = []

    def deploy(hub):
        name = f"Routing{hub}"
        folder = tmp_path_factory.mktemp(name)
        cdk = App(context=feature_flags, analytics_reporting=False, outdir=str(folder))
        environment = Environment(account=DEFAULT_ACCOUNT, region=DEFAULT_REGION)
        FindingsRoutingStack(cdk, name, settings=settings, hub=hub, env=environment)
        cdk.synth()
        made.append(name)
        deploy_synthesized(aws, folder, name, region=DEFAULT_REGION)
        return Archive(aws, name)

    hub = aws.client("securityhub")
    hub.enable_security_hub_v2()
    yield deploy
    hub.disable_security_hub_v2()
    for name in made:
        delete_stack(aws, name, region=DEFAULT_REGION)


@pytest.mark.parametrize(("hub", "formats"), [("both", {"asff", "ocsf"}), ("v2", {"ocsf"})])
def test_findings_are_archived_by_date_and_account_in_the_format_of_each_hub(aws, archive_of, hub, formats):
    archive = archive_of(hub)
    findings = [control_finding("S3.8", f"archived-{hub}-{account}", account=account) for account in ACCOUNTS]
    import_findings(aws, findings)
    for account, finding in zip(ACCOUNTS, findings, strict=True):
        found = archive.of(finding, len(formats))
        assert found.keys() == formats
        for key, event in found.values():
            partition = f"findings/date={event['time'][:10]}/account={account}/"
            assert re.fullmatch(re.escape(partition) + r"[^=]+\.jsonl\.gz", key)
