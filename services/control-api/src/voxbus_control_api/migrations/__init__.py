"""The revisions of the control API's database; each is written once and never changed."""
