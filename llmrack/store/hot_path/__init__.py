"""What makes the statements of every request cheap."""
