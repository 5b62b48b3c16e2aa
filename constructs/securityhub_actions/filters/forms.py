"""The forms of identifiers, each a regular expression and its description."""

ACCOUNT_ID = (r"[0-9]{12}", "an account id of 12 digits")
ARN = (r"arn:[a-z-]+:.+", "an ARN, which begins with arn:")
REGION = (r"global|[a-z]{2,4}(-[a-z]+)+-[0-9]", "a region such as eu-west-1")
