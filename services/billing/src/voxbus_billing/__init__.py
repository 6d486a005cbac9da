"""Turns `usage.recorded` and `call.*` into `cost.updated`. Counts no event twice, holds money in no float."""
