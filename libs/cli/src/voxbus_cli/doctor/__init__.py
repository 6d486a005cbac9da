"""`voxbus doctor`: turns what this machine has into a list of what works and what to do about the rest."""
