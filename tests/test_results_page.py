"""notebooks/RESULTS.md says what the kept results say, and nothing else."""

from __future__ import annotations

from pathlib import Path

from w3an_lite.report import gather, write_report

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
KEPT = [NOTEBOOKS / "results", NOTEBOOKS / "results" / "medium"]


def test_the_page_is_what_the_report_makes_of_the_kept_results(tmp_path: Path) -> None:
    out = tmp_path / "RESULTS.md"
    written = write_report(KEPT, out, tmp_path / "images")
    page = NOTEBOOKS / "RESULTS.md"
    # made anew by: python -m w3an_lite report --results notebooks/results notebooks/results/medium
    #   --out notebooks/RESULTS.md --pictures notebooks/images
    assert page.read_text(encoding="utf-8") == out.read_text(encoding="utf-8")
    assert all((NOTEBOOKS / "images" / picture.name).is_file() for picture in written[1:])


def test_what_is_kept_names_its_command_and_its_revision() -> None:
    for group in gather(KEPT):
        for name, content in group.items():
            assert content["command"].startswith(f"python -m w3an_lite experiment {name}")
            assert " /" not in content["command"]  # a folder of one machine is nobody else's
            assert len(content["revision"]) >= 40
