"""`voxbus deliveries`: server messages that no server took."""
