"""What an operator can scrape: the metrics as rows, the figures of all workers, and their text for Prometheus."""
