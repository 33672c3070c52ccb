"""Figures printed in the paper, for a column of their own; nothing here was measured.

Source: "What-Where-When Attention Network for video-based person re-identification", Table 5
(ablation on MARS, iLIDS-VID and PRID2011), in per cent. Rows by the names of `variants.TABLE5`.
"""

from __future__ import annotations

SOURCE = "printed in the paper, Table 5"

TABLE5_MARS: dict[str, dict[str, float]] = {
    "WAN": {"mAP": 77.0, "rank1": 81.3},
    "random-maps": {"mAP": 75.4, "rank1": 79.8},
    "W2AN": {"mAP": 79.8, "rank1": 85.6},
    "W3WAN": {"mAP": 83.6, "rank1": 87.6},
    "half-dropped": {"mAP": 84.8, "rank1": 89.5},
    "AP-W3AN": {"mAP": 85.5, "rank1": 90.3},
    "AL-W3AN": {"mAP": 84.8, "rank1": 88.6},
    "W3AN": {"mAP": 86.3, "rank1": 91.1},
}

TABLE5_RANK1: dict[str, dict[str, float]] = {
    "iLIDS-VID": {
        "WAN": 81.8,
        "random-maps": 78.8,
        "W2AN": 84.7,
        "W3WAN": 86.9,
        "half-dropped": 88.0,
        "AP-W3AN": 87.6,
        "AL-W3AN": 86.5,
        "W3AN": 89.2,
    },
    "PRID2011": {
        "WAN": 91.7,
        "random-maps": 89.8,
        "W2AN": 92.3,
        "W3WAN": 93.5,
        "half-dropped": 94.9,
        "AP-W3AN": 93.0,
        "AL-W3AN": 91.8,
        "W3AN": 95.8,
    },
}
