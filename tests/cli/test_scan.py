import re

import numpy as np
import pytest
import soundfile
from PIL import Image

from tests.cli.calling import waves

KEYS = {"shape", "unit", "nyquist", "bands", "mean_square", "noise", "bandwidth", "reasons"}


@pytest.mark.parametrize("channels", [0, 3])
def test_band_powers_close_to_the_mean_square_of_the_array(call, tmp_path, channels):
    values = waves(channels=channels, noise=0.05)
    np.save(tmp_path / "a.npy", values)
    found = call("scan", "a.npy", "--json").json
    expected = np.square(values).mean((0, 1)).reshape(-1)
    assert set(found) >= KEYS
    assert found["mean_square"] == pytest.approx(expected.tolist(), rel=1e-6)
    power = np.sum([band["power"] for band in found["bands"]], axis=0)
    assert power.tolist() == pytest.approx(expected.tolist(), rel=1e-6)
    assert found["shape"] == [24, 20]
    assert len(found["channels"]) == max(channels, 1)


def test_bands_tile_from_zero_and_hold_the_power_where_it_is(call, source):
    bands = call("scan", source, "--json").json["bands"]
    assert bands[0]["low"] == 0
    assert [band["high"] for band in bands[:-1]] == [band["low"] for band in bands[1:]]
    strongest = max(bands[1:], key=lambda band: band["power"][0])
    assert strongest["low"] <= 1 <= strongest["high"]


def test_frequencies_follow_the_spacing_per_axis(call, tmp_path):
    np.save(tmp_path / "a.npy", waves())
    found = call("scan", "a.npy", "--spacing", "1,0.25", "--unit", "mm", "--json").json
    assert found["nyquist"] == pytest.approx([0.5, 2.0])
    assert found["unit"] == "cycles per mm"
    assert len(found["bandwidth"]) == 2
    assert all(0 < b <= n for b, n in zip(found["bandwidth"], found["nyquist"], strict=True))
    assert all(isinstance(reason, str) for reason in found["reasons"])


def test_seconds_are_hertz(call, tmp_path):
    tone = np.sin(2 * np.pi * 440 * np.arange(2000) / 8000)
    soundfile.write(tmp_path / "tone.wav", tone, 8000)
    found = call("scan", "tone.wav", "--json").json
    assert found["unit"] == "Hz"
    assert found["nyquist"] == [4000.0]
    assert found["bandwidth"][0] == pytest.approx(440, rel=0.1)


def test_noise_is_a_level_with_an_interval_and_a_verdict(call, tmp_path):
    rng = np.random.default_rng(1)
    slow = waves((96, 96))
    np.save(tmp_path / "noisy.npy", slow + 0.05 * rng.standard_normal(slow.shape))
    np.save(tmp_path / "clean.npy", slow)
    np.save(tmp_path / "texture.npy", rng.standard_normal((4, 4)))
    noise = call("scan", "noisy.npy", "--json").json["noise"]
    assert noise["verdict"] == "noise"
    assert noise["std"] == pytest.approx(0.05, rel=0.1)
    assert noise["low"] <= noise["std"] <= noise["high"]
    assert call("scan", "clean.npy", "--json").json["noise"]["verdict"] == "clean"
    assert call("scan", "texture.npy", "--json").json["noise"]["verdict"] in ("noise", "cannot tell")


def test_columns_of_a_series_are_chosen(call, tmp_path):
    t = np.arange(64) / 8
    rows = "\n".join(f"{x},{np.sin(x)},{np.cos(3 * x)},{np.sin(5 * x)}" for x in t)
    (tmp_path / "s.csv").write_text("time [s],a [V],b [V],c [V]\n" + rows)
    found = call("scan", "s.csv", "--columns", "b,c", "--json").json
    assert found["channels"] == ["b", "c"]
    assert (found["unit"], found["value_unit"], found["nyquist"]) == ("Hz", "V", [4.0])


def test_transparency_and_one_array_of_several(call, tmp_path):
    pixels = np.zeros((16, 16, 4), np.uint8)
    pixels[:8, :, 3] = 255
    pixels[::2, :, 0] = 200
    Image.fromarray(pixels).save(tmp_path / "a.png")
    laid, dropped = (call("scan", "a.png", "--alpha", a, "--json").json for a in ("composite", "drop"))
    assert laid["mean_square"] != dropped["mean_square"]
    np.savez(tmp_path / "a.npz", x=waves(), y=2 * waves())
    x, y = (call("scan", "a.npz", "--key", k, "--json").json["mean_square"][0] for k in "xy")
    assert y == pytest.approx(4 * x)


def test_the_default_source_is_a_picture(call, monkeypatch):
    import skimage.data

    small = skimage.data.astronaut()[:64, :64]
    monkeypatch.setattr(skimage.data, "astronaut", lambda: small)
    found = call("scan", "--json").json
    assert found["name"] == "astronaut (from scikit-image)"
    assert found["shape"] == [64, 64]
    assert found["unit"] == "cycles per picture height"


def test_the_text_is_short_and_says_what_to_do_next(call, tmp_path):
    rng = np.random.default_rng(1)
    np.save(tmp_path / "a b.npy", waves((96, 96)) + 0.05 * rng.standard_normal((96, 96)))
    answer = call("scan", "a b.npy")
    lines = answer.out.splitlines()
    assert (answer.code, answer.err) == (0, "Reading a b.npy.\n")
    assert lines[0] == "a b.npy: array, 96 x 96 samples, 1 channel"
    assert max(map(len, lines)) <= 80
    assert len(lines) <= 33
    assert "Spectrum in cycles per array" in lines
    assert any(line.startswith("Noise      White noise of standard deviation 0.0") for line in lines)
    assert any(line.startswith("Bandwidth  ") for line in lines)
    assert "(Nyquist 48)" in answer.out
    assert lines[-1] == "Next       overtone fit 'a b.npy'"
    drawn = [line for line in lines if "#" in line or "~" in line]
    assert "#" in drawn[0]
    assert "~~~" in drawn[-2]
    assert "~ is mostly noise" in drawn[-1]


def test_the_next_step_reads_the_source_in_the_same_way(call, tmp_path):
    np.save(tmp_path / "a.npy", waves())
    flags = ["--spacing", "1.0,0.25", "--unit", "mm", "--periodic"]
    last = call("scan", "a.npy", *flags).out.splitlines()[-1]
    assert last == "Next       overtone fit a.npy --spacing 1.0,0.25 --unit mm --periodic"


def test_bars_are_logarithmic(call, tmp_path):
    x = (np.arange(256) + 0.5) / 256
    np.save(tmp_path / "a.npy", np.cos(np.pi * 8 * x) + 10**-1.5 * np.cos(np.pi * 80 * x))
    bars = [
        line.count("#") for line in call("scan", "a.npy").out.splitlines() if "%" in line and "- " in line
    ]
    longest, second = sorted(bars, reverse=True)[:2]
    assert longest == 36
    assert second == 36 - 3 * 6


def test_with_a_time_it_chooses_what_fit_would(call, tmp_path):
    np.save(tmp_path / "a.npy", waves((32, 32)))
    plan = call("scan", "a.npy", "--time", 5, "--json").json["plan"]
    run = call("fit", "a.npy", "--time", 3, "--json").json
    # Candidates are a factor of 2 apart, and what is timed differs from call to call: at most two of them.
    assert all(0.24 < a / b < 4.01 for a, b in zip(run["bandwidth"], plan["bandwidth"], strict=True))
    said = call("scan", "a.npy", "--time", 5).out
    assert "Plan       gaussian to " in said
    assert said.splitlines()[-1] == "Next       overtone fit a.npy --time=5"
    assert "see --time." in " ".join(call("scan", "a.npy").out.split())
    assert "see --time." not in " ".join(said.split())


def test_the_bandwidth_and_nyquist_are_said_once(call, tmp_path):
    np.save(tmp_path / "a.npy", waves((32, 32)))
    said = " ".join(call("scan", "a.npy").out.split())
    assert said.count("(Nyquist ") == 1
    assert re.search(r"Spectrum [0-9. x]+ cycles per array\. 90 % of the signal's power lies below ", said), (
        said
    )


def test_settings_borders_and_the_barron_constant_are_told(call, source):
    found = call("scan", source, "--json").json
    assert set(found["settings"]) == {"sigma", "octaves", "omega", "cells"}
    assert found["oscillation"]["lower"] <= found["oscillation"]["upper"]
    text = call("scan", source).out
    assert all(f"\n{name} " in text for name in ("Settings", "Border", "Barron C"))
