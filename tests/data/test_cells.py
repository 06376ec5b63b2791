import pytest
from pandas._libs.parsers import STR_NA_VALUES

from dnnlab.data.cells import MARKER, NEARLY, NUMBER, OTHERWISE, TEXT, TIME, kind

EXAMPLES = {
    NUMBER: ["0", "-1", "+5", "007", "1.5", ".5", "5.", "1e3", "-2.5E-07", "9" * 40, "1.234"],
    MARKER: ["?", "-", "NA", "n/a", "N.A.", "NaN", "None", "NULL", "missing", "#DIV/0!", "#N/A", "#NAME?", "\\N"],
    OTHERWISE: ["1,5", "1,234", "1.234.567", "1 234", "1'234.50", "$5", "-€5.50", "5 €", "12,5 %", "(1,200)", "−3"],
    TIME: [
        "2024-01-31", "31/1/2024", "1.2.2024", "2024-01-31T10:00", "10:30", "9:05 PM", "1 Mar 2024", "01-Mar-24",
        "March 1, 2024", "2024-03", "Mar 2024", "2024-W03", "2024-W03-1", "1.3.", "01.03.", "03/2024", "2024Q1",
        "Q4 2024", "1. März 2024", "Fri, 1 Mar 2024 10:00:00 GMT", "3rd of May 2021", "1-Mar", "2024 Mar 1",
        "Dez. 2023", "10:30:00+02:00", "10:30 p.m.", "2024/03/01 10:00:00.5", "Monday, 3 June 2024", "24-dec-2020",
    ],
    NEARLY: [
        "5kg", "5 kg", "1_100", "10K", "0x0a", "0x1F", "1.5D+02", "10°C", "'10'", '="10"', "~10", "<5", "٣", "１２",
        "12A", "1st", "1,5kg", "1,234 kg", "10km/h", "5'", "1e99999", "1 234 km", "€10k", "$5m", "-5°", "1.234.567km",
        "0b101",
    ],
    TEXT: [
        "", "a", "1.2.3.4", "inf", "#1", "1,2,3", "$", "%", "A1", "10-19", "1/2", "12 Monkeys", "May", "Mar", "Monday",
        "2024-13", "2024-123", "mark 5", "may be 5", "7:eleven", "1 2", "x5kg", "12345 67 kg",
    ],
}  # fmt: skip


@pytest.mark.parametrize(("expected", "text"), [(name, text) for name, texts in EXAMPLES.items() for text in texts])
def test_what_a_text_may_be(expected, text):
    assert kind(text) == expected


@pytest.mark.parametrize("text", sorted(STR_NA_VALUES - {""}))
def test_what_pandas_takes_for_missing_is_a_marker(text):
    assert kind(text) == MARKER


@pytest.mark.parametrize("text", ["#NA", "[null]", "(blank)", "not available", "No Data", "TBD", "1.#INF", "-1.#INF"])
def test_other_markers(text):
    assert kind(text) == MARKER
