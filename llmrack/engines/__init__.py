"""What answers a prompt: a real Ollama, or the sandbox behind test keys."""
