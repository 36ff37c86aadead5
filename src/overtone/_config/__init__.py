"""Internal modules."""
