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


def test_numbers_stay_and_texts_become_one_hot(table):
    data = load(table(GOOD))
    assert data.x.shape == (40, 5)
    assert data.x.dtype == torch.float32
    assert data.x[:, 0].tolist() == [row[0] for row in ROWS]
    assert data.x[:, 1].tolist() == [row[1] for row in ROWS]
    for column, colour in enumerate(("blue", "green", "red"), start=2):
        assert data.x[:, column].tolist() == [float(row[2] == colour) for row in ROWS]
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
        (GOOD + "1,2,3,4,5\n", "rows that do not match its header .*line 42"),
        ("x,kind\n" + "1,2,3\n" * 30, "rows that do not match its header"),
        (GOOD + "1,2\n", "missing values in columns 'colour' and 'kind'"),
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
        ("x,kind\n" + "".join(f"{i},{i / 3}\n" for i in range(40)), "numbers with fractions: dnnlab"),
        ("x,kind\n" + "".join(f"{i},{i}\n" for i in range(1001)), "1,001 different values: dnnlab"),
        ("x,kind\n" + "1,a\n" * 20, "has one class, 'a'"),
        ("x,kind\n" + "1,a\n" * 20 + "2,b\n" * 2, "class 'b' has 2 examples"),
        ("x,kind\n" + "1,a\n" * 5 + "2,b\n" * 5, "leaves 6 examples"),
        ('x,kind\n1,"a\n' + "2,b\n" * 20, "rows that do not match"),
    ],
)  # fmt: skip
def test_each_fault_is_one_sentence(table, text, problem):
    with pytest.raises(UsageError, match=problem) as error:
        load(table(text))
    assert "\n" not in str(error.value)


def test_a_thousand_classes_are_allowed(table):
    assert len(load(table("x,kind\n" + "".join(f"{i},{i % 1000}\n" for i in range(3000)))).classes) == 1000


def test_a_column_too_fine_for_32_bits_is_said(table):
    data = load(table(rows(lambda i: 1_700_000_000 + i)))
    assert data.notes == ("column 'a' is coarse in 32-bit numbers; subtract a constant from it",)
    for constant in (1_700_000_001, 0.1):  # nothing is lost where nothing varies
        data = load(table(rows(lambda i, constant=constant: constant)))
        assert data.notes == ()
        assert data.std[1] == 1


def test_many_columns_are_not_all_listed(table):
    names = [f"pixel{i}" for i in range(784)]
    text = ",".join(names) + "\n" + ",".join("1" * 784) + "\n" + "," * 783 + "\n"
    with pytest.raises(UsageError) as error:
        load(table(text, "label"))
    assert len(str(error.value)) < 600
    with pytest.raises(UsageError, match=r"'pixel4' and 779 more"):
        load(table(text, "pixel0"))


CELL = st.sampled_from(["1", "2.5", "", "nan", "inf", "a", '"', "é", "True", "1e400", "-", "9" * 30, "\0", "\r"])
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
