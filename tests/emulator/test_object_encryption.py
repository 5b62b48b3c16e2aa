from __future__ import annotations

import uuid


def test_without_a_key_an_object_is_encrypted_with_that_of_the_account(embedded_aws):
    client, bucket = embedded_aws.client("s3"), f"bucket-{uuid.uuid4().hex}"
    client.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    client.put_object(Bucket=bucket, Key="object", Body=b"text", ServerSideEncryption="aws:kms")
    stored = client.get_object(Bucket=bucket, Key="object")
    assert (stored["ServerSideEncryption"], stored["Body"].read()) == ("aws:kms", b"text")
    assert stored["SSEKMSKeyId"].endswith(":alias/aws/s3")
    client.delete_object(Bucket=bucket, Key="object")
    client.delete_bucket(Bucket=bucket)
