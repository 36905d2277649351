"""Every text that a page may show, found in templates and modules."""

import ast
from pathlib import Path

from jinja2.ext import babel_extract

import portals_api
from city.reasons import MENDERS, OTHERWISE, REASONS

FOLDER = Path(portals_api.__file__).parent


def texts() -> set[str]:
    found = {text for one in (*REASONS.values(), OTHERWISE) for text in (one.happened, one.todo)}
    found |= set(MENDERS.values())
    for template in sorted((FOLDER / "templates").glob("*.html")):
        with template.open("rb") as file:
            for _, _, message, _ in babel_extract(file, ["_"], [], {"trim_blocks": "true", "lstrip_blocks": "true"}):
                found.add(str(message))
    for module in sorted(FOLDER.rglob("*.py")):
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
                name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                if name in ("N_", "text") and isinstance(node.args[0].value, str) and node.args[0].value:
                    found.add(node.args[0].value)
    return found
