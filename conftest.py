"""Fixtures every test may ask for by name."""

pytest_plugins = ["voxbus_testing.nats", "voxbus_testing.object_store", "voxbus_testing.postgres"]
