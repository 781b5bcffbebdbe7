"""What a request may use, what it used, and what its account is told about it."""
