"""POST /v1/responses: items and events around the same conversation, tools and answers as a chat's."""
