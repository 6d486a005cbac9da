"""`voxbus call`: turns an audio file into a caller of the public API. It knows nothing of the bus."""
