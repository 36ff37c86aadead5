"""
How long should training with noise take?
=========================================

The error against the clean signal has two parts: what is not yet learned, which falls with time, and the noise
that has been learned, which rises. Their sum has a minimum that follows from the eigenvalues of the kernel.
"""

import matplotlib.pyplot as plt
import torch

from overtone.theory import risk

k = torch.arange(1, 129, dtype=torch.float64)
eigenvalues, target_power = (
    128 / k**2,
    128 * k**-3.0,
)  # rates and squared coefficients of 128 modes
rule = risk.GradientFlow()
steps = rule.steps(eigenvalues)

# %%
# More noise means an earlier best time and a larger error at that time. Without noise, longer is always better.
fig, ax = plt.subplots(figsize=(7, 4), layout="constrained")
for noise, colour in ((0.0, "C0"), (0.01, "C1"), (0.1, "C2")):
    curve = risk.expected_risk(eigenvalues, target_power, noise, rule, steps)
    ax.loglog(
        curve.steps,
        curve.total,
        color=colour,
        label=f"noise variance {noise:g}",
    )
    if noise:
        ax.plot(curve.best_step, curve.total[curve.best], "o", color=colour)
        print(
            f"noise variance {noise:g}: best time {float(curve.best_step):.3g}"
        )
ax.set(
    xlabel="Training time (steps times learning rate)",
    ylabel="Expected error (value²)",
    ylim=(1e-4, None),
)
ax.legend()
plt.show()
