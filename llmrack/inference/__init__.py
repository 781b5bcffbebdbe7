"""One request from admission to settlement, whole or as a stream."""
