"""MCP servers through the official SDK. Loaded when the first one is asked: it takes a good part of a second."""
