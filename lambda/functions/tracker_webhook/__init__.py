"""Lambda function that receives webhooks of ticket trackers, and queues the tickets that they name."""
