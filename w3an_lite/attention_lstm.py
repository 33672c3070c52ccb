"""An LSTM that looks about in place of SAN (Table 5's AL-W3AN): one region after another.

After the idea of Zhang et al., "Fine-grained age estimation in the wild with attention LSTM
networks", IEEE TCSVT 2020: an LSTM unit reads the whole frame, says where the telling region is,
reads that, and so on; what the whole and the regions say is put together. There a region is cut
out; here it is a soft window, so that the place has a gradient and the scores sum to 1.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class AttentionLSTM(nn.Module):
    """cube `[B, T, M, h, w]` -> α of the same shape, one map for all channels, summing to 1.

    Each frame by itself: the LSTM reads the mean of the cube, gives the centre of a round window
    (in [-1, 1], across and down), reads the cube averaged under it, `looks` times. α is the mean
    of the even map (the whole) and of the windows' mean (the regions).

    looks: how many regions; spread: the standard deviation of a window, half a frame being 1.
    """

    def __init__(
        self, channels: int, looks: int = 3, hidden: int = 64, spread: float = 0.4
    ) -> None:
        super().__init__()
        if looks < 1 or spread <= 0:
            raise ValueError(f"looks {looks} and spread {spread}: at least 1, and above 0")
        self.looks, self.spread = looks, spread
        self.cell = nn.LSTMCell(channels, hidden)
        self.place = nn.Linear(hidden, 2)

    def forward(self, cube: Tensor) -> Tensor:
        frames = cube.flatten(0, 1)
        reading = whole = frames.mean((-2, -1))
        state: tuple[Tensor, Tensor] | None = None
        windows = []
        for _ in range(self.looks):
            state = self.cell(reading, state)
            window = self._window(torch.tanh(self.place(state[0])), frames)
            reading = torch.einsum("nmhw,nhw->nm", frames, window)
            windows.append(window)
        even = 1 / (frames.shape[-2] * frames.shape[-1])
        alpha = (even + torch.stack(windows).mean(0)) / 2
        return alpha[:, None].expand(-1, whole.shape[1], -1, -1).unflatten(0, cube.shape[:2])

    def _window(self, centre: Tensor, frames: Tensor) -> Tensor:
        """Gaussian windows about `centre` `[N, 2]` (across, down), `[N, h, w]`, summing to 1."""
        far = [
            (self._middles(size, frames) - centre[:, axis, None]).square()
            for axis, size in enumerate((frames.shape[-1], frames.shape[-2]))
        ]
        raw = -(far[1][:, :, None] + far[0][:, None, :]) / (2 * self.spread**2)
        return raw.flatten(1).softmax(-1).view_as(raw)

    @staticmethod
    def _middles(size: int, like: Tensor) -> Tensor:
        """The middles of `size` cells across [-1, 1]."""
        return (torch.arange(size, device=like.device, dtype=like.dtype) * 2 + 1) / size - 1
