"""Real servers, honest instruments and conformance suites for tests."""
