"""Lambda function that fixes, in the account and Region that a finding names, what the finding is about."""
