"""The Lambda function that ends suppressions; a whole deployment package."""
