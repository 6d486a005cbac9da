"""A turn by text on the core that serves calls: same state, rows, models, tools; no clock of audio and no voice."""
