"""The eigenvalues of a kernel by frequency: how fast each frequency is learned."""
