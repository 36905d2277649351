"""Answers in CSV: one header, cells that no spreadsheet takes for a formula."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fastapi.responses import Response

from city.cells import harmless


def described(columns: Sequence[str]) -> dict[str, Any]:
    """Return what a route says of its CSV."""
    example = ",".join(columns) + "\r\n"
    return {
        "content": {"text/csv": {"schema": {"type": "string"}, "example": example}},
        "description": "CSV with a header",
    }


def csv_answer(name: str, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> Response:
    """Return rows as a file; what is None is an empty cell."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(columns)
    for row in rows:
        cells = ("" if row[column] is None else row[column] for column in columns)
        writer.writerow([harmless(cell) if isinstance(cell, str) else cell for cell in cells])
    headers = {"Content-Disposition": f'attachment; filename="{name}.csv"'}
    return Response(text.getvalue(), media_type="text/csv; charset=utf-8", headers=headers)
