"""Lambda function that rotates the tokens of Slack apps, as AWS Secrets Manager tells it to."""
