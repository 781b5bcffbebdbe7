"""The documentation: Markdown whose tables, values, examples and snippets come from the program's own data."""
