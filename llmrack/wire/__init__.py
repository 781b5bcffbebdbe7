"""Translation between OpenAI's wire format and Ollama's: pure functions, no I/O."""
