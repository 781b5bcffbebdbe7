"""POST /v1/messages: Anthropic's API, translated into a chat's request and its answer."""
