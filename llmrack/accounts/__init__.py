"""Accounts and the people behind them: how they prove who they are, and what was done in their name."""
