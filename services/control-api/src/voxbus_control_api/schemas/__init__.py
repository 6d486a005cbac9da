"""What may be posted to the API, one file per concept; unknown fields and providers are kept, never refused."""
