"""What a reviewer must know of an app, or of the difference between two versions of it."""
