"""Doing a piece of work once, whatever is delivered how often."""
