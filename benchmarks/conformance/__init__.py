"""Conformance kit: analytic fields with known spectra, and what public tools return for them."""
