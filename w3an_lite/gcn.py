"""Graph convolution over the frames of a clip, and the readout (Eq. 14-15).

Source: Kipf and Welling, "Semi-supervised classification with graph convolutional networks",
ICLR 2017.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

ACTIVATIONS = {"relu": nn.ReLU, "elu": nn.ELU, "leaky_relu": nn.LeakyReLU}


def propagation(adjacency: Tensor, weighted: Tensor, degree: str = "adjacency") -> Tensor:
    """D^(-1/2) Ã D^(-1/2) of Eq. 14; A and Ã `[B, T, T]` -> `[B, T, T]`.

    degree: "adjacency" takes D_ii = Σ_j A_ij as printed. A frame without neighbours then has
        D_ii = 0; 1/√0 := 0 cuts it off, its own β included. "weighted" takes D_ii = Σ_j Ã_ij.
    """
    if degree not in ("adjacency", "weighted"):
        raise ValueError(f"degree {degree!r} is not known; choose 'adjacency' or 'weighted'")
    total = (adjacency if degree == "adjacency" else weighted).sum(-1)
    positive = total > 0
    scale = torch.where(positive, total.clamp_min(1e-12).rsqrt(), torch.zeros_like(total))
    return scale.unsqueeze(-1) * weighted * scale.unsqueeze(-2)


class GCN(nn.Module):
    """F^(k+1) = σ(D^(-1/2) Ã D^(-1/2) F^(k) W_g^(k+1)) (Eq. 14); `[B, T, M]` -> `[B, T, M]`.

    layers: the depth (the paper's second K); 0 returns the features as they are.
    activation: σ, which the paper does not name: "relu", "elu" or "leaky_relu".
    last_activation: whether σ also follows the last layer (as printed).
    residual: adds F^(k) to each layer's output.
    """

    def __init__(
        self,
        channels: int,
        layers: int = 2,
        activation: str = "relu",
        last_activation: bool = True,
        residual: bool = False,
    ) -> None:
        super().__init__()
        if activation not in ACTIVATIONS:
            raise ValueError(
                f"activation {activation!r} is not known; choose from {sorted(ACTIVATIONS)}"
            )
        self.weights = nn.ModuleList(
            nn.Linear(channels, channels, bias=False) for _ in range(layers)
        )
        self.activation = ACTIVATIONS[activation]()
        self.last_activation = last_activation
        self.residual = residual

    def forward(self, features: Tensor, spread: Tensor) -> Tensor:
        for k, weight in enumerate(self.weights):
            out = spread @ weight(features)
            if self.last_activation or k < len(self.weights) - 1:
                out = self.activation(out)
            features = features + out if self.residual else out
        return features


def readout(nodes: Tensor, beta: Tensor, how: str = "mean") -> Tensor:
    """Eq. 15: F^v, the mean of the nodes `[B, T, M]` -> `[B, M]`.

    how: "mean" as printed, every frame counts the same; "beta" weights frame t by β_t / Σ β
        (evenly if every β is 0).
    """
    if how == "mean":
        return nodes.mean(1)
    if how == "beta":
        total = beta.sum(1, keepdim=True)
        even = torch.full_like(beta, 1 / beta.shape[1])
        least = max(1e-30, torch.finfo(beta.dtype).tiny)  # its reciprocal is finite
        weight = torch.where(total > 0, beta / total.clamp_min(least), even)
        return (weight.unsqueeze(-1) * nodes).sum(1)
    raise ValueError(f"readout {how!r} is not known; choose 'mean' or 'beta'")
