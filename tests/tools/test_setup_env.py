from __future__ import annotations

from aws_cdk.cloud_assembly_schema import MetadataEntry


def test_the_file_that_two_distributions_bring_is_that_of_aws_cdk_lib():
    """Where it is not, run `make setup`. Source: https://github.com/aws/aws-cdk/issues/38482."""
    assert MetadataEntry.__jsii_type__ == "aws-cdk-lib.cloud_assembly_schema.MetadataEntry"
