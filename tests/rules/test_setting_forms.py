"""What may be typed as a setting, and what is refused with a word of advice."""

import pytest

from mychatflow.rules import setting_forms


@pytest.mark.parametrize("value", ["1/second", "100/minute", "6000/hour"])
def test_a_rate_is_a_count_and_a_unit(value):
    assert setting_forms.rate(value) == value


@pytest.mark.parametrize("value", ["", "100", "0/minute", "-1/minute", "1.5/minute", "100/day", "100 / minute"])
def test_other_rates_are_refused(value):
    with pytest.raises(ValueError, match="100/minute"):
        setting_forms.rate(value)


@pytest.mark.parametrize("value", ["ana", "ana@", "a@b;c@d", "Ana a@b", "a@b,", "a@b c@d", "a@b@c"])
def test_whom_alerts_go_to_are_addresses_between_commas(value):
    known = "Ana <ana@b.example>, ops@localhost"
    assert setting_forms.mail_addresses(known) == known

    with pytest.raises(ValueError, match="ana@example"):
        setting_forms.mail_addresses(value)


@pytest.mark.parametrize(("value", "kept"), [("", None), ("  ", None), ("sk-1", "sk-1"), (None, None), (0, 0)])
def test_a_blank_setting_is_unset(value, kept):
    assert setting_forms.unless_blank(value) == kept


@pytest.mark.parametrize("value", ["", "00" * 31, "00" * 33, "0x" + "00" * 31, "zz" * 32, " " + "00" * 31 + " "])
def test_a_master_key_is_32_bytes_of_hex(value):
    setting_forms.hex_key("aB" * 32)

    with pytest.raises(ValueError, match="openssl rand -hex 32"):
        setting_forms.hex_key(value)


@pytest.mark.parametrize("value", ["", "whsec_", "whsec_AAA", "AAAA", "whsec_AAAA,", "whsec_AAAA;whsec_AAAA"])
def test_a_signing_secret_has_its_own_form(value):
    setting_forms.signing_secrets("whsec_AAAA, whsec_AAAAAAA=")

    with pytest.raises(ValueError, match="whsec_"):
        setting_forms.signing_secrets(value)


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ("postgres://u:p%40@h/d", "postgresql://u:p%40@h/d"),
        ("postgresql+psycopg://u:p@h:5432/d?sslmode=require", "postgresql://u:p@h:5432/d?sslmode=require"),
        (" postgresql://u:p@[::1]:5432/d\r", "postgresql://u:p@[::1]:5432/d"),
        ("postgresql:///d?host=/var/run/postgresql", "postgresql:///d?host=/var/run/postgresql"),
    ],
)
def test_an_address_of_postgres_is_kept_as_all_its_readers_know_it(value, kept):
    assert setting_forms.postgres_url(value) == kept


@pytest.mark.parametrize(
    "value",
    [
        "", "host=h dbname=d", "mysql://u@h/d", "postgresql://", '"postgresql://u:p@h/d"', "postgresql://u:p@h:x/d",
        # libpq takes several hosts with ports, SQLAlchemy does not.
        "postgresql://u:p@h1:5432,h2:5432/d",
        "postgresql://u:p#x@h/d", "postgresql://u:p/x@h/d", "postgresql://u:p@x@h/d", "postgresql://u:100%@h/d",
        "postgresql://u:p x@h/d",
    ],
)  # fmt: skip
def test_other_addresses_of_postgres_are_refused(value):
    with pytest.raises(ValueError, match="%40"):
        setting_forms.postgres_url(value)


@pytest.mark.parametrize("value", ["redis://:p@h:6379/0 ", "rediss://u:p@[::1]", "unix:///tmp/redis.sock"])
def test_an_address_of_redis(value):
    assert setting_forms.redis_url(value) == value.strip()


@pytest.mark.parametrize(
    "value", ["redis://", "h:6379", "redis://h:x", "redis://:p#x@h", "redis+cluster://h", "unix://"]
)
def test_other_addresses_of_redis_are_refused(value):
    with pytest.raises(ValueError, match="redis://login"):
        setting_forms.redis_url(value)


@pytest.mark.parametrize("value", ["https://chat.example.com", "http://[::1]:8000/", " http://h\r"])
def test_a_web_address_can_be_called(value):
    assert setting_forms.web_address(value) == value.strip()


@pytest.mark.parametrize(
    "value", ["", "localhost:3000", "ftp://h", "http://", "http://h:x", "https://a b", '"http://h"']
)
def test_other_web_addresses_are_refused(value):
    with pytest.raises(ValueError, match="https://host"):
        setting_forms.web_address(value)


@pytest.mark.parametrize("value", ["warehouse.duckdb", "duckdb://x", "postgresql://u@h/d"])
def test_a_warehouse_is_a_file_or_a_lake(value):
    assert setting_forms.warehouse_url("duckdb:////data/x.duckdb") == "duckdb:////data/x.duckdb"

    with pytest.raises(ValueError, match="ducklake"):
        setting_forms.warehouse_url(value)
