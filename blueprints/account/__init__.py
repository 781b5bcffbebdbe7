"""Signing up and in, and what people change about themselves."""
