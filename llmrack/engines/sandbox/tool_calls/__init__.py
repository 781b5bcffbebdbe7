"""Whether test mode calls a tool, and with what."""
