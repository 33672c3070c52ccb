"""Tables of differences hold what a hand would write into them."""

from __future__ import annotations

import math

from test_report import as_read, result

from w3an_lite.ablation import LEFT_OUT
from w3an_lite.claims import Interval
from w3an_lite.presets import REPAIRED, REPAIRS
from w3an_lite.readings import GUIDED, READINGS
from w3an_lite.worth import format_readings, format_repairs, points


def test_points_are_signed() -> None:
    assert points(Interval(0.0123, -0.004, 0.0286, 5)) == "+1.2 [−0.4, +2.9]"
    assert points(Interval(-0.0123, -math.inf, math.inf, 1)) == "−1.2"
    assert points(Interval(math.nan, -math.inf, math.inf, 0)) == ""


def test_what_a_repair_is_worth_by_hand() -> None:
    studies = {name: as_read(result(name)) for name in ("repairs", "alone")}
    table = format_repairs(studies).splitlines()
    assert table[0].split("|")[2].strip() == "in `repaired`: mAP"
    assert len(table) == 2 + len(REPAIRS) + 1
    # each row of the invented study is 1 point below the one above; mean pooling stands between
    assert table[2].startswith("| all of the graph | +2.0 [+2.0, +2.0] | +0.0 [+0.0, +0.0] |")
    assert "| −1.0 [−1.0, −1.0] | +0.0 [+0.0, +0.0] | – |" in table[2]
    # the first that was left out is added, not put back: it makes the preset worse
    first = 3 + len(REPAIRED)
    below = [row["variant"] for row in studies["repairs"]["rows"]].index(f"with {LEFT_OUT[0]}")
    assert table[first].startswith(f"| {LEFT_OUT[0]} (left out) | −{below}.0 ")
    only = format_repairs({"repairs": studies["repairs"]}).splitlines()
    assert only[0].count("|") == 5
    studies["alone"]["rows"] = [r for r in studies["alone"]["rows"] if r["variant"] == "W3AN"]
    assert format_repairs(studies).splitlines() == only  # no repair was made alone
    assert format_repairs({"alone": studies["alone"]}) == ""


def test_what_a_reading_is_worth_by_hand() -> None:
    content = as_read(result("readings"))
    table = format_readings(content).splitlines()
    assert len(table) == 2 + len(READINGS) + len(GUIDED)
    assert table[0].count("|") == 6
    # each row of the invented study is 1 point below the one above
    assert table[2].startswith("| heads on the flattened cube | −1.0 [−1.0, −1.0] | +0.0 [")
    order = list(dict.fromkeys(row["variant"] for row in content["rows"]))
    for line, name in zip(table[-len(GUIDED) :], GUIDED, strict=True):
        below = order.index(f"Eq. 8, {name}") - order.index("Eq. 8")
        assert line.startswith(f"| {name} | −{order.index(name)}.0 [")
        assert line.split(" | ")[3].startswith(f"−{below}.0 [")  # not against the whole network
    one = "each its own neighbour"
    content["rows"] = [row for row in content["rows"] if row["variant"] in ("W3AN", one)]
    assert [line.split(" | ")[0] for line in format_readings(content).splitlines()[2:]] == [
        f"| {one}"
    ]
    content["rows"] = [
        row for row in content["rows"] if (row["preset"], row["variant"]) != ("paper", one)
    ]
    assert f"| {one} | – | – | −" in format_readings(content)


def test_eq8_itself_is_compared_with_the_whole_network() -> None:
    from w3an_lite.worth import beside

    assert beside("Eq. 8") == "W3AN"
    assert beside("Eq. 8, maps at 0.3") == "Eq. 8"
