"""What AWS CloudFormation does beyond MiniStack: Security Hub's resources, keys, stack sets, and waits."""
