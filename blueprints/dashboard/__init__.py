"""Pages of the account that is signed in."""
