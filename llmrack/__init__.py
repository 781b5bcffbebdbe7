"""The product itself: catalogue, keys, metering, engines and wire formats. Nothing here ever sees an HTTP request."""

__version__ = "0.1.0"
