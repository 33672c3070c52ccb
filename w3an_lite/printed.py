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
