"""What every function needs in an invocation: its environment, clients, messages, and records of its work."""
