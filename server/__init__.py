"""What exists because gunicorn runs LLMRack."""
