"""Writing workflow status and note to findings, for every function that does."""
