"""The training step of a diffusion model: a small U-shaped network learns to tell the noise in noisy rings.

python examples/diffusion.py         # leaves diffusion.csv and diffusion.mid
"""

import torch
from torch import nn

import gradmidi

torch.manual_seed(0)
STEPS = 100
kept = torch.cumprod(1 - torch.linspace(1e-4, 0.05, STEPS), 0)  # share of the signal that is left at each noise level


class Denoiser(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.time = nn.Embedding(STEPS, 32)
        self.down = nn.Linear(2, 32)
        self.middle = nn.Linear(32, 32)
        self.up = nn.Linear(64, 2)

    def forward(self, x: torch.Tensor, level: torch.Tensor) -> torch.Tensor:
        skip = torch.nn.functional.silu(self.down(x) + self.time(level))
        deep = torch.nn.functional.silu(self.middle(skip))
        noise: torch.Tensor = self.up(torch.cat([skip, deep], 1))
        return noise


model = Denoiser()
optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)

with gradmidi.listen(model, optimizer, path="diffusion.csv") as session:
    for _ in range(200):
        angle = torch.rand(128, 1) * 6.28
        clean = torch.cat([angle.cos(), angle.sin()], 1)
        level, noise = torch.randint(STEPS, (128,)), torch.randn(128, 2)
        share = kept[level, None]
        noisy = share.sqrt() * clean + (1 - share).sqrt() * noise
        session.loss((model(noisy, level) - noise).square().mean()).backward()
        optimizer.step()
        optimizer.zero_grad()

gradmidi.compose(session.recording, style="drone", scale="A lydian").save_midi("diffusion.mid")
