"""Lambda function that remediates findings in the account and Region that they name."""
