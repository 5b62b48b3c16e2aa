"""Reads the dead-letter queues of stacks, and sends their messages to where they were going."""
