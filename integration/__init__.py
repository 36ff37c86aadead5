"""Tests against trainers and trackers that the ordinary suite replaces by stand-ins: `make integration`."""
