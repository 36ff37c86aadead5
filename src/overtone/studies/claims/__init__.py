"""One file a claim: what is said, how it is tested, where it must fail."""
