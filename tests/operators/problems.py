"""Equations with known solutions, for the tests of operators."""

import math

import torch

from overtone import operators

TAU = 2 * math.pi


def gradient(u, x):
    return torch.autograd.grad(u.sum(), x, create_graph=True)[0]


def second(u, x, axis=0):
    return gradient(gradient(u, x)[:, axis], x)[:, axis]


def helmholtz(waves=3.2, points=200, domain=((0.0, 1.0),), **options):
    k = TAU * waves

    def residual(x, u):
        return second(u[:, 0], x) / k**2 + u[:, 0]

    ends = operators.faces(domain, 1)
    terms = {"equation": (residual, points), "boundary": (lambda x, u: u - torch.cos(k * x), ends)}
    return operators.equation(terms, domain, **options)


def relative_error(field, truth, x):
    with torch.no_grad():
        return float((field(x) - truth(x)).norm() / truth(x).norm())
