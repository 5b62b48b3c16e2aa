"""AWS CDK constructs that act on AWS Security Hub findings."""
