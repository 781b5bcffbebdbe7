"""Experiments that show what the limits and the meter promise: real gunicorn, real sockets, real databases.

Each takes its counts as arguments and returns figures by name; an experiment fails by AssertionError.
`tests/serve/test_limits_experiments.py` runs them small, `script/experiments` at full size.
"""
