"""`python -m overtone.cli`."""

from overtone.cli.main import main

main()
