"""Calls from the request to the record: who is called, when, by which assistant, and what is kept. Mostly pure."""
