from __future__ import annotations

ACCOUNT, REGION = "222233334411", "eu-west-1"


def test_the_tagging_api_knows_the_tags_of_ec2_resources_of_its_account_and_region(embedded_aws):
    ec2 = embedded_aws.client("ec2", account=ACCOUNT, region=REGION)
    group = ec2.create_security_group(GroupName="tagged", Description="A test's")["GroupId"]
    ec2.create_tags(Resources=[group], Tags=[{"Key": "team", "Value": "payments"}])
    arn = f"arn:aws:ec2:{REGION}:{ACCOUNT}:security-group/{group}"

    def found(region):
        tagging = embedded_aws.client("resourcegroupstaggingapi", account=ACCOUNT, region=region)
        return tagging.get_resources(ResourceARNList=[arn])["ResourceTagMappingList"]

    assert found(REGION) == [{"ResourceARN": arn, "Tags": [{"Key": "team", "Value": "payments"}]}]
    assert found("us-east-1") == []
