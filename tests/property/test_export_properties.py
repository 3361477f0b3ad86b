"""Whatever a label or number is, what leaves the library is harmless and readable."""

import csv
import io
import json
from html.parser import HTMLParser

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from eecx.errors import Caution
from eecx.results import Result, escape, json_ready, safe_csv

STARTS = ("=", "+", "-", "@", "\t", "\r")
MARKS = st.sampled_from([*STARTS, "<script>", "&", "'", '"', ",", "\n", "$", "é", "漢", "a", " "])
texts = st.lists(MARKS, max_size=5).map("".join) | st.text(max_size=8)
numbers = st.floats() | st.integers(-(2**70), 2**70)
names = st.lists(texts.filter(bool), min_size=1, max_size=3, unique=True)
TAGS = {"p", "b", "table", "thead", "tbody", "tr", "th", "td", "ul", "li"}


class Tags(HTMLParser):
    """Collects the tags and the text of a page."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.tags, self.text = [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text.append(data)


def read(html):
    parser = Tags()
    parser.feed(html)
    parser.close()
    return parser


@given(names, st.lists(texts, min_size=1, max_size=4), st.lists(st.floats(), max_size=4))
def test_no_cell_of_a_csv_starts_a_formula(columns, cells, values):
    table = pd.DataFrame({c: cells for c in columns}).assign(number=pd.Series(values, dtype=float))
    number = list(table.columns).index("number")
    head, *rows = csv.reader(io.StringIO(safe_csv(table), newline=""))
    assert not any(cell.startswith(STARTS) for cell in head)
    for row in rows:
        assert not any(c.startswith(STARTS) for at, c in enumerate(row) if at != number)
        assert row[number] == "" or isinstance(float(row[number]), float)


@given(st.lists(texts.filter(lambda t: "\r" not in t and "\n" not in t), min_size=1, max_size=5))
def test_a_csv_says_what_the_table_says(cells):
    table = pd.DataFrame({"text": cells, "n": range(len(cells))})
    rows = list(csv.reader(io.StringIO(safe_csv(table))))[1:]
    assert [int(row[1]) for row in rows] == list(range(len(cells)))
    for row, cell in zip(rows, cells, strict=True):
        assert row[0] == (f"'{cell}" if cell.startswith(STARTS) else cell)


plain = st.none() | st.booleans() | texts | numbers
arrays = st.lists(st.floats(width=32), max_size=4).map(lambda v: np.array(v, dtype=np.float32))
frames = st.lists(numbers | texts, max_size=3).map(lambda v: pd.DataFrame({"v": v}, dtype=object))
nested = st.recursive(
    plain | arrays | frames | st.sampled_from([np.int8(3), np.bool_(True), pd.NA, pd.NaT]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


@given(nested)
def test_json_is_finite_and_reads_back(value):
    ready = json_ready(value)
    text = json.dumps(ready, allow_nan=False, ensure_ascii=False)
    assert json.loads(text) == ready


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_json_numbers_keep_twelve_digits(value):
    found = json_ready(value)
    assert abs(found - value) <= 1e-11 * abs(value)
    assert found == float(f"{value:.12g}")


@given(texts)
def test_escaped_text_has_no_tags_and_reads_back(text):
    page = read(f"<p>{escape(text)}</p>")
    assert [tag for tag, _ in page.tags] == ["p"]
    assert "".join(page.text).split() == text.replace("\x00", "�").split()
    attribute = read(f'<p title="{escape(text)}"></p>').tags
    assert attribute[0][0] == "p"
    assert list(attribute[0][1]) == ["title"]


@given(names, texts, texts)
def test_html_of_a_result_has_no_tags_of_its_labels(terms, title, message):
    table = pd.DataFrame({"term": terms, "estimate": 1.0})
    found = Result(
        "regress",
        table,
        {"title": title, "conf_level": 0.95},
        {"n": 3, title or "what": title},
        "",
        warnings=(Caution("code", message),),
    )
    page = read(found._repr_html_())
    assert {tag for tag, _ in page.tags} <= TAGS
    assert all(set(attributes) <= {"class", "style"} for _, attributes in page.tags)
