"""`python -m overtone.cli`."""

from overtone.cli import main

main()
