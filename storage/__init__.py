"""PostgreSQL: the pool, statements from .sql files, migrations, and the embedded server."""
