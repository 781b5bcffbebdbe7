"""The database: its tables and the short transactions around them."""
