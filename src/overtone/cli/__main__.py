"""`python -m overtone.cli`."""

from overtone.cli import _main as main

main()
