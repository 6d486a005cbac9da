"""`voxbus gen`: turns the contracts and protobuf definitions into documentation, schemas and stubs. Files only."""
