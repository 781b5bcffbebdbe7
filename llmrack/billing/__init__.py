"""Plans, payments, credits and statements."""
