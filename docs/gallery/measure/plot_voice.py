"""
Up to which frequency does a voice reach?
=========================================

A recording has a spacing in seconds, so its spectrum is in Hz. The example takes a quarter of a second of a
synthetic voice; ``ot.signals.audio("speech.wav")`` reads one from a file.
"""

import matplotlib.pyplot as plt

import overtone as ot

voice = ot.signals.synthetic.voice(0.25, rate=8000, seed=0)
step = voice.geometry.spacing[0]
spectrum = ot.spectra.grid(voice.values[:, 0], spacing=step)
reach = float(ot.spectra.bandwidth(voice.values[:, 0], spacing=step)[0, 0])

# %%
# The first peak, a little above 100 Hz, is the pitch. The broad maximum is made by the overtones that the vowel
# amplifies. Nine tenths of the power lie below the dashed line; a network whose bandwidth ends far below it
# cannot reproduce the vowel.
fig, (top, bottom) = plt.subplots(2, 1, figsize=(7, 5.5), layout="constrained")
top.plot(voice.coords[:800, 0], voice.values[:800, 0], linewidth=0.8)
top.set(xlabel="Time (s)", ylabel="Amplitude (full scale is 1)")
bottom.loglog(
    spectrum.bands.centre[1:], spectrum.power[1:, 0], "o-", markersize=3
)
bottom.axvline(
    reach, color="black", linestyle="--", label=f"bandwidth, {reach:.0f} Hz"
)
bottom.set(
    xlabel=f"Frequency ({voice.geometry.frequency_unit})",
    ylabel="Power in the band (full scale²)",
)
bottom.legend()
plt.show()
