"""Lambda function that fixes, in the account and region that a finding names, what the finding is about."""
