"""`voxbus chat`: writes to an assistant over the public API."""
