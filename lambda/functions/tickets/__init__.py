"""Lambda function that opens a ticket for a finding in each tracker, and resolves it with the finding."""
