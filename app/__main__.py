"""``python -m app`` is the ``citynerve`` command."""

from app.cli import main

main()
