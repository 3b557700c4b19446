"""Bytes to records and back: models of procedures as others write them. Pure."""
