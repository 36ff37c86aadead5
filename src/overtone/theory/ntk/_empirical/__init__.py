"""The tangent kernel of a network at its current parameters: by layer rules where possible, by Jacobians elsewhere."""
