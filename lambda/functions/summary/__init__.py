"""The Lambda function that sends a summary of all findings on a schedule."""
