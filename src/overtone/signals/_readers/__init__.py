"""Readers per kind of file; each returns a `Signal` in physical units or raises a one-sentence error."""
