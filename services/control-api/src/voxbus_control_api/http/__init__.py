"""The REST API: requests in, records out."""
