"""The language models of this service, one file each; registry.py says which there are."""
