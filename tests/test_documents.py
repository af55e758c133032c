"""What the documents say is there: links, targets, no gaps left to fill."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    page
    for tree in ("*.md", "mirkeras/*.md", "reproductions/**/*.md", "results/**/*.md")
    for page in ROOT.glob(tree)
)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere_and_nothing_is_left_open(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert not re.findall(r"@[A-Z]+@", text)
    for link in re.findall(r"\]\(([^)]+)\)", text):
        assert (page.parent / link.partition("#")[0]).exists(), link


def test_make_targets_that_the_readme_names_exist() -> None:
    named = re.findall(r"make ([a-z-]+)", (ROOT / "README.md").read_text(encoding="utf-8"))
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert named
    assert set(named) <= set(targets)
