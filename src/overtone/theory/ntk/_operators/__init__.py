"""Kernels as operators: products with vectors, leading eigenpairs, and the exponential decay of training."""
