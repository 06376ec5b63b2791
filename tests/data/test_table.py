import gzip
import re
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dnnlab.data import load
from dnnlab.data.files import DataFile
from dnnlab.data.table import read
from dnnlab.errors import DnnlabError, UsageError


@pytest.fixture
def table(tmp_path):
    """Writes a table and gives the name of its data set."""

    def write(text, target="kind"):
        path = tmp_path / "t.csv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return f"csv:{path}:{target}"

    return write


ROWS = [(i * 0.5, i % 7 - 3, ("red", "green", "blue")[i % 3], ("yes", "no")[i % 2]) for i in range(40)]
GOOD = "length,count,colour,kind\n" + "".join(",".join(map(str, row)) + "\n" for row in ROWS)


def raw(data, digits=6):
    """The numbers of the file, ``[n, feature]``, from the standardised ones."""
    return (data.x.double() * data.std + data.mean).numpy().round(digits)


def test_numbers_stay_and_texts_become_one_hot(table):
    data = load(table(GOOD))
    assert data.x.shape == (40, 5)
    assert data.x.dtype == torch.float32
    colours = [[row[2] == colour for colour in ("blue", "green", "red")] for row in ROWS]
    assert raw(data).tolist() == [[*row[:2], *colour] for row, colour in zip(ROWS, colours, strict=True)]
    assert data.classes == ("no", "yes")
    assert data.y.tolist() == [int(row[3] == "yes") for row in ROWS]
    assert (len(data.train), len(data.validation), len(data.test)) == (32, 4, 4)
    assert data.y[data.test].sum() == 2
    assert data.inputs(data.train).mean(0).tolist() == pytest.approx([0] * 5, abs=1e-6)
    assert data.notes == ()


@pytest.mark.parametrize(
    ("values", "classes"),
    [
        ([10, 9, 2], ("2", "9", "10")),  # numbers sort as numbers
        ([1.0, 0.0, -1.0], ("-1", "0", "1")),
        (["True", "False", "True"], ("False", "True")),
        (["b", "10", "9"], ("10", "9", "b")),
        ([10**25, 3, 4], ("10000000000000000000000000", "3", "4")),  # beyond int64 it is text
    ],
)
def test_classes_are_the_sorted_distinct_values(table, values, classes):
    data = load(table("x,kind\n" + "".join(f"{i},{values[i % 3]}\n" for i in range(45))))
    assert data.classes == classes
    assert [data.classes[label] for label in data.y[:3]] == [
        str(v).removesuffix(".0") if isinstance(v, float) else str(v) for v in values
    ]


def test_the_order_of_columns_and_marks_of_encoding_do_not_matter(table):
    windows = ("\ufeff" + GOOD.replace(",", ", ")).replace("\n", "\r\n")
    assert torch.equal(load(table(windows)).x, load(table(GOOD)).x)
    flipped = "\n".join(",".join(line.split(",")[::-1]) for line in GOOD.splitlines())
    assert torch.equal(load(table(flipped)).y, load(table(GOOD)).y)


def rows(column, other="kind", n=40):
    return f"x,{other},a\n" + "".join(f"{i},{i % 2},{column(i)}\n" for i in range(n))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b"", "is empty"),
        (b"\n\n", "is empty"),
        ("x,kind\n", "has a header and no rows"),
        (GOOD + "1,2,3,4,5\n", r"rows that do not match its header \(line 42 has 5 cells, and the header 4:"),
        ("x,kind\n" + "1,2,3\n" * 30, "rows that do not match its header"),
        (GOOD + "1,2\n", r"rows that do not match its header \(line 42 has 2 cells, and the header 4\);"),
        (GOOD + '1,2,"a\nb",yes\n1\n', r"rows that do not match its header \(line 44 has 1 cell, and the header 4\);"),
        (rows(lambda i: ""), r"nothing but missing values in column 'a' \(the first in line 2\); remove what is empty"),
        ("x,kind,a,b\n" + "1,u,,\n" * 20, r"nothing but missing values in columns 'a' and 'b'"),
        (GOOD.encode("utf-16-le"), r"no text in UTF-8 \(a zero byte in line 1, as UTF-16 has them\): save it as UTF-8"),
        (GOOD.encode("utf-16-be"), r"no text in UTF-8 \(a zero byte in line 1, as UTF-16 has them\): save it as UTF-8"),
        (GOOD.encode() + b"1,2,r\0d,yes\n", r"no text in UTF-8 \(a zero byte in line 42,"),
        (b"PK\x03\x04" + GOOD.encode(), "is a zip archive or a spreadsheet: save the table in it as comma-separated"),
        (gzip.compress(GOOD.encode()), r"is packed by gzip, and its name does not end in \.csv\.gz"),
        ("0,0,kind\n" + "1,2,3\n" * 20, "several columns named '0'; write names above the first row"),
        (GOOD + ",,red,yes\n", "missing values in columns 'length' and 'count'"),
        (GOOD + "1,2,red,\n", "missing values in column 'kind'"),
        (GOOD.encode() + b"\xff\xfe,1,red,yes\n", "no text in UTF-8"),
        (GOOD + "inf,2,red,yes\n", "infinite or enormous values in column 'length'"),
        (GOOD + "-1e39,2,red,yes\n", "infinite or enormous values in column 'length'"),
        (GOOD.replace("kind", "Kind"), "unknown column 'kind': did you mean Kind"),
        (GOOD.replace("kind", "q"), "unknown column 'kind': known are .*length"),
        (GOOD.replace(",", ";"), "separated by ';'"),
        ("kind\n" + "1\n2\n" * 20, "no column beside 'kind'"),
        ("x,kind,kind\n" + "1,2,3\n" * 20, "several columns named 'kind'"),
        (",x,kind\n" + "1,2,3\n" * 20, "no name for column 1"),
        (rows(lambda i: f"word{i}", n=101), "101 different texts, more than 100"),
        ("x,kind\n" + "".join(f"{i},{i / 3}\n" for i in range(40)), "in line 3 of column 'kind', and dnnlab"),
        ("x,kind\n" + "1,0\n1,1\n1,2.5\n" * 20, "has '2.5' in line 4 of column 'kind', and dnnlab classifies"),
        ("x,kind\n" + "".join(f"{i},{i}\n" for i in range(1001)), "1,001 different values: dnnlab"),
        ("x,kind\n" + "1,a\n" * 20, "has one class, 'a'"),
        ("x,kind\n" + "1,a\n" * 20 + "2,b\n" * 2, "class 'b' has 2 examples"),
        ("x,kind\n" + "1,a\n" * 5 + "2,b\n" * 5, "leaves 6 examples"),
        ('x,kind\n1,"a\n' + "2,b\n" * 20, r"rows that do not match its header \(a quotation mark opens"),
        ('x,kind\n1,a\n2,"b\n' + "2,b\n" * 20, "a quotation mark opens a cell in line 3, and none closes it"),
        ('x,size,kind\n1,"5,a\n' + "1,6,b\n" * 20 + '2,"7,b\n', "in line 2 goes on behind the next mark, with 7;"),
        ('x,size,kind\r1,2,a\r1,"5"x,a\r' + "1,6,b\r" * 20, "in line 3 goes on behind the next mark, with x; inside"),
        ('x,size,kind\n1,"5"x,a\n' + "1,6,b\n" * 20, "in line 2 goes on behind the next mark, with x; inside a cell"),
        ("x,kind,a\n1,u,2\n" * 9 + '"x,u,3\n' + "1,v,3\n" * 20, r"header \(a quotation mark opens"),
        (GOOD + "1,2,red,yes\n" + ",2,red,yes\n", r"missing values in column 'length' \(the first in line 43\)"),
        ("a;kind\n1,5;u\n2,5;v\n", "separated by ';' and has decimal commas; .*, with decimal points"),
        ("sep=;\na;kind\n1,5;u\n", "separated by ';' and has decimal commas"),
        ("a\tkind\n1,5\tu\n", r"separated by '\\t'; dnnlab"),
        ("x,kind,y\n1,234,a,1\n", "line 2 has 4 cells, and the header 3: a comma inside a cell takes quotation marks"),
        ("kind,kind \n" + "1,2\n" * 20, "several columns named 'kind'"),
        ("x,kind,,\n" + "1,a,,\n" * 20, "no name for column 3"),
        ("é,kind\n".encode() + "1,ö\n".encode("latin-1"), r"no text in UTF-8 \(byte 11, in line 2\): save it as UTF-8"),
        (GOOD.encode("utf-16"), r"no text in UTF-8 \(a zero byte in line 1, as UTF-16 has them\): save it as UTF-8"),
    ],
)  # fmt: skip
def test_each_fault_is_one_sentence(table, text, problem):
    with pytest.raises(UsageError, match=problem) as error:
        load(table(text))
    assert "\n" not in str(error.value)


IRIS = "".join(f"{5 + i / 10},{i % 3},{('Iris-setosa', 'Iris-virginica')[i % 2]}\n" for i in range(40))


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("5.1,7,Iris-setosa\n" + IRIS, "Iris-setosa"),
        ("\n5,7,Iris-virginica\n" + IRIS, "Iris-virginica"),
        ("True,3,1\n" + "".join(f"{i % 2 == 0},{i},{i % 2}\n" for i in range(40)), "1"),
    ],
)  # fmt: skip
def test_a_table_without_a_header_is_refused(table, text, target):
    line = 1 + text.startswith("\n")
    with pytest.raises(
        UsageError, match=f"has no header, as it seems: each name in line {line} .*{target}'; write names"
    ):
        load(table(text, target))


@pytest.mark.parametrize(
    ("header", "target", "doubtful"),
    [
        ("-5.1,7,species", "species", "'-5.1'"),
        ("5.1,2.5,species", "species", "'5.1' and '2.5'"),
        # A text above numbers is a name for sure.
        ("5.1,b,Iris-setosa", "Iris-setosa", ""),
        ("a,b,Iris-setosa", "Iris-setosa", ""),
        ("a,True,species", "species", ""),
    ],
)
def test_a_header_that_may_be_values_is_said(table, header, target, doubtful):
    data = load(table(f"{header}\n{IRIS}", target))
    assert len(data.y) == 40
    said = f"line 1 was read as names of columns, though {doubtful} may be values"
    assert data.notes == ((said,) if doubtful else ())


def test_a_text_column_may_be_called_as_one_of_its_values(table):
    text = "x,other\n" + "".join(f"{i},{('mail', 'other')[i % 2]}\n" for i in range(40))
    assert load(table(text, "other")).notes == ()
    text = "id,other\n" + "".join(f"{'pqr'[i % 3]},{('mail', 'other')[i % 2]}\n" for i in range(40))
    assert load(table(text, "other")).notes == ("line 1 was read as names of columns, though 'other' may be values",)


def test_a_header_in_the_middle_is_refused(table):
    with pytest.raises(UsageError, match=r"has 'x' in line 12 of column 'x', where most"):
        load(table("x,kind\n" + "".join(f"{i},{'uv'[i % 2]}\n" + "x,kind\n" * (i == 9) for i in range(40))))


def test_whole_numbers_are_names_of_columns(table):
    for header, target in (("0,1,species", "species"), ("2019,2020,growth", "growth")):
        assert load(table(f"{header}\n{IRIS}", target)).notes == ()
    for header in ("0,1,2", "1,2,3", "3,7,9"):  # 9 is no class
        counts = "".join(f"{i},{i * i},{i % 4}\n" for i in range(60))
        assert load(table(f"{header}\n{counts}", header[-1])).notes == ()


def test_a_thousand_classes_are_allowed(table):
    assert len(load(table("x,kind\n" + "".join(f"{i},{i % 1000}\n" for i in range(3000)))).classes) == 1000


FINE = {  # columns that float32 does not hold, by the number of the row
    "seconds since 1970": lambda i: 1_700_000_000 + i,
    "beyond 24 bits": lambda i: 16_777_216 + 2 * (i % 2),
    "sixteenths": lambda i: 1_000_000 + 0.0625 * (i % 2),
    "latitudes": lambda i: round(52.52 + 1e-6 * (i % 7), 6),
    "tiny": lambda i: f"{i % 7}e-40",
    "tiny squares": lambda i: f"{i % 7}e-200",
    "large": lambda i: f"{i % 7}e37",
    "beyond 53 bits": lambda i: 2**53 + i % 2,
    "databases": lambda i: 2**63 + i,
}


@pytest.mark.parametrize("fine", FINE)
def test_what_float32_does_not_hold_is_standardised_all_the_same(table, fine):
    data = load(table(rows(FINE[fine])))
    values = [Fraction(str(FINE[fine](i))) for i in range(40)]
    train = data.train.tolist()
    mean = sum(values[i] for i in train) / len(train)
    unit = max(abs(value - mean) for value in values)
    steps = np.array([float((value - mean) / unit) for value in values])
    expected = steps / np.sqrt(np.square(steps[train]).mean())
    assert data.inputs(torch.arange(40))[:, 1].numpy() == pytest.approx(expected, abs=1e-6)
    assert data.notes == ()


@pytest.mark.parametrize("constant", [1_700_000_001, 0.1, "1e30", 2**62 + 1])
def test_nothing_is_lost_where_nothing_varies(table, constant):
    data = load(table(rows(lambda i: constant)))
    assert data.notes == ()
    assert data.std[1] == 1
    assert not data.x[:, 1].any()


def test_what_64_bits_hardly_hold_is_said(table):
    for cell in (lambda i: f"{2**53 + 2 * i}.0", lambda i: f"1.00000000000000{i % 2}"):
        data = load(table(rows(cell)))
        assert data.notes == ("column 'a' is coarse in 64-bit numbers; subtract a constant from it",)


def test_what_is_the_same_beside_what_is_far_away_is_said(table):
    data = load(table(rows(lambda i: "1e30" if i == 7 else i)))
    assert len(data.x[:, 1].unique()) == 2
    assert data.notes[0].startswith("column 'a' has different numbers that are the same in 32 bits when it is standard")
    assert load(table(rows(lambda i: "1e6" if i == 7 else i))).notes == ()


def test_what_is_beyond_all_that_trains_is_refused(table):
    test = int(load(table(rows(lambda i: i))).test[0])
    with pytest.raises(UsageError, match=rf"standard deviations .* in column 'a' \(the first in line {test + 2}\)"):
        load(table(rows(lambda i: 1 if i == test else f"{i % 7}e-40")))


def test_many_columns_are_not_all_listed(table):
    names = [f"pixel{i}" for i in range(784)]
    text = ",".join(names) + "\n" + ",".join("1" * 784) + "\n" + "," * 783 + "\n"
    with pytest.raises(UsageError) as error:
        load(table(text, "label"))
    assert len(str(error.value)) < 600
    with pytest.raises(UsageError, match=r"'pixel4' and 779 more"):
        load(table(text, "pixel0"))


def column(cell, count=60):
    """A table of the column ``a`` of these cells, by the number of the row, beside other numbers and two classes."""
    cells = [str(cell(i)).replace('"', '""') for i in range(count)]
    return "b,a,kind\n" + "".join(f'{i / 7},"{text}",{"uv"[i % 2]}\n' for i, text in enumerate(cells))


ODD = ["?", "n/a", "-", "#DIV/0!", "#N/A", "missing", "NA", "nan", "None", "null", "twelve", "12O", "1_000", "0x1F"]


@pytest.mark.parametrize("odd", ODD)
def test_an_odd_cell_among_numbers_is_named(table, odd):
    with pytest.raises(UsageError, match=rf"has '{re.escape(odd)}' in line 19 of column 'a', where most .* numbers;"):
        load(table(column(lambda i: odd if i in (17, 30) else i / 3)))


@pytest.mark.parametrize("odd", ["?", "NA", "-"])
def test_many_gaps_and_few_numbers_are_still_numbers(table, odd):
    for often, most in ((2, 60), (10, 3)):  # half of the cells; one in ten beside three different numbers
        with pytest.raises(UsageError, match=r"in line \d+ of column 'a', where most"):
            load(table(column(lambda i, often=often, most=most: odd if i % often == 1 else i % most)))


@pytest.mark.parametrize("odd", ["?", "NA", "missing"])
def test_an_odd_class_among_numbers_is_named(table, odd):
    text = "x,kind\n" + "".join(f"{i},{odd if i == 4 else i % 2}\n" for i in range(40))
    with pytest.raises(UsageError, match=rf"has '{re.escape(odd)}' in line 6 of column 'kind', where most"):
        load(table(text))


@pytest.mark.parametrize(
    "cell",
    ["1,{:03}", "1.{:03}.000", "1 {:03}", "1'{:03},5", "${}.50", "€ {}", "{} €", "{},50 EUR", "{}%", "{},5", "−{}"],
)
def test_numbers_written_otherwise_are_refused(table, cell):
    for rare in (False, True):
        first = 20 if rare else 0
        text = column(lambda i, rare=rare: i if rare and i != 20 else cell.format(i))
        shown = re.escape(repr(cell.format(first)))
        with pytest.raises(UsageError, match=rf"has {shown} in line {first + 2} of column 'a', which is no number as"):
            load(table(text))


def test_points_are_decimal_points_and_that_is_said_where_it_is_in_doubt(table):
    prices = [950, 980, 999, "1.200", "2.500", "12.750"]
    data = load(table(column(lambda i: prices[i % 6])))
    assert raw(data, 3)[:6, 1].tolist() == [950, 980, 999, 1.2, 2.5, 12.75]
    said = "read with a decimal point, and whole numbers beside them in their columns: '1.200' in line 5 of column 'a'"
    assert data.notes == (said,)


SETTLED = {  # what settles that a point is a decimal point, beside 1.200
    "none": [], "other decimals": ["2.25"], "less than 1": ["0.250"], "a zero with decimals": ["0.000"],
    "a large number": ["1200"], "an exponent": ["1.5e0"], "many digits": ["1234.500"],
}  # fmt: skip


@pytest.mark.parametrize("settled", SETTLED)
@pytest.mark.parametrize(
    "others", [["0", "950", "12"], ["3"], ["-7", "+20.000"], ["2.500", "12.750"], ["3.000", "-2.500"]]
)
def test_points_that_may_be_between_thousands_are_said(table, others, settled):
    cells = [others[0], "1.200", *others[1:], *SETTLED[settled]]
    data = load(table(column(lambda i: cells[i % len(cells)], 20_003)))
    assert raw(data, 3)[: len(cells), 1].tolist() == [float(cell) for cell in cells]
    if settled != "none":
        assert data.notes == ()
    elif all("." in cell for cell in others):
        how = "where thousands may be meant: every number has three digits behind it"
        assert data.notes == (f"read with a decimal point, {how}: {others[0]!r} in line 2 of column 'a'",)
    else:
        how = "and whole numbers beside them in their columns"
        assert data.notes == (f"read with a decimal point, {how}: '1.200' in line 3 of column 'a'",)


def test_decimals_of_other_lengths_are_no_thousands(table):
    for plain in ("0.{:03}", "{}.5", "{}.1254", "{}.0"):
        assert load(table(column(lambda i, plain=plain: plain.format(i + 100)))).notes == ()
    assert load(table(column(lambda i: [1.125, 2, 3.25][i % 3]))).notes == ()
    # What settles it may come late.
    assert load(table(column(lambda i: "2.5" if i == 20_000 else "1.200", 20_003))).notes == ()


@pytest.mark.parametrize(
    ("cells", "first"),
    [
        (["00037", "10115"], "'00037' in line 2"), (["7", "007"], "'007' in line 3"),
        (["1.5", "-02.5"], "'-02.5' in line 3"),
        (["10000000000000000000000000", " 00"], "'00' in line 3"),
    ],
)  # fmt: skip
def test_zeros_before_numbers_are_said(table, cells, first):
    said = "read as numbers, so that zeros before them do not count: "
    data = load(table(column(lambda i: cells[i % 2])))
    assert raw(data).shape == (60, 2)
    assert [note for note in data.notes if "zeros" in note] == [f"{said}{first} of column 'a'"]
    data = load(table(column(lambda i: "12\n" if i == 3 else "\n012" if i == 7 else " 12", 60)))
    assert data.notes == (f"{said}'012' in line 10 of column 'a'",)
    data = load(table(column(lambda i: "012" if i == 20_000 else "12", 20_003)))
    assert data.notes == (f"{said}'012' in line 20,002 of column 'a'",)


def test_notes_are_in_the_order_of_columns(table):
    names = [f"a{i}" for i in range(20)]
    text = f"{','.join(names)},kind\n" + "".join("07," * 20 + f"{i % 2}\n" for i in range(40))
    (said,) = load(table(text)).notes
    cells = "'07' in line 2 of column 'a0', '07' in line 2 of column 'a1', '07' in line 2 of column 'a2' and 17 more"
    assert said.endswith(cells)


def test_zeros_before_classes_are_said_and_no_others(table):
    data = load(table("x,kind\n" + "".join(f"{i},{('01', '02', '10')[i % 3]}\n" for i in range(60))))
    assert data.classes == ("1", "2", "10")
    said = "read as numbers, so that zeros before them do not count: '01' in line 2 of column 'kind'"
    assert data.notes == (said,)
    for plain in ("0.{}", "10{}", "-0.{}", "1e0{}", "0"):
        assert load(table(column(lambda i, plain=plain: plain.format(i % 7)))).notes == ()
    assert load(table(column(lambda i: f"x 0{i % 7}"))).notes == ()


@pytest.mark.parametrize("value", ["NA", "None", "null", "nan", "-", "?", "n/a"])
def test_what_may_mean_nothing_is_a_value_among_texts_and_that_is_said(table, value):
    values = ["DE", value, "FR"]
    data = load(table(column(lambda i: values[i % 3])))
    assert data.x.shape == (60, 4)
    first = sorted(values).index(value)
    assert raw(data)[:, 1 + first].tolist() == [float(i % 3 == 1) for i in range(60)]
    said = f"read as texts like any other, and not as missing values: {value!r} in line 3 of column"
    assert data.notes == (f"{said} 'a'",)
    data = load(table("x,kind\n" + "".join(f"{i},{values[i % 3]}\n" for i in range(60))))
    assert data.classes == tuple(sorted(values))
    assert data.notes == (f"{said} 'kind'",)


@pytest.mark.parametrize(
    ("values", "odd"),
    [(["2", "3", "4", "5more"], 3), (["1", "2", "other"], 2), (["2", "4", "more"], 2), (["3", "cat", "dog"], 1)],
)
def test_few_numbers_may_be_names_of_categories_and_that_is_said(table, values, odd):
    data = load(table(column(lambda i: values[i % len(values)])))
    assert data.x.shape == (60, 1 + len(values))
    cell = f"{values[odd]!r} in line {odd + 2} of column 'a'"
    assert data.notes == (f"read as texts, as are the numbers in their columns: {cell}",)


@pytest.mark.parametrize(
    "date", ["{} Mar 2024", "{}-Mar-24", "March {}, 2024", "20{}-03", "Mar 20{}", "2024-W{}", "{}.3."]
)
def test_dates_of_other_forms_are_texts_as_well(table, date):
    data = load(table(column(lambda i: date.format(10 + i % 10))))
    cell = f"{date.format(10)!r} in line 2 of column 'a'"
    assert data.notes == (f"dates and times read as texts, a feature for each: {cell}",)


@pytest.mark.parametrize("date", ["2024-01-{:02}", "{}/2/2024", "{}.2.2024", "2024-01-{:02}T10:00", "10:{:02}"])
def test_dates_are_texts_and_that_is_said(table, date):
    data = load(table(column(lambda i: date.format(10 + i % 15))))
    assert data.x.shape == (60, 16)
    cell = f"{date.format(10)!r} in line 2 of column 'a'"
    assert data.notes == (f"dates and times read as texts, a feature for each: {cell}",)


@pytest.mark.parametrize("text", ["name {}", "A{}", "{} and more"])
def test_texts_that_hardly_repeat_are_said(table, text):
    data = load(table(column(lambda i: text.format(i % 45))))
    assert data.x.shape == (60, 46)
    assert data.notes == ("column 'a' has 45 different texts in 60 rows, each of which became a feature",)
    assert load(table(column(lambda i: text.format(i % 30)))).notes == ()


@pytest.mark.parametrize(
    ("values", "classes", "said"),
    [
        (["big cat ", "big cat", " dog"], ("big cat", "dog"), "'big cat ' and 'big cat' in line 3"),
        (["a", "a\t", "b"], ("a", "b"), "'a' and 'a\\t' in line 3"),
        (["a", "b", "a\xa0"], ("a", "b"), "'a' and 'a\\xa0' in line 4"),
        (["01", "1", "2"], ("1", "2"), "'01' and '1' in line 3"),
        (["1.0", "1", "2"], ("1", "2"), "'1.0' and '1' in line 3"),
        (["true", "False", "TRUE"], ("False", "True"), "'true' and 'TRUE' in line 4"),
        (["big cat", "big  cat", "dog"], ("big cat", "dog"), "'big cat' and 'big  cat' in line 3"),
        (["e\u0301", "é", "dog"], ("dog", "é"), "'e\\u0301' and 'é' in line 3"),
        (["cat", "dog", "c\u200bat"], ("cat", "dog"), "'cat' and 'c\\u200bat' in line 4"),
        (["x\xady", "xy", "z"], ("xy", "z"), "'x\\xady' and 'xy' in line 3"),
    ],
)
def test_what_is_one_class_is_read_as_one_and_that_is_said(table, values, classes, said):
    data = load(table("x, kind \n" + "".join(f"{i},{values[i % 3]}\n" for i in range(60))))
    assert data.classes == classes
    assert data.notes == (
        "read as one, since they are the same number or differ only by spaces or by what is not seen: "
        f"{said} of column 'kind'",
    )
    if not values[0][0].isdecimal() and "true" not in values:  # the same as a feature
        data = load(table(column(lambda i: values[i % 3])))
        assert raw(data)[:3, 1:].tolist() == [[value == name for name in classes] for value in map(NAMES.get, values)]
        assert any(note.endswith(f": {said} of column 'a'") for note in data.notes)


NAMES = {  # as one would read them aloud
    "big cat ": "big cat", "big cat": "big cat", "big  cat": "big cat", " dog": "dog", "dog": "dog", "a": "a",
    "a\t": "a", "a\xa0": "a", "b": "b", "é": "é", "e\u0301": "é", "cat": "cat", "c\u200bat": "cat", "x\xady": "xy",
    "xy": "xy", "z": "z",
}  # fmt: skip


@pytest.mark.parametrize("name", ["big  cat", "e\u0301", "c\u200bat"])
def test_a_name_that_is_alone_is_as_it_is_written(table, name):
    data = load(table("x,kind\n" + "".join(f"{i},{(name, 'dog')[i % 2]}\n" for i in range(60))))
    assert (set(data.classes), data.notes) == ({name, "dog"}, ())


@pytest.mark.parametrize("values", [["cat", "Cat", "dog"], ["x²", "x2", "y"], ["yes", "no", "YES"]])
def test_names_that_are_alike_are_said(table, values):
    other = next(value for value in values[1:] if value.casefold().replace("²", "2") == values[0].replace("²", "2"))
    how = "kept apart, though they differ only by case or by the form of letters"
    said = f"{how}: {values[0]!r} and {other!r} in line {2 + values.index(other)} of column"
    data = load(table("x,kind\n" + "".join(f"{i},{values[i % 3]}\n" for i in range(60))))
    assert (data.classes, data.notes) == (tuple(sorted(values)), (f"{said} 'kind'",))
    data = load(table(column(lambda i: values[i % 3])))
    assert (data.x.shape[1], data.notes) == (4, (f"{said} 'a'",))


@pytest.mark.parametrize(
    ("values", "odd"),
    [
        (["0", "1", "True"], 2),
        (["1", "2", "inf"], 2),
        (["cat", "1", "2"], 0),
        (["0", "0,5", "1"], 1),
        (["1", "5kg"], 1),
    ],
)
def test_numbers_among_other_classes_are_said(table, values, odd):
    cells = [f'"{value}"' for value in values]
    data = load(table("x,kind\n" + "".join(f"{i},{cells[i % len(cells)]}\n" for i in range(60))))
    assert data.classes == tuple(sorted(values))
    cell = f"{values[odd]!r} in line {2 + odd} of column 'kind'"
    assert data.notes == (f"read as texts, as are the numbers in their columns: {cell}",)


NEARLY = ["{}kg", "{} km/h", "1_1{:02}", "{}K", "0x{:02x}", "1.{}D+02", "{}°C", "'{}'", '="{}"', "<{}", "€{}k", "１{}"]


@pytest.mark.parametrize("form", NEARLY)
def test_texts_that_may_be_numbers_are_said(table, form):
    cells = [form.format(10 + i) for i in range(12)]
    data = load(table(column(lambda i: cells[i % 12])))
    assert data.x.shape == (60, 13)
    said = f"read as texts, a feature for each, though they may be numbers: {cells[0]!r} in line 2 of column 'a'"
    assert data.notes == (said,)
    # Not where most are others, as 4WD among kinds of drive.
    assert load(table(column(lambda i: [cells[0], "front", "rear"][i % 3]))).notes == ()


def test_spaces_around_features_do_not_count(table):
    data = load(table(column(lambda i: ["x ", "x", "y"][i % 3])))
    assert raw(data)[:3, 1:].tolist() == [[1, 0], [1, 0], [0, 1]]
    assert data.notes[0].endswith(": 'x ' and 'x' in line 3 of column 'a'")
    for gap in ("", "  ", "\xa0"):
        with pytest.raises(UsageError, match=r"missing values in column 'a' \(the first in line 6\)"):
            load(table(column(lambda i, gap=gap: gap if i == 4 else "xy"[i % 2])))


@pytest.mark.parametrize("start", [2**53, 2**60, 2**63, 10**25])
def test_large_integers_are_not_mixed_up_in_silence(table, start):
    data = load(table(column(lambda i: start + i)))
    lost = ("column 'a' has different numbers that are the same in 64 bits",)
    if start == 10**25:
        assert data.notes[-1:] == lost
    else:
        assert data.notes == ()
        assert len(data.x[:, 1].unique()) == 60
    for form in ("{}", "{}.0"):
        data = load(table("x,kind\n" + "".join(f"{i},{form.format(start + i % 2)}\n" for i in range(40))))
        assert [name.removesuffix(".0") for name in data.classes] == [str(start), str(start + 1)]


@pytest.mark.parametrize("name", ["my:label", "a:b:c", ":x", "x:"])
def test_the_name_of_a_column_may_have_colons(table, name):
    data = load(table(f"x,{name}\n" + "".join(f"{i},{i % 2}\n" for i in range(40)), name))
    assert data.classes == ("0", "1")


def test_lines_are_those_of_the_file(table):
    odd = "?,u\n" + "3,v\n" * 20 + "".join(f"{i},u\n" for i in range(20))
    for before, line in (
        ("a,kind\n\n1,u\n \n", 5),
        ('a,kind\n"1","u\nu"\n', 4),
        ('"a\nb",kind\n1,u\n', 4),
        ("\n\na,kind\r\n1,u\r\n", 5),
        ("a,kind\r1,u\r", 3),
    ):
        with pytest.raises(UsageError, match=rf"has '\?' in line {line} of column 'a"):
            load(table(before + odd))


@pytest.mark.parametrize(
    "cell",
    [
        lambda i: f"{1609459200000000000 + i}.0",
        lambda i: f"{10**18 + i}" if i else "1e18",
        lambda i: f"0.10000000000000000{i:02}",
    ],
)
def test_numbers_that_pandas_makes_the_same_are_told(table, cell):
    data = load(table(column(cell)))
    assert len(np.unique(data.x[:, 1])) < 60
    assert "column 'a' has different numbers that are the same in 64 bits" in data.notes


def test_numbers_of_many_digits_that_stay_apart_are_not_told(table):
    assert load(table(column(lambda i: f"{i / 7:.17f}"))).notes == ()


@pytest.mark.parametrize("words", ["TRUE,true ,False", "True ,False ", " True, false", "\u00a0true,false"])
def test_spaces_around_truth_values_do_not_count(table, words):
    words = words.split(",")
    data = load(table(column(lambda i: words[i % len(words)])))
    assert (data.x.shape, data.notes) == ((60, 2), ())
    true = [words[i % len(words)].strip().lower() == "true" for i in range(60)]
    assert (data.x[:, 1] > 0).tolist() == true


def test_spaces_behind_quotation_marks_do_not_count(table):
    data = load(table("x, size ,kind\n" + '1, "red" ,"u"\n2,"blue"\t,"v" \n' * 20))
    assert (data.x.shape, data.notes) == ((40, 3), ())


def test_a_quotation_mark_behind_a_tab_opens_no_cell(table):
    data = load(table("x,size,kind\n" + '1,\t"5,u\n2,"x" ,v\n' * 20))
    assert data.x.shape == (40, 3)


def test_commas_inside_quotation_marks_are_part_of_a_text(table):
    data = load(table(column(lambda i: ["a,b", "c", 'd "e", f'][i % 3])))
    assert data.x.shape == (60, 4)
    assert data.notes == ()


CELL = st.sampled_from(
    ("1", "2.5", "", "nan", "inf", "a", '"', "é", "True", "1e400", "-", "9" * 30, "\0", "\r", "?", "1,5", "$1", " ",
     "2024-01-01", "1e999999999999", "1.234")
)  # fmt: skip
LINE = st.lists(CELL, max_size=4).map(",".join)


@pytest.mark.filterwarnings("error")
@settings(max_examples=200, deadline=None)
@given(
    st.binary(max_size=80)
    | st.lists(LINE, max_size=8).map(lambda lines: "\n".join(lines).encode())
    | st.lists(LINE, max_size=12).map(lambda lines: ("a,kind,b\n" + "\n".join(lines * 3)).encode()),
    st.sampled_from(["kind", "a", "1", ""]),
)
def test_any_bytes_give_a_table_or_a_sentence(tmp_path_factory, content, target):
    path = tmp_path_factory.getbasetemp() / "fuzz.csv"
    path.write_bytes(content)
    try:
        data = read(DataFile(path, "mend it", UsageError), target)
    except DnnlabError:
        return
    assert np.isfinite(data.x).all()
    assert data.y.max() < len(data.classes)
