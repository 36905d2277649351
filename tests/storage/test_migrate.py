import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from city.errors import EngineError, SettingsError
from storage.migrate import MIGRATIONS, Migration, migrate, read, to_apply

ROOT = Path(__file__).resolve().parents[2]

# Everything that a schema is made of, one line each; what each of the two ways adds for itself is left out.
_CATALOGUE = {
    "columns": """
        SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity, a.attstorage,
               a.attgenerated, pg_get_expr(d.adbin, d.adrelid), c.relkind, c.reloptions
          FROM pg_class c
          JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
          LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
         WHERE c.relnamespace = 'public'::regnamespace AND c.relname !~ '^schema_migrations'""",
    "constraints": """
        SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid)
          FROM pg_constraint
         WHERE connamespace = 'public'::regnamespace AND conrelid::regclass::text !~ '^schema_migrations'""",
    "indexes": "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename <> 'schema_migrations'",
    "functions": "SELECT pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'public'::regnamespace",
    "views": "SELECT viewname, definition FROM pg_views WHERE schemaname = 'public'",
    "triggers": "SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal",
    "extensions": "SELECT extname FROM pg_extension",
}


def catalogue(url: str) -> dict[str, list[str]]:
    with psycopg.connect(url) as connection:
        return {
            name: sorted(str(row) for row in connection.execute(query).fetchall()) for name, query in _CATALOGUE.items()
        }


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / f"{name.removeprefix('m')}.sql").write_text(text)
    return folder


def columns(url: str, table: str) -> list[str]:
    with psycopg.connect(url) as connection:
        query = "SELECT column_name FROM information_schema.columns WHERE table_name = %s ORDER BY ordinal_position"
        return [row[0] for row in connection.execute(query, (table,))]


def test_schema_and_migrations_make_the_same_database(empty_database_url: str, database_url: str) -> None:
    with psycopg.connect(empty_database_url) as connection:
        connection.execute((ROOT / "storage" / "schema.sql").read_text())  # type: ignore[arg-type]
    by_schema, by_migrations = catalogue(empty_database_url), catalogue(database_url)
    assert len(by_schema["columns"]) > 50
    for kind, lines in by_schema.items():
        assert lines == by_migrations[kind]


def test_second_run_applies_nothing(empty_database_url: str) -> None:
    names = [migration.name for migration in read(MIGRATIONS)]
    assert migrate(empty_database_url) == names
    assert migrate(empty_database_url) == []


def test_processes_that_migrate_at_once_apply_each_migration_once(empty_database_url: str) -> None:
    script = "import sys; from storage.migrate import migrate; print(len(migrate(sys.argv[1])))"
    command = [sys.executable, "-c", script, empty_database_url]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) for _ in range(4)]
    applied = [int(process.communicate(timeout=60)[0]) for process in running]
    assert sorted(applied) == [0, 0, 0, len(read(MIGRATIONS))]


def test_gap_is_refused(tmp_path: Path) -> None:
    write(tmp_path, m0001_pre_one="SELECT 1", m0003_pre_three="SELECT 1")
    with pytest.raises(SettingsError, match="migration 0002 is missing"):
        read(tmp_path)


def test_name_that_is_none_is_refused(tmp_path: Path) -> None:
    write(tmp_path, m0001_perhaps_one="SELECT 1")
    with pytest.raises(SettingsError, match="rename it"):
        read(tmp_path)


def test_failed_migration_leaves_nothing_behind_and_can_be_mended(empty_database_url: str, tmp_path: Path) -> None:
    write(
        tmp_path,
        m0001_pre_one="CREATE TABLE one (a integer)",
        m0002_pre_two="ALTER TABLE one ADD b integer; SELECT no_such_thing();",
    )
    with pytest.raises(EngineError, match="no_such_thing"):
        migrate(empty_database_url, folder=tmp_path)
    assert columns(empty_database_url, "one") == ["a"]
    write(tmp_path, m0002_pre_two="ALTER TABLE one ADD c integer;")
    assert migrate(empty_database_url, folder=tmp_path) == ["0002_pre_two"]
    assert columns(empty_database_url, "one") == ["a", "c"]


def test_migration_outside_a_transaction_runs_its_statements_one_by_one(
    empty_database_url: str, tmp_path: Path
) -> None:
    write(
        tmp_path,
        m0001_pre_one="CREATE TABLE one (a integer)",
        m0002_pre_two="-- An index without a lock.\n-- transactional: false\n"
        "CREATE INDEX CONCURRENTLY IF NOT EXISTS i ON one (a);\n"
        "CREATE INDEX CONCURRENTLY IF NOT EXISTS j ON one (a);\n",
    )
    assert migrate(empty_database_url, folder=tmp_path) == ["0001_pre_one", "0002_pre_two"]


def test_rolling_upgrade_stops_before_what_the_old_code_cannot_bear(empty_database_url: str, tmp_path: Path) -> None:
    write(
        tmp_path,
        m0001_pre_one="CREATE TABLE one (a integer)",
        m0002_pre_two="ALTER TABLE one ADD b integer",
        m0003_post_three="ALTER TABLE one DROP a",
    )
    assert migrate(empty_database_url, until="pre", folder=tmp_path) == ["0001_pre_one", "0002_pre_two"]
    assert migrate(empty_database_url, folder=tmp_path) == ["0003_post_three"]
    assert columns(empty_database_url, "one") == ["b"]


def test_unreachable_server_is_an_engine_error() -> None:
    with pytest.raises(EngineError, match="could not be migrated"):
        migrate("postgresql://citynerve@/x?host=/nowhere")


ONE, TWO = (Migration(name, "SELECT 1", True) for name in ("0001_pre_one", "0002_pre_two"))


def test_old_code_lives_with_what_a_newer_program_added_beforehand() -> None:
    done = {ONE.name: ONE.checksum, "0002_pre_newer": "x"}
    assert to_apply([ONE], done, "all") == []


@pytest.mark.parametrize(
    ("done", "told"),
    [
        ({ONE.name: ONE.checksum, TWO.name: TWO.checksum, "0003_post_newer": "x"}, "use a newer one"),
        ({ONE.name: "other", TWO.name: TWO.checksum}, "another form of migration 0001_pre_one"),
        ({TWO.name: TWO.checksum}, "lacks migration 0001_pre_one but has 0002_pre_two"),
    ],
)
def test_database_of_another_line_is_refused(done: dict[str, str], told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        to_apply([ONE, TWO], done, "all")
