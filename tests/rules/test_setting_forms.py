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
