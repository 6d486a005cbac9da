"""Looking things up in customers' files: text out of them, passages, a full-text index."""
