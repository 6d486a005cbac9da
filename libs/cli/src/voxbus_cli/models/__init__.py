"""`voxbus models`: models of local recognizers, fetched from their publishers and checked against a pinned hash."""
