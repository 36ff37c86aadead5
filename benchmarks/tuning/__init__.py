"""Regret of `plan`, `Controller` and the rules of `early_stopping` against a grid of trained networks."""
