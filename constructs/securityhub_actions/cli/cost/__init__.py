"""What an app costs a month: prices and counts as data, and the sums."""
