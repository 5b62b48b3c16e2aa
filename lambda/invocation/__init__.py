"""What one invocation of any function needs: its environment, clients, messages, and memory of work done."""
