"""Requests made to harm: footers that lie, foreign pages, bodies that do not say what they are."""

import io

import httpx
import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

from ganad import InputError
from ganad.serve import parquet_pages
from ganad.serve.hosts import names_of
from ganad.serve.limits import Limits
from ganad.serve.parquet_body import parquet_table
from ganad.serve.parquet_pages import pages
from ganad.serve.rejections import Refused

from .conftest import running

CSV = b"width,height,colour\n1,1,x\n"


def zigzag(n):
    n, out = n << 1, b""
    while n > 127:
        n, out = n >> 7, out + bytes([n & 127 | 128])
    return out + bytes([n])


def packed_tight(n, size):
    """A file of a few kilobytes whose one page of text unpacks to ``n * size`` bytes, and says so in its footer."""
    table = pyarrow.table({"a": pyarrow.array(["\0" * size] * n, pyarrow.large_string()), "b": np.zeros(n)})
    out = io.BytesIO()
    options = dict(use_dictionary=False, data_page_size=2**31 - 1, write_batch_size=n, write_statistics=False)
    pyarrow.parquet.write_table(table, out, compression="brotli", **options)
    return out.getvalue()


def with_small_sizes(data):
    """The same file with a footer that says that hardly anything is in it."""
    group = pyarrow.parquet.ParquetFile(io.BytesIO(data)).metadata.row_group(0)
    start = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    footer = data[start:-8]
    for said in (group.total_byte_size, group.column(0).total_uncompressed_size):
        assert zigzag(said) in footer
        footer = footer.replace(zigzag(said), zigzag(900))
    return data[:start] + footer + len(footer).to_bytes(4, "little") + b"PAR1"


def test_a_footer_that_lies_takes_no_memory():
    data = packed_tight(1000, 100_000)
    forged = with_small_sizes(data)
    assert len(forged) < 20_000
    assert pyarrow.parquet.read_metadata(io.BytesIO(forged)).row_group(0).total_byte_size == 900
    pool = pyarrow.default_memory_pool()
    before, most = pool.bytes_allocated(), pool.max_memory()
    for body in (forged, data):
        with pytest.raises(Refused, match="unpack to more") as caught:
            parquet_table(body, ["a", "b"], Limits(bodies_bytes=10**7))
        assert caught.value.status == 413
    assert pool.bytes_allocated() - before < 10**6
    assert pool.max_memory() == most  # which making the file has set


def test_a_page_that_says_it_is_huge_is_refused_before_it_is_read():
    data = packed_tight(10, 1000)
    old, new = zigzag(10_046), zigzag(2**31 - 1)
    assert old in data[:40]
    with pytest.raises(Refused, match="unpack to more"):
        parquet_table(data.replace(old, new, 1), ["a", "b"], Limits())


@pytest.mark.parametrize("seed", range(200))
def test_an_altered_file_is_read_or_refused(seed):
    rng = np.random.default_rng(seed)
    data = bytearray(packed_tight(10, 100))
    for place in rng.choice(len(data), 1 + seed % 4, replace=False):
        data[place] = rng.integers(256)
    try:
        parquet_table(bytes(data), ["a", "b"], Limits())
    except (InputError, Refused) as refused:
        assert "\n" not in str(refused)


def test_headers_that_are_cut_or_nested_without_end():
    many = b"\x19\xfc\xff\xff\xff\x7f"
    for data in (b"", b"\x15", b"\x15\x04" + b"\x80" * 40, b"\x1c" * 1000, many, b"\x15\x00\x00"):
        with pytest.raises(InputError, match="is damaged"):
            list(pages(data, 0, len(data) or 1))


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "null"},
        {"Origin": "http://["},
    ],
)
def test_a_foreign_page_may_not_send_bodies(tables, headers):
    answer = httpx.post(f"{tables}/score", content=CSV, headers={"Content-Type": "text/csv"} | headers)
    assert answer.status_code == 403
    assert "another site" in answer.json()["error"]


@pytest.mark.parametrize("site", ["same-origin", "none", None])
def test_our_own_page_and_programs_may(tables, site):
    headers = {"Content-Type": "text/csv", "Origin": tables} | ({"Sec-Fetch-Site": site} if site else {})
    assert httpx.post(f"{tables}/score", content=CSV, headers=headers).status_code == 200


@pytest.mark.parametrize("host", ["ganad.example.org", None])
def test_the_page_behind_a_proxy_may(table_model, host):
    headers = {"Content-Type": "text/csv", "Origin": "https://ganad.example.org", "Sec-Fetch-Site": "same-origin"}
    headers |= {"Host": host} if host else {}  # a proxy passes the name on, or gives its own
    with running(table_model, allow_hosts=["Ganad.example.org"]) as url:
        assert httpx.post(f"{url}/score", content=CSV, headers=headers).status_code == 200
        other = headers | {"Origin": "https://example.org"}
        assert httpx.post(f"{url}/score", content=CSV, headers=other).status_code == 403
        assert httpx.get(f"{url}/model", headers={"Host": "example.org"}).status_code == 400


@pytest.mark.parametrize("name", ["https://ganad.example.org", "ganad.example.org:443", "*.example.org/", ""])
def test_a_name_that_is_more_than_one_is_refused(name):
    with pytest.raises(InputError, match="without https:// and port"):
        names_of([name])


@pytest.mark.parametrize("kind", [None, "", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
def test_a_body_says_what_it_is(tables, kind):
    headers = {} if kind is None else {"Content-Type": kind}
    answer = httpx.post(f"{tables}/score", content=CSV, headers=headers)
    assert answer.status_code == 415
    assert "text/csv" in answer.json()["error"]


@pytest.mark.parametrize("field", [b"\x18\x01x", b"\x1c\x00", b"\x19\x00"])
@pytest.mark.parametrize("place", range(3))
def test_a_page_whose_sizes_are_no_numbers_is_refused(field, place):
    """Sizes and the number of values of a page's head, as text, as a group of fields or as a list."""
    sizes = [b"\x15\x00"] * 3
    sizes[place] = bytes([field[0]]) + field[1:]
    head = b"\x15\x00" + sizes[0] + sizes[1] + b"\x2c" + sizes[2] + b"\x00\x00"
    with pytest.raises(InputError, match="is damaged"):
        list(pages(head + bytes(8), 0, len(head)))


@pytest.mark.parametrize(("start", "length"), [(b"x", 1), (0, b"x"), ([], 1), (-1, 1), (0, 100)])
def test_a_column_whose_place_is_no_number_is_refused(start, length):
    with pytest.raises(InputError, match="is damaged"):
        list(pages(bytes(10), start, length))


def test_a_library_of_endless_version_is_not_counted():
    parquet_pages._refuse_old(b"parquet-mr version 1." + b"9" * 5000)
