"""What a hospital had before it was connected: which of it a backfill means, and the command that moves it."""
