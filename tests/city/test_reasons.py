"""Every reason that the code can give stands in the one table, on its page and in every language, and no other does."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from city.reasons import MENDERS, OTHERWISE, REASONS, told

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "formats" / "reasons.md"
_GIVERS = re.compile(r"Unreadable|CodecError|Unfit|_?refuse(_\w+)?|_?set_aside(_\w+)?|DeadLetter")
_SHAPE = re.compile(r"[a-z]+(-[a-z]+)*")
_CODEC = "codec-"
# Words of that shape that stand first in a pair, or first in a call that refuses, and are no reason.
_OTHERS = frozenset({"connection", "message", "subscription", "senml-cbor", "sparkplug-b"})


def given() -> set[str]:
    """Return the reasons that `ingest` and `stream` can give, as their source says them.

    A reason is told to whatever refuses, by itself or as the first of a pair (reason, detail); names of constants are
    looked up. What is put together while running, a codec's error alone, is put together here too.
    """
    modules = [path for folder in ("ingest", "stream") for path in sorted((ROOT / folder).rglob("*.py"))]
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in modules]
    constants = {
        target.id: node.value.value
        for tree in trees
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    found: set[str] = set()
    for tree in trees:
        for node in ast.walk(tree):
            for said in _said(node):
                if isinstance(said, ast.JoinedStr):
                    assert isinstance(said.values[0], ast.Constant), ast.unparse(said)
                    assert said.values[0].value == _CODEC, f"a reason is not put together: {ast.unparse(said)}"
                    found |= {_CODEC + word for each in trees for word in _errors_of_codecs(each)}
                elif isinstance(said, ast.Name):
                    found |= {constants[said.id]} if said.id in constants else set()
                elif isinstance(said, ast.Constant) and isinstance(said.value, str):
                    found |= {said.value} if _SHAPE.fullmatch(said.value) else set()
    return found - _OTHERS


def _said(node: ast.AST) -> Iterator[ast.expr]:
    """Give the expressions that may be a reason at one place of the source."""
    if isinstance(node, ast.Call):
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if _GIVERS.fullmatch(name):
            # `message.refuse(reason, …)`, `refuse_all(message, reason, …)`; `_set_aside` has it behind where it came.
            yield from node.args if "set_aside" in name else node.args[:1] if _first(node) else node.args[1:2]
    if isinstance(node, ast.Tuple) and len(node.elts) == 2 and isinstance(node.ctx, ast.Load):
        reason, detail = node.elts
        known = isinstance(reason, ast.Constant) and isinstance(reason.value, str)
        sentence = isinstance(detail, ast.JoinedStr | ast.Name) or (
            isinstance(detail, ast.Constant) and isinstance(detail.value, str) and " " in detail.value
        )
        if known and sentence and "-" in str(reason.value):  # type: ignore[attr-defined]
            yield reason


def _first(call: ast.Call) -> bool:
    """Tell whether a reason is the first that is told, and not a message."""
    return not (isinstance(call.args[0], ast.Name) and call.args[0].id == "message") if call.args else True


def _errors_of_codecs(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Dict):
            keys = [key.value if isinstance(key, ast.Constant) else None for key in node.keys]
            if "error" in keys and "detail" in keys:
                value = node.values[keys.index("error")]
                if isinstance(value, ast.Constant):
                    yield str(value.value)


def test_every_reason_that_the_code_can_give_is_in_the_table_and_no_other() -> None:
    assert given() - set(REASONS) == set(), "add them to city/reasons.py"
    assert set(REASONS) - given() == set(), "nothing gives them any more"
    assert len(REASONS) > 40


def test_every_reason_says_what_happened_what_to_do_and_who_can() -> None:
    for reason, one in {**REASONS, "": OTHERWISE}.items():
        assert one.mender in MENDERS, reason
        for text in (one.happened, one.todo):
            assert re.fullmatch(r"[A-Z].*[.]", text), f"{reason}: a sentence, please"
    assert {one.mender for one in REASONS.values()} == set(MENDERS)
    assert told("not-json") == REASONS["not-json"]
    assert told("of-another-release") == OTHERWISE


def test_the_page_of_reasons_says_what_the_table_says() -> None:
    rows = [f"| `{reason}` | {one.happened} | {one.todo} | {MENDERS[one.mender]} |" for reason, one in REASONS.items()]
    written = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    assert written == rows, "docs/formats/reasons.md: these are its rows\n" + "\n".join(rows)


def test_pages_of_formats_name_reasons_that_there_are() -> None:
    for path in sorted(PAGE.parent.glob("*.md")):
        for name in re.findall(r"^\|(?: `[a-z-]+`,?)+", path.read_text(encoding="utf-8"), re.MULTILINE):
            for reason in re.findall(r"`((?:not|bad|unknown|too|no|codec|wrong)-[a-z-]+)`", name):
                assert reason in REASONS, f"{path.name}: {reason}"
