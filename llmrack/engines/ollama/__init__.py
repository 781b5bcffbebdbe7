"""Ollama as an engine, over connections of our own."""
