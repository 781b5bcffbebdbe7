"""What the product does: keys, limits, metering, inference."""
