"""Speed and accuracy tables against the usual alternatives."""
