"""`voxbus up`: turns one machine into a running stack and keeps it running; ends all of it with its own end."""
