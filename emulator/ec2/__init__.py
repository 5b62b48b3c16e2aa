"""What Amazon EC2 does beyond MiniStack."""
