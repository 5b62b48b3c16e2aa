"""Writing workflow status, note and user-defined fields to findings, for every function that does."""
