"""What is told of calls while they go on: their events, their sound."""
