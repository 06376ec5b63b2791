import pytest

from dnnlab.data.cells import MARKER, NUMBER, OTHERWISE, TEXT, TIME, kind

EXAMPLES = {
    NUMBER: ["0", "-1", "+5", "007", "1.5", ".5", "5.", "1e3", "-2.5E-07", "9" * 40, "1.234"],
    MARKER: ["?", "-", "NA", "n/a", "N.A.", "NaN", "None", "NULL", "missing", "#DIV/0!", "#N/A", "#NAME?", "\\N"],
    OTHERWISE: ["1,5", "1,234", "1.234.567", "1 234", "1'234.50", "$5", "-€5.50", "5 €", "12,5 %", "(1,200)", "−3"],
    TIME: ["2024-01-31", "31/1/2024", "1.2.2024", "2024-01-31T10:00", "10:30", "9:05 PM"],
    TEXT: ["", "a", "12A", "1.2.3.4", "1_000", "0x1F", "5 kg", "inf", "#1", "1,2,3", "$", "%", "٣", "1e99999"],
}


@pytest.mark.parametrize(("expected", "text"), [(name, text) for name, texts in EXAMPLES.items() for text in texts])
def test_what_a_text_may_be(expected, text):
    assert kind(text) == expected
