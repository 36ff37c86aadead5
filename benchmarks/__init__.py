"""Speed and accuracy tables against what a user would otherwise do."""
