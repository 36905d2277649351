import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from app.settings import Settings, default_city, describe, load_settings, variable
from city.errors import SettingsError

DOCUMENT = Path(__file__).parents[2] / "docs" / "settings.md"


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(variable(name), raising=False)


def test_document_names_every_setting_with_default_and_meaning() -> None:
    rows = re.findall(
        r"^\| `(CITYNERVE_(?!TEST_)\w+)` \| (.*?) \| (.*) \|$", DOCUMENT.read_text(encoding="utf-8"), re.M
    )
    assert rows == describe()


def test_every_setting_says_what_it_means() -> None:
    for name, _, meaning in describe():
        assert meaning.endswith("."), name
        assert len(meaning) > 15, name


def test_defaults_are_one_machine_with_the_simulated_city() -> None:
    settings = load_settings()
    assert (settings.mqtt_url, settings.kafka, settings.database_url) == (None, None, None)
    assert settings.city == default_city()
    assert (settings.city / "city.toml").exists()


def test_settings_do_not_change_after_the_start() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        load_settings().port = 1  # type: ignore[misc]


def test_flag_wins_over_the_environment_and_an_absent_flag_leaves_its_word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CITYNERVE_PORT", "8001")
    assert load_settings(port=8002).port == 8002
    assert load_settings(port=None).port == 8001


def test_empty_variable_counts_as_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.setenv(variable(name), "")
    assert load_settings() == Settings()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("port", "many"),
        ("port", "0"),
        ("port", "65536"),
        ("broker_port", "-1"),
        ("speed", "0"),
        ("speed", "nan"),
        ("speed", "1e9"),
        ("log_max_gb", "inf"),
        ("log_keep_h", "inf"),
        ("log_keep_h", "-1"),
        ("checkpoint_s", "0"),
        ("seed", "-1"),
        ("seed", "9223372036854775808"),
        ("simulate", "perhaps"),
        ("reading_partitions", "0"),
        ("log_level", "LOUD"),
        ("log_format", "xml"),
        ("mqtt_url", "http://host"),
        ("mqtt_url", "mqtt://"),
        ("mqtt_url", "mqtt://host:99999"),
        ("mqtt_url", "mqtt://[::1"),
        ("operator_key", "short"),
        ("operator_key", "spaces are not taken here"),
        ("operator_key", "x" * 201),
        ("proxies", "*"),
        ("proxies", "caddy"),
        ("proxies", "10.0.0.1/24"),
        ("proxies", "127.0.0.1,0.0.0.0/0"),
        ("proxies", "::/0"),
        ("proxies", ","),
        ("mqtt_share", "ingest"),
        ("mqtt_share", "a name with spaces, long enough"),
        ("database_url", "mysql://host/x"),
        ("database_url", "postgresql://[x/y"),
        ("kafka", "host"),
        ("kafka", "host:9092,"),
        ("kafka", "http://host:9092"),
        ("metrics_port", "65535"),
    ],
)
def test_bad_value_is_refused_in_one_sentence_that_names_the_variable(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(variable(name), value)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert str(caught.value).startswith(f"{variable(name)}: ")
    assert "\n" not in str(caught.value)


def test_bad_flag_is_named_as_a_flag() -> None:
    with pytest.raises(SettingsError, match=r"^--port: .*; it is 0$"):
        load_settings(port=0)


def test_all_bad_values_are_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CITYNERVE_PORT", "x")
    monkeypatch.setenv("CITYNERVE_SEED", "y")
    with pytest.raises(SettingsError, match=r"CITYNERVE_PORT: .*; CITYNERVE_SEED: "):
        load_settings()


@pytest.mark.parametrize("name", ["mqtt_url", "database_url"])
def test_errors_do_not_repeat_passwords(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(variable(name), "ftp://user:secret@host")
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert "secret" not in str(caught.value)


def test_error_does_not_repeat_the_name_of_the_share(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CITYNERVE_MQTT_SHARE", "a-long-name-with-a-slip/")
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert "a-slip" not in str(caught.value)


def test_slip_of_the_pen_in_a_name_is_refused_with_what_was_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CITYNERVE_DATABASE_ULR", "postgresql://host/x")
    with pytest.raises(
        SettingsError, match="CITYNERVE_DATABASE_ULR is not a setting: did you mean CITYNERVE_DATABASE_URL"
    ):
        load_settings()


def test_variables_that_only_share_the_prefix_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "CITYNERVE_SUPERVISOR",
        "CITYNERVE_TEST_TIMESCALE_URL",
        "CITYNERVE_TEST_SHOTS",
        "CITYNERVE_SERVICE_HOST",
    ):
        monkeypatch.setenv(name, "1")
    assert load_settings().database_url is None


def test_another_process_gets_these_very_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    settings = Settings(
        data=tmp_path, kafka="a:1,b:2", simulate=False, speed=1.5, faults=tmp_path / "f", mqtt_url="mqtt://u:p@h:1"
    )
    for name, value in settings.as_environment().items():
        monkeypatch.setenv(name, value)
    assert load_settings() == settings


@pytest.mark.parametrize(
    ("host", "told"),
    [("0.0.0.0", "127.0.0.1"), ("::", "[::1]"), ("::1", "[::1]"), ("192.0.2.1", "192.0.2.1"), ("name", "name")],
)
def test_addresses_are_told_as_they_are_reached_from_this_machine(host: str, told: str) -> None:
    settings = Settings(host=host, broker_host=host, port=80, broker_port=18)
    assert (settings.pages_url, settings.embedded_broker_url) == (f"http://{told}:80", f"mqtt://{told}:18")


def test_an_option_that_makes_no_sense_is_named_as_it_was_written() -> None:
    with pytest.raises(SettingsError, match=r"^--realism: say real or perfect; it is \"odd\"$"):
        load_settings(sim_realism="odd")
    with pytest.raises(SettingsError, match=r"^--mqtt-url: "):
        load_settings(mqtt_url="odd")
