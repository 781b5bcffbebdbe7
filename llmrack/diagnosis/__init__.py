"""What is wrong with an installation: one row for each thing that is looked at, and what mends it."""
