"""One text for many: what is known is said, what is not has a default or is missed by name."""

import pytest

from mychatflow.rules import template
from mychatflow.rules.template import InvalidTemplate

ANN = template.values_of(name="Ann Lee", phone="+34600", business_name="Bella", attributes={"city": "Madrid", "n": 3.0})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Hi {{name}}!", "Hi Ann Lee!"),
        ("Hi {{ first_name }}!", "Hi Ann!"),
        ("Hi {name}!", "Hi Ann Lee!"),
        ("{{attributes.city}} {{attributes.n}}", "Madrid 3"),
        ("{{attributes.pet|no pet}}", "no pet"),
        ("{{attributes.pet|}}.", "."),
        ("Hi {{attributes.pet}}, bye", "Hi, bye"),
        ("Costs {5} or {} or { x }", "Costs {5} or {} or { x }"),
    ],
)
def test_variables_read_as_values_or_defaults(text, said):
    assert template.parse(text, attributes={"city", "n", "pet"}).render(ANN) == said


@pytest.mark.parametrize("text", ["{{nmae}}", "{{attributes.age}}", "{{name", "name}}", "{{}}", "{{ {{name}} }}"])
def test_a_slip_is_refused(text):
    with pytest.raises(InvalidTemplate):
        template.parse(text, attributes={"city"})


def test_the_refusal_names_the_variable_and_the_known_ones():
    with pytest.raises(InvalidTemplate, match=r"no variable 'nmae'; known are name, .*attributes\.city") as refused:
        template.parse("{{nmae}}", attributes={"city"})

    assert refused.value.variable == "nmae"


def test_what_is_missing_is_named_once():
    parsed = template.parse("{{name}} {{name}} {{phone|-}} {{business_name}}")

    assert parsed.required() == ("name", "business_name")
    assert parsed.missing(template.values_of(name="  ", business_name="Bella")) == ("name",)


def test_a_customers_name_is_never_read_as_a_template():
    values = template.values_of(name="{{phone}}\n\u202eEve", phone="+34600")

    assert template.parse("Hi {{name}}").render(values) == "Hi {{phone}} Eve"


def test_a_text_is_cut_to_what_whatsapp_takes():
    assert len(template.parse("x" * 4_000 + "{{name|" + "y" * 300 + "}}").render({})) == template.LONGEST
