"""How a tool of each type is run: what is asked of whom, and what the answer means."""
