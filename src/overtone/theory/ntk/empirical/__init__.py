"""The neural tangent kernel of a network as it stands: layer by layer where the layers allow it, by Jacobians elsewhere."""
