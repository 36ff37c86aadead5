"""What every package shares: errors, enumerations, validation, text and files."""
