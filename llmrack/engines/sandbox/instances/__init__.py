"""Values that hold a JSON Schema."""
