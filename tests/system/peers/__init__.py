"""Real mail servers as receivers, each in a root of its own (see install)."""
