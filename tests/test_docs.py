"""Documents lead where they say: links, numbers of decisions, and the way from the README to every page."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])
_LINK = re.compile(r"\]\((?!https?:)([^)#\s]+)(#[^)\s]*)?\)")


def test_every_link_between_documents_leads_somewhere() -> None:
    lost = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in PAGES
        for target, _ in _LINK.findall(page.read_text(encoding="utf-8"))
        if not (page.parent / target).exists()
    ]
    assert lost == []


def test_every_heading_that_a_link_names_is_there() -> None:
    lost = []
    for page in PAGES:
        for target, anchor in _LINK.findall(page.read_text(encoding="utf-8")):
            if anchor and target.endswith(".md"):
                text = (page.parent / target).read_text(encoding="utf-8")
                heads = {_slug(head) for head in re.findall(r"^#+ (.+)$", text, re.MULTILINE)}
                if anchor[1:] not in heads:
                    lost.append(f"{page.relative_to(ROOT)}: {target}{anchor}")
    assert lost == []


def test_the_readme_leads_to_every_document_and_the_page_of_formats_to_every_format() -> None:
    linked = {target for target, _ in _LINK.findall((ROOT / "README.md").read_text(encoding="utf-8"))}
    assert {f"docs/{page.name}" for page in DOCS.glob("*.md")} - linked == set()
    linked = {target for target, _ in _LINK.findall((DOCS / "formats" / "README.md").read_text(encoding="utf-8"))}
    assert {page.name for page in (DOCS / "formats").glob("*.md")} - linked == {"README.md"}


def test_decisions_are_numbered_once_and_without_a_gap() -> None:
    numbers = sorted(int(path.name[:4]) for path in (DOCS / "decisions").glob("*.md"))
    assert numbers == list(range(1, len(numbers) + 1))


def test_documents_say_nothing_twice() -> None:
    for page in PAGES:
        lines = [line for line in page.read_text(encoding="utf-8").splitlines() if len(line) > 60]
        code = [line for line in lines if line.startswith(("|", "mosquitto_", "    ", "{"))]
        once = [line for line in lines if line not in code]
        assert sorted(set(once)) == sorted(once), page.name


def _slug(head: str) -> str:
    """Return a heading's anchor, as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", head.lower().replace("`", "")).replace(" ", "-")
