"""What Security Hub sends, and what it takes."""
