"""Small networks that map fields to fields, and fields to train them on."""

import torch
from torch import nn


def red(samples, size, *, channels=1, slope=1.7, seed=0):
    """(samples, channels, size, size) periodic random fields of unit variance with a falling spectrum."""
    noise = torch.randn(samples, channels, size, size, generator=torch.Generator().manual_seed(seed))
    square = torch.fft.fftfreq(size)[:, None] ** 2 + torch.fft.fftfreq(size) ** 2
    field = torch.fft.ifft2(torch.fft.fft2(noise) * (square + 1e-3) ** (-slope / 2)).real
    return field / field.std()


def convolution(before, after):
    return nn.Conv2d(before, after, 3, padding=1, padding_mode="circular")


class UNet(nn.Module):
    """Two scales with a skip connection, batch normalisation and dropout."""

    def __init__(self, width=8):
        super().__init__()
        self.down = nn.Sequential(convolution(1, width), nn.BatchNorm2d(width), nn.ReLU())
        self.below = nn.Sequential(nn.AvgPool2d(2), convolution(width, width), nn.ReLU(), nn.Dropout(0.05))
        self.up = nn.Upsample(scale_factor=2, mode="bilinear")
        self.last = nn.Sequential(convolution(2 * width, width), nn.ReLU(), convolution(width, 1))

    def forward(self, x):
        fine = self.down(x)
        return self.last(torch.cat([fine, self.up(self.below(fine))], dim=1))


class FNO(nn.Module):
    """One Fourier layer: modes up to a limit are multiplied by weights, beside a pointwise path."""

    def __init__(self, width=8, modes=5):
        super().__init__()
        self.modes = modes
        self.lift, self.skip, self.last = (
            nn.Conv2d(1, width, 1),
            nn.Conv2d(width, width, 1),
            nn.Conv2d(width, 1, 1),
        )
        self.weight = nn.Parameter(torch.randn(2, width, width, modes, modes, dtype=torch.cfloat) / width)

    def forward(self, x):
        lifted = self.lift(x)
        spectrum = torch.fft.rfft2(lifted)
        out = torch.zeros_like(spectrum)
        for rows, weight in zip((slice(0, self.modes), slice(-self.modes, None)), self.weight, strict=True):
            part = spectrum[:, :, rows, : self.modes]
            out[:, :, rows, : self.modes] = torch.einsum("bihw,iohw->bohw", part, weight)
        return self.last(torch.relu(torch.fft.irfft2(out, s=x.shape[-2:]) + self.skip(lifted)))


class SuperResolver(nn.Module):
    """(N, 1, n, n) to (N, 1, 2 n, 2 n)."""

    def __init__(self, width=8):
        super().__init__()
        self.body = nn.Sequential(convolution(1, width), nn.ReLU(), convolution(width, 4), nn.PixelShuffle(2))

    def forward(self, x):
        return self.body(x)


class Autoencoder(nn.Module):
    """Averages of 4 x 4 cells are all that the decoder sees."""

    def __init__(self, width=8):
        super().__init__()
        self.encoder = nn.AvgPool2d(4)
        self.decoder = nn.Sequential(
            nn.Upsample(scale_factor=4, mode="bilinear"),
            convolution(1, width),
            nn.ReLU(),
            convolution(width, 1),
        )

    def forward(self, x):
        return self.decoder(self.encoder(x))


def train(network, inputs, targets, probe, steps=60, rate=1e-2, call=None):
    """Train by Adam on batches of eight and record as the probe's schedule says, and at the end."""
    optimizer = torch.optim.Adam(network.parameters(), rate)
    source = torch.Generator().manual_seed(0)
    for step in range(steps + 1):
        batch = torch.randint(len(inputs), (8,), generator=source)
        loss = ((call or network)(inputs[batch]) - targets[batch]).square().mean()
        probe(step, loss.detach(), force=step == steps)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
