"""
Do I need a network at all?
===========================

Often not. A clean picture with a tenth of its pixels missing is filled by cubic interpolation, by an infinitely wide
network and by a trained one.
"""

import matplotlib.pyplot as plt
import skimage.data
import skimage.transform

import overtone as ot

picture = skimage.transform.resize(
    skimage.data.camera(), (48, 48), anti_aliasing=True
)
signal = ot.signals.image(picture)
budget = ot.planning.Budget(steps=150, parameters=20_000)
comparison = ot.compare(signal, candidates=["gaussian"], budget=budget, seeds=1)

# %%
# The candidates at the top have the smallest error on the missing pixels. Interpolation takes milliseconds and is
# better than the trained networks with this budget. The infinitely wide network, called kernel-twin, comes close to it.
scores = sorted(comparison.scores, key=lambda score: score.mean)
fig, ax = plt.subplots(figsize=(7, 4), layout="constrained")
ax.barh([score.name for score in scores], [score.mean for score in scores])
ax.set(xlabel="PSNR on missing pixels (dB)", ylabel="Candidate")
for score in scores:
    print(f"{score.name:<18}{score.mean:5.1f} dB in {score.seconds:.2g} s")
print(*comparison.verdict, sep="\n")
plt.show()
