"""What can be said before training: the neural tangent kernel and what follows from it."""
