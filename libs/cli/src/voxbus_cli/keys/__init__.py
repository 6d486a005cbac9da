"""`voxbus keys`: an organisation's keys of the API."""
