"""The clinic's nets: small enough for a step of one to three milliseconds on one core, of five different kinds."""

from __future__ import annotations

import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn


class Perceptron(nn.Module):
    """Digits (B, 1, 14, 14) → log-probabilities (B, 10), through three hidden layers."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1 = nn.Linear(196, 64)
        self.fc2 = nn.Linear(64, 64)
        self.fc3 = nn.Linear(64, 64)
        self.fc4 = nn.Linear(64, 10)

    def forward(self, digits: Tensor) -> Tensor:
        x = digits.flatten(1)
        for layer in (self.fc1, self.fc2, self.fc3):
            x = F.relu(layer(x))
        return F.log_softmax(self.fc4(x), dim=1)


class Residual(nn.Module):
    """Digits (B, 1, 14, 14) → log-probabilities (B, 10), through two residual blocks with batch normalisation."""

    def __init__(self, channels: int = 8) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, channels, 3, stride=2, padding=1)
        self.norm0 = nn.BatchNorm2d(channels)
        self.block1 = ResidualBlock(channels)
        self.block2 = ResidualBlock(channels)
        self.head = nn.Linear(channels, 10)

    def forward(self, digits: Tensor) -> Tensor:
        x = F.relu(self.norm0(self.stem(digits)))
        x = self.block2(self.block1(x))
        return F.log_softmax(self.head(x.mean(dim=(2, 3))), dim=1)


class ResidualBlock(nn.Module):
    """Images (B, C, H, W) → the same shape."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.norm1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.norm2 = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        inner = F.relu(self.norm1(self.conv1(x)))
        return F.relu(x + self.norm2(self.conv2(inner)))


class Recurrent(nn.Module):
    """Series (B, T, 1) → the value that follows each of theirs, (B, T, 1), through two LSTM layers."""

    def __init__(self, hidden: int = 24) -> None:
        super().__init__()
        self.lstm1 = nn.LSTM(1, hidden, batch_first=True)
        self.lstm2 = nn.LSTM(hidden, hidden, batch_first=True)
        self.fc1 = nn.Linear(hidden, hidden)
        self.fc2 = nn.Linear(hidden, 1)

    def forward(self, series: Tensor) -> Tensor:
        x = self.lstm2(self.lstm1(series)[0])[0]
        out: Tensor = self.fc2(F.relu(self.fc1(x)))
        return out


class Transformer(nn.Module):
    """Characters (B, T) → scores of the character that follows each of them, (B, T, letters)."""

    def __init__(self, letters: int, window: int, width: int = 24, blocks: int = 2) -> None:
        super().__init__()
        self.embed = nn.Embedding(letters, width)
        self.place = nn.Embedding(window, width)
        self.blocks = nn.ModuleList(TransformerBlock(width) for _ in range(blocks))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, letters)

    def forward(self, characters: Tensor) -> Tensor:
        x = self.embed(characters) + self.place.weight[: characters.shape[1]]
        for block in self.blocks:
            x = block(x)
        scores: Tensor = self.head(self.norm(x))
        return scores


class TransformerBlock(nn.Module):
    """Vectors (B, T, width) → the same shape: causal attention and a feed-forward part, each behind a layer norm."""

    def __init__(self, width: int, heads: int = 2) -> None:
        super().__init__()
        self.heads = heads
        self.norm1 = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.norm2 = nn.LayerNorm(width)
        self.ff1 = nn.Linear(width, 2 * width)
        self.ff2 = nn.Linear(2 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        count, length, width = x.shape
        parts = self.qkv(self.norm1(x)).view(count, length, 3 * self.heads, -1).transpose(1, 2)
        query, key, value = parts.chunk(3, dim=1)
        seen = F.scaled_dot_product_attention(query, key, value, is_causal=True)
        x = x + self.out(seen.transpose(1, 2).reshape(count, length, width))
        out: Tensor = x + self.ff2(F.relu(self.ff1(self.norm2(x))))
        return out
