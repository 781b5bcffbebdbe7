"""POST /v1/chat/completions, in both directions."""
