"""What containers of recordings announce and what they hold: the length is measured, never taken on trust."""
