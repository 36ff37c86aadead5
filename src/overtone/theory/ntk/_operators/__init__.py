"""A kernel through its products with vectors: leading eigenpairs, and the decay that training is."""
