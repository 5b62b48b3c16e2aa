"""The code of the Lambda functions, one folder for each."""
