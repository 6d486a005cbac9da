"""`voxbus bench`: turns simultaneous real calls into figures, as the callers hear them and as the machine pays them."""
