"""Fixtures every test may ask for by name."""

from hypothesis import settings

pytest_plugins = ["voxbus_testing.nats", "voxbus_testing.object_store", "voxbus_testing.postgres"]

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
"""How long an example takes says more about what else the machine does than about what is tested."""
