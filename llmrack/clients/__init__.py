"""Other people's servers that LLMRack talks to besides Ollama."""
