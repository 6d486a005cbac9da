"""What a call's server is told: made of the call's log, put on the bus in order, delivered by tool-runner."""
