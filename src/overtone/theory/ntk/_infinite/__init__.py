"""Infinitely wide networks in closed form."""
