"""Draw the pictures of the documentation from real runs: `python tools/pictures.py`, a few minutes on two cores.

Figures are drawn by a headless Chromium (`tools/browser.sh`) and written to docs/img.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
import skimage.data
import skimage.transform
import torch
from PIL import Image
from playwright.sync_api import Browser, sync_playwright

import overtone as ot
from overtone.nn.encodings import Gaussian
from overtone.plots import _style as style
from overtone.signals import masks
from overtone.studies import StudyResult, StudySize, find_study
from overtone.studies._result import evidence_folder
from overtone.theory import kernel_regression

IMAGES = Path(__file__).parents[1] / "docs" / "img"
CHROMIUM = "/usr/bin/chromium"


def camera(side: int) -> ot.Signal:
    """The photographer, reduced to `side` pixels."""
    return ot.signals.image(skimage.transform.resize(skimage.data.camera(), (side, side), anti_aliasing=True))


def shrink(file: Path, colours: int = 256) -> None:
    """Store a screenshot with a palette: a third of the size, and no visible difference."""
    Image.open(file).convert("RGB").quantize(colours, dither=Image.Dither.NONE).save(file, optimize=True)


def draw(browser: Browser, figure: go.Figure, name: str, width: int = 760, height: int = 400) -> None:
    """A figure as PNG at twice the resolution, on white."""
    figure.update_layout(paper_bgcolor="white", plot_bgcolor="white", width=width, height=height)
    page = browser.new_page(viewport={"width": width, "height": height}, device_scale_factor=2)
    html = figure.to_html(
        default_width=f"{width}px", default_height=f"{height}px", config={"staticPlot": True}
    )
    page.set_content(html.replace("<body>", '<body style="margin:0">'))
    page.wait_for_selector(".main-svg")
    page.screenshot(path=IMAGES / f"{name}.png")
    page.close()
    shrink(IMAGES / f"{name}.png")


def first_screen(browser: Browser, run: Path) -> None:
    """Photograph the first screen of a report."""
    page = browser.new_page(viewport={"width": 1200, "height": 900}, device_scale_factor=1.5)
    page.goto((run / "report.html").resolve().as_uri())
    page.wait_for_selector(".main-svg")
    page.wait_for_timeout(2000)
    page.screenshot(path=IMAGES / "report.png")
    page.close()
    shrink(IMAGES / "report.png")


def training_loop(folder: Path) -> go.Figure:
    """Learning steps without and with Fourier features, in a plain loop."""
    signal = camera(48)
    grid, target = signal.geometry, signal.normalisation.apply(signal.values)
    records = []
    for encoding in (ot.nn.encodings.Identity(2), ot.nn.encodings.Gaussian.from_bandwidth(2, 64, 3.5)):
        field = ot.nn.Field(
            encoding,
            ot.nn.MLP(encoding.out_features, 1, width=64, depth=2),
            ot.nn.CoordinateScaling.of(grid.origin, grid.extent, grid.units, encoding.domain),
            ot.nn.OutputScaling(signal.normalisation.offset, signal.normalisation.scale),
        )
        optimizer = torch.optim.Adam(field.parameters(), lr=1e-2)
        with ot.Probe(signal, field, folder / type(encoding).__name__) as probe:
            for step in range(1001):
                loss = (field.normalised(signal.coords) - target).square().mean()
                probe(step, loss.detach(), force=step == 1000)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
        records.append(probe.record)
    compared = ot.plots.Comparison(records, ["plain network", "with Fourier features"])
    return compared.learning_steps()


def bandwidths() -> Image.Image:
    """The picture and its reconstructions with too little, right and too much bandwidth, side by side."""
    signal = camera(48)
    shown = [signal.values]
    for bandwidth in (0.3, None, 40.0):
        run = ot.fit(signal, steps=400, width=64, depth=2, features=64, bandwidth=bandwidth)
        shown.append(run.predict())
    gap = 6
    sheet = Image.new("L", (4 * 192 + 3 * gap, 192), 255)
    for i, values in enumerate(shown):
        pixels = (255 * values.reshape(48, 48).clamp(0, 1)).to(torch.uint8).numpy()
        sheet.paste(
            Image.fromarray(pixels).resize((192, 192), Image.Resampling.NEAREST), (i * (192 + gap), 0)
        )
    return sheet


def regression_times() -> go.Figure:
    """Held-out error of NTK regression against training time, without and with noise."""
    figure = style.canvas()
    for noise, colour in ((0.0, style.RUNS[0]), (0.1, style.RUNS[1]), (0.2, style.RUNS[3])):
        clean = camera(64)
        signal = ot.signals.synthetic.add_noise(clean, std=noise, seed=0) if noise else clean
        signal = signal.with_held_out(masks.random(signal.geometry, 0.3, seed=1))
        model = kernel_regression.NTKModel.from_encoding(Gaussian(2, 128, 2.0, seed=0), signal.geometry)
        result = kernel_regression.fit(signal, model, kernel_regression.SolverOptions(tolerance=1e-4))
        error = result.error.mean(1).sqrt().numpy()
        name = f"noise {noise:.0%} of the range"
        line = {"color": colour, "width": 2}
        figure.add_scatter(x=result.times.numpy(), y=error, mode="lines", name=name, line=line)
        stop = {"color": colour, "size": 10}
        figure.add_scatter(
            x=[result.time], y=[error[result.index]], mode="markers", marker=stop, showlegend=False
        )
    figure.update_xaxes(
        type="log", exponentformat="power", title_text="training time (1 / kernel), dots: the stop"
    )
    marks = [0.03, 0.05, 0.1, 0.2, 0.3]
    figure.update_yaxes(type="log", tickvals=marks, title_text="held-out error (RMS, share of the range)")
    return figure


def study_curves(name: str, title: str, lines: dict[str, tuple[str, str, str, str]], top: float) -> go.Figure:
    """Mean curves of a study from its evidence; each line is named by its condition, curve, colour and dash."""
    result = StudyResult.load(find_study(name), StudySize.QUICK, evidence_folder())
    figure = go.Figure()
    for label, (condition, curve, colour, dash) in lines.items():
        rows = [row["curves"][curve] for row in result.measurements[condition]]
        mean = np.mean([row["y"] for row in rows], axis=0)
        line = {"color": colour, "dash": dash, "width": 2.5}
        figure.add_scatter(x=rows[0]["x"], y=mean, name=label, mode="lines+markers", line=line)
    figure.update_layout(template="plotly_white", margin={"l": 70, "r": 20, "t": 20, "b": 50})
    figure.update_xaxes(title_text="wavenumber (waves per box)", dtick=1)
    figure.update_yaxes(title_text=title, range=[0, top])
    return figure


def field_studies() -> dict[str, go.Figure]:
    """What regression blurs, and what truncated modes lose."""
    blue, orange, green, grey = "#0072b2", "#d55e00", "#009e73", "#777777"
    mean = "mean of solver runs from possible initial states"
    colours = dict(zip(("0.5", "1", "2"), (blue, green, orange), strict=True))
    blur = {f"U-Net, lead {lead}": ("U-Net", f"lead {lead}", c, "solid") for lead, c in colours.items()}
    blur |= {f"mean of runs, lead {lead}": (mean, f"lead {lead}", c, "dot") for lead, c in colours.items()}
    blur["one run, lead 2"] = ("one such run, which no average blurs", "lead 2", grey, "solid")
    modes = {
        "all modes, mean flow": ("all modes, mean flow", "", blue, "solid"),
        "4 modes, mean flow": ("4 modes, fields carried by a mean flow", "", orange, "solid"),
        "4 modes, in place": ("4 modes, fields that stay in place", "", green, "dot"),
        "4 modes, in place, no pointwise map": (
            "4 modes, in place, no pointwise map beside",
            "",
            grey,
            "solid",
        ),
    }
    return {
        "forecast-powers": study_curves("regression-blurs", "power over that of the truth", blur, 1.15),
        "truncated-modes": study_curves(
            "truncation-loses-detail", "error power over the target's", modes, 1.05
        ),
    }


def main() -> None:
    """Draw them all."""
    IMAGES.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp())
    bandwidths().save(IMAGES / "bandwidth.png", optimize=True)
    first = ot.fit(camera(64), folder / "first", steps=1000, width=64, features=64)
    noisy = ot.signals.synthetic.add_noise(camera(48), std=0.1, seed=0)
    wide = ot.fit(noisy, steps=500, width=64, depth=2, features=64, bandwidth=8)
    seeds = [
        ot.fit(camera(32), steps=300, width=32, depth=2, features=64, held_out=0, lr=3e-3, seed=seed)
        for seed in range(3)
    ]
    astronaut = replace(ot.signals.image(skimage.data.astronaut()), name="astronaut (from scikit-image)")
    report = ot.fit(astronaut, folder / "astronaut", steps=600, width=128, batch=4096)
    report.report()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu", "--force-color-profile=srgb"]
        )
        draw(browser, ot.plots.LearningOrder(first.record).plotly(), "learning-order", height=440)
        draw(browser, training_loop(folder), "own-loop")
        draw(browser, regression_times(), "kernel-regression")
        draw(browser, ot.plots.PSNR(wide.record).plotly(), "noise")
        draw(browser, ot.plots.LearningStep([run.record for run in seeds]).plotly(), "learning-step")
        for name, figure in field_studies().items():
            draw(browser, figure, name)
        first_screen(browser, report.directory.path)
        browser.close()


if __name__ == "__main__":
    main()
