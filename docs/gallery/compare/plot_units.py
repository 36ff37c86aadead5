"""
Is sigma = 10 the same in every library?
========================================

It is not. Libraries differ in the factor before the coordinate and in the range of the coordinates. The conversion
compares them by their bandwidth, in cycles across the samples.
"""

import matplotlib.pyplot as plt

from overtone import units

settings = {  # library: (value, name of the setting, its coordinate range)
    "tancik": (10, "sigma", (0, 1)),
    "deepxde": (10, "sigma", (-1, 1)),
    "siren": (30, "omega", (-1, 1)),
    "nerf": (6, "octaves", (-1, 1)),
    "nerfstudio": (6, "octaves", (0, 1)),
    "finer-posenc": (6, "octaves", (-1, 1)),
}

# %%
# The bars are the bandwidths of settings that are often copied from one project to another. Equal numbers mean
# different networks: the two settings of sigma = 10 differ by a factor of pi.
fig, ax = plt.subplots(figsize=(7, 4), layout="constrained")
for library, (value, setting, domain) in settings.items():
    cycles = units.convert(
        value, of=library, to="bandwidth", domain=domain, inputs=2
    )
    bar = ax.barh(f"{library}: {setting} = {value}", cycles, color="C0")
    ax.bar_label(bar, fmt="%.3g", padding=3)
ax.invert_yaxis()
ax.set(
    xscale="log",
    xlabel="Bandwidth (cycles across the samples)",
    ylabel="Library and setting",
    xlim=(1, 300),
)
plt.show()
