"""Shared helpers: errors, enumerations, validation, text and files."""
