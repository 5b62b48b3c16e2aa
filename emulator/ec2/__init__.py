"""Operations of Amazon EC2 that MiniStack lacks."""
