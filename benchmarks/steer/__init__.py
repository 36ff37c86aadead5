"""How much is lost by steering instead of searching: `choose`, `Controller` and `stop` against a trained grid."""
