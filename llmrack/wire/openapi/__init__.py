"""The OpenAPI document and what it is put together from."""
