"""Lightning: one callback.

pip install lightning && python examples/lightning_module.py
"""

import lightning
import torch
from torch import nn

from gradmidi.integrations.lightning import GradmidiCallback


class Regression(lightning.LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 1))

    def training_step(self, batch: list[torch.Tensor]) -> torch.Tensor:
        (x,) = batch
        loss: torch.Tensor = (self.net(x) - x.sum(1, keepdim=True)).square().mean()
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


data = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.randn(3200, 8)), batch_size=32)
listener = GradmidiCallback("lightning.csv")
lightning.Trainer(max_epochs=2, gradient_clip_val=1.0, callbacks=[listener], logger=False).fit(Regression(), data)
