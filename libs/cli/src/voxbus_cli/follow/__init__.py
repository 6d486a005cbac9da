"""`voxbus events`: turns a call's stored and coming events into readable lines. It only reads."""
