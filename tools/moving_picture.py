"""Draw the moving picture of the README: a network learns a noisy photograph, with its spectrum beside it.

Run as ``python tools/moving_picture.py``. Writes docs/img/learning.webp, and the frame of its best step as
docs/img/learning.png.
"""

from __future__ import annotations

import io
from pathlib import Path

import matplotlib as mpl

mpl.use("agg")

import numpy as np
import skimage.data
import skimage.transform
import torch
from matplotlib import pyplot as plt
from PIL import Image

import overtone as ot

SIDE = 96
NOISE = 0.1
STEPS = 2000
IMAGES = Path(__file__).parents[1] / "docs" / "img"
TARGET, LEARNED, CLEAN = "#44546a", "#d55e00", "#0072b2"
"""Two of Okabe and Ito's colours and a grey: distinct for colour-blind readers and in print."""


def psnr(estimate: np.ndarray, reference: np.ndarray) -> float:
    """Return the peak signal-to-noise ratio in dB for values in [0, 1]."""
    return float(-10 * np.log10(np.mean((estimate - reference) ** 2)))


def train(noisy: torch.Tensor, coords: torch.Tensor, steps: list[int]) -> list[np.ndarray]:
    """Train on all samples with Adam and return the network's picture at each of the steps."""
    body = ot.nn.MLP(512, 1, width=192, depth=3, seed=0)
    network = torch.nn.Sequential(ot.nn.encodings.Gaussian(2, 256, sigma=6.0, seed=0), body)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    pictures = []
    for step in range(steps[-1] + 1):
        output = network(coords)
        if step in steps:
            pictures.append(output.detach().reshape(SIDE, SIDE).double().numpy())
        loss = torch.nn.functional.mse_loss(output, noisy)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return pictures


def powers(picture: np.ndarray, bands: ot.spectra.Bands) -> np.ndarray:
    """Return the power of each band."""
    return ot.spectra.grid(torch.as_tensor(picture), bands=bands).power[:, 0].numpy()


def frame(step: int, shown: list[np.ndarray], bands: ot.spectra.Bands, best: int | None) -> Image.Image:
    """Draw one frame: data, network and spectrum, with the quality of the network below."""
    clean, noisy, learned = shown
    figure = plt.figure(figsize=(8.6, 3.05), dpi=100)
    boxes = [(0.012, 0.12, 0.268, 0.755), (0.292, 0.12, 0.268, 0.755)]
    for box, picture, title in zip(
        boxes, (noisy, learned), ("data, with noise", f"network, step {step}"), strict=True
    ):
        axes = figure.add_axes(box)
        axes.imshow(picture, cmap="gray", vmin=0, vmax=1)
        axes.set_title(title, fontsize=10)
        axes.set_axis_off()
    axes = figure.add_axes((0.645, 0.175, 0.345, 0.7))
    low, high = (np.asarray(edge)[1:] for edge in (bands.low, bands.high))
    edges = np.append(low, high[-1])
    for picture, color, label in ((noisy, TARGET, "data"), (clean, CLEAN, "without noise")):
        style = {"ls": "--", "lw": 1.2} if color == CLEAN else {"lw": 1.5}
        axes.stairs(powers(picture, bands)[1:], edges, color=color, label=label, **style)
    axes.stairs(
        powers(learned, bands)[1:],
        edges,
        fill=True,
        color=LEARNED,
        alpha=0.45,
        label="learned",
        baseline=1e-7,
    )
    axes.set(xscale="log", yscale="log", xlim=(edges[0], edges[-1]), ylim=(1e-7, 3e-2))
    axes.set_xlabel("frequency (cycles per picture)", fontsize=9)
    axes.set_ylabel("power per band", fontsize=9)
    axes.tick_params(labelsize=8)
    axes.legend(fontsize=8, frameon=False, loc="lower left")
    axes.set_title("spectrum", fontsize=10)
    text = f"{psnr(learned, clean):.1f} dB to the picture without noise"
    if best is not None:
        text += f": best at step {best}" if step != best else ": the best step"
    figure.text(0.012, 0.035, text, fontsize=9, color=LEARNED)
    buffer = io.BytesIO()
    figure.savefig(buffer)
    plt.close(figure)
    return Image.open(buffer).convert("RGB")


def main() -> None:
    """Train, draw and write."""
    picture = skimage.transform.resize(
        skimage.data.camera()[30:414, 60:444], (SIDE, SIDE), anti_aliasing=True
    )
    signal = ot.signals.synthetic.add_noise(ot.signals.image(picture), std=NOISE, seed=0)
    noisy = signal.grid_values[..., 0].double().numpy()
    steps = sorted({*range(0, 10, 2), *np.geomspace(10, STEPS, 26).astype(int).tolist()})
    coords = torch.stack(torch.meshgrid(*[(torch.arange(SIDE) + 0.5) / SIDE] * 2, indexing="ij"), -1).reshape(
        -1, 2
    )
    learned = train(signal.values.float(), coords, steps)
    quality = [psnr(p, picture) for p in learned]
    best = steps[int(np.argmax(quality))]
    print("best", best, max(quality), "last", quality[-1])
    bands = ot.spectra.grid(torch.as_tensor(noisy)).bands
    frames = [
        frame(step, [picture, noisy, output], bands, best if step >= best else None)
        for step, output in zip(steps, learned, strict=True)
    ]
    durations = [160] * len(frames)
    durations[steps.index(best)], durations[-1] = 1500, 2500
    # WebP and not GIF: the pictures have many greys and noise, which a palette compresses badly.
    frames[0].save(
        IMAGES / "learning.webp",
        save_all=True,
        append_images=frames[1:],
        duration=durations,
        loop=0,
        quality=65,
        method=6,
    )
    frames[steps.index(best)].save(IMAGES / "learning.png", optimize=True)


if __name__ == "__main__":
    main()
