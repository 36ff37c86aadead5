"""
Can the bandwidth be found during training?
===========================================

The controller begins with a low bandwidth and increases it while the bands within it are learned. When noise is
being fitted, it restores the best weights and lowers the learning rate, and finally it stops.
"""

import matplotlib.pyplot as plt
import skimage.data
import skimage.transform

import overtone as ot

picture = skimage.transform.resize(
    skimage.data.camera(), (32, 32), anti_aliasing=True
)
noisy = ot.signals.synthetic.add_noise(
    ot.signals.image(picture), std=0.05, seed=0
)
options = {
    "width": 48,
    "depth": 2,
    "features": 64,
    "bandwidth": 0.5,
    "lr": 3e-3,
}
run = ot.fit(noisy, steps=400, controller=True, seed=0, **options)
actions = run.record.attrs["actions"]

# %%
# Each step of the upper curve is an increase of the bandwidth, which begins at 0.5 cycles per picture height and is
# chosen here too low on purpose. The dotted line marks where the controller estimates that the error rises: it
# restores the best weights and lowers the learning rate. The lower figure shows the error against the clean picture,
# which the controller does not know.
fig, (top, bottom) = plt.subplots(
    2, 1, figsize=(7, 5.5), layout="constrained", sharex=True
)
top.step(
    [action["step"] for action in actions],
    [action["bandwidth"][0] for action in actions],
    where="post",
)
top.set_ylabel("Bandwidth\n(cycles per picture height)")
bottom.plot(run.record.step[1:], run.record.clean_error[1:] ** 0.5)
bottom.set(
    xlabel="Step",
    ylabel="Error against the clean\npicture (brightness)",
    xscale="log",
    yscale="log",
)
for action in actions:
    if action["bandwidth"] == actions[-1]["bandwidth"]:
        print(action["reason"])
    if action["move"] == "lower the learning rate":
        for ax in (top, bottom):
            ax.axvline(action["step"], color="0.5", linestyle=":")
plt.show()
