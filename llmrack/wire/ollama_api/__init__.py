"""Ollama's own API as a dialect: its requests become chat's fields, its answers are lines of JSON."""
