"""API keys: made, changed, revoked, and looked up on every request."""
