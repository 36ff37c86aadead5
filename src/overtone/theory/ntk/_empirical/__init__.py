"""The tangent kernel of a network as it stands: by layer where layers allow it, by Jacobians elsewhere."""
