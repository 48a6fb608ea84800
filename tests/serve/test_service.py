"""The service over real sockets: scores equal the detector's, limits hold, bad bodies get a sentence."""

import base64
import contextlib
import io
import json
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from urllib.parse import urlsplit

import httpx
import jsonschema
import numpy as np
import pyarrow.csv
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from typer.testing import CliRunner
from uvicorn.protocols.http.h11_impl import H11Protocol

from ganad import AutoEncoder, InputError, IsolationForest
from ganad.cli.main import build_app
from ganad.data import Samples
from ganad.serve import Limits
from ganad.serve.answers import heat_map
from ganad.serve.engine import make_scorer

from ..samples import fitted, normal
from .conftest import running


def png(pixels):
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def post(url, content, kind, **params):
    return httpx.post(f"{url}/score", content=content, headers={"Content-Type": kind}, params=params, timeout=30)


def test_an_image_gets_the_detectors_score(pictures, picture_model):
    x = normal("images")[:1]
    answer = post(pictures, png(x[0]), "image/png", explain="true")
    assert answer.status_code == 200
    (result,) = answer.json()["results"]
    assert result["score"] == pytest.approx(picture_model.anomaly_score(x)[0], rel=1e-5)
    assert result["p_value"] == pytest.approx(picture_model.p_values(x)[0])
    assert result["is_anomaly"] == bool(picture_model.predict(x)[0] == -1)
    assert result["explanation"].startswith("data:image/png;base64,")


def test_rows_as_json_csv_and_parquet_get_equal_scores(tables, table_model, table_file, tmp_path):
    table = pyarrow.csv.read_csv(table_file).slice(0, 5)
    pyarrow.parquet.write_table(table, tmp_path / "rows.parquet")
    csv = io.BytesIO()
    pyarrow.csv.write_csv(table.select(["colour", "width", "height"]), csv)
    bodies = {
        "application/json": json.dumps({"rows": table.to_pylist()}),
        "text/csv": csv.getvalue(),
        "application/vnd.apache.parquet": (tmp_path / "rows.parquet").read_bytes(),
        "application/octet-stream": (tmp_path / "rows.parquet").read_bytes(),
    }
    from ganad.data import load

    expected = table_model.anomaly_score(load(str(table_file)).x[:5])
    for kind, body in bodies.items():
        answer = post(tables, body, kind, explain="true")
        assert answer.status_code == 200, answer.text
        results = answer.json()["results"]
        np.testing.assert_allclose([r["score"] for r in results], expected, rtol=1e-5)
        assert {part["column"] for part in results[0]["explanation"]} == {"width", "height", "colour"}


@pytest.mark.parametrize("kind", ["table", "images"])
def test_a_score_that_cannot_be_explained_comes_without_explanation(kind):
    """An isolation forest's is made of steps."""
    x = normal(kind)[:1]
    body = (json.dumps(x.tolist()), "application/json") if kind == "table" else (png(x[0]), "image/png")
    with running(fitted(IsolationForest, kind), engine="torch") as url:
        answer = post(url, *body, explain="true")
    assert answer.status_code == 200
    assert not answer.json()["results"][0]["explanation"]


def test_a_heat_map_shows_what_raises_the_score_alone():
    url = heat_map(np.array([[-9.0, 1.0], [0.0, 2.0]]))
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))))
    assert pixels[..., 3].tolist() == [[0, 127], [0, 255]]
    assert heat_map(-np.eye(2)) is None
    pale = np.asarray(Image.open(io.BytesIO(base64.b64decode(heat_map(np.eye(2) / 2, full=1.0).partition(",")[2]))))
    assert pale[..., 3].tolist() == [[127, 0], [0, 127]]


COLUMNS = ["width", "height", "colour", *(f"unknown {i}" for i in range(9_997))]


@pytest.mark.parametrize(
    ("body", "kind", "status", "sentence"),
    [
        (b"", "application/json", 400, "empty"),
        (b"{", "application/json", 422, "not JSON"),
        (b"[]", "application/json", 422, "at least one row"),
        (b'[{"width": 1}]', "application/json", 422, "columns 'height' and 1 more are missing"),
        (b'[{"width": "wide", "height": 1, "colour": "x"}]', "application/json", 422, "'width'"),
        (b'[{"width": [1], "height": {}, "colour": "x"}]', "application/json", 422, ""),
        (b'[{"width": 1, "height": 1, "colour": [1]}]', "application/json", 422, "'colour' is list"),
        (b'[{"width": 1, "height": 1, "colour": {"a": 1}}]', "application/json", 422, "'colour' is struct"),
        (b'[{"width": 1, "height": 1, "colour": "\\ud800"}]', "application/json", 422, "not valid Unicode"),
        (b'[{"width": 1, "height": 1, "\\ud800": "x"}]', "application/json", 422, "column 'colour' is missing"),
        (b'[{"width": 1e39, "height": 1, "colour": "x"}]', "application/json", 422, "finite"),
        (b'[{"width": 1%s}]' % (b"0" * 400), "application/json", 422, "has a number that is too large"),
        (b'[{"width": 1%s}, {"width": 1}]' % (b"0" * 20), "application/json", 422, "has a number that is too large"),
        (b"[[1, 2]]", "application/json", 422, "row 0 must be 4 numbers"),
        (b"[[1, 2, 3, 1e999]]", "application/json", 422, "finite"),
        (b"PAR1 nothing", "application/vnd.apache.parquet", 422, "body"),
        (b"a,b\n1", "text/csv", 422, "body"),
        (b"a" * 150_000, "text/csv", 422, "field larger"),
        (b"a," * 99_999, "text/csv", 422, "column"),
        (b"width,height,colour\n" + b"1,1,x\n" * 501, "text/csv", 413, "500 rows"),
        ((",".join(COLUMNS) + "\n" + "1,1,x" + ",1" * 9_997).encode(), "text/csv", 200, ""),
        (b"width,height,colour\n" + b"y" * 100_000 + b",1,x", "text/csv", 422, "…"),
        (b"[" + b"[]," * 5_000 + b"[]]", "application/json", 413, "lists and objects"),
        (b"\x89PNG", "image/png", 415, "table rows"),
        (b"x", "application/zip", 415, "not read"),
        (b"1" * 300_000, "text/csv", 413, "200,000 bytes"),
        (json.dumps([[0.0] * 4] * 501).encode(), "application/json", 413, "500 rows"),
        (json.dumps([{"width": 1}] * 501).encode(), "application/json", 413, "500 rows"),
    ],
)
def test_bad_bodies_get_a_sentence(tables, body, kind, status, sentence):
    answer = post(tables, body, kind)
    assert answer.status_code == status
    assert sentence in answer.json().get("error", "")
    assert "/tmp" not in answer.text and len(answer.text) < 1000


def parquet(**columns):
    out = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table({"width": [1.0], "height": [1.0]} | columns), out)
    return out.getvalue()


def many():
    return parquet(width=np.zeros(10**6), height=np.zeros(10**6), colour=pyarrow.repeat("x", 10**6))


def lying():
    """A million rows in a file whose own description says one."""
    said, one = b"\x80\x89\x7a", b"\x02"  # 2 n in seven bits a byte
    head, described = many()[:-8].rsplit(b"\x15\x04\x19", 1)  # version 2, then the schema, then the number of rows
    described = b"\x15\x04\x19" + described.replace(said, one, 1)
    return head + described + len(described).to_bytes(4, "little") + b"PAR1"


def long_texts():
    n = 100
    return parquet(width=np.zeros(n), height=np.zeros(n), colour=pyarrow.repeat("x" * 10_000, n))


def no_text():
    """A column said to be text, of bytes that are none."""
    return pyarrow.Array.from_buffers(pyarrow.string(), 1, pyarrow.array([b"\xff\xfe"]).buffers())


@pytest.mark.parametrize(
    ("body", "status", "sentence"),
    [
        (parquet(colour=[["x"]]), 422, "column 'colour' is list"),
        (parquet(colour=[b"\xff"]), 422, "column 'colour' is binary"),
        (parquet(colour=no_text()), 422, "UTF-8"),
        (parquet(width=[[1.0]], colour=["x"]), 422, "column 'width' is list"),
        (parquet(width=[1e39], colour=["x"]), 422, "finite"),
        (parquet(), 422, "column 'colour' is missing"),
        (parquet(colour=["x"], other=[["y"]]), 200, ""),
        (parquet(width=np.ones(501), height=np.ones(501), colour=["x"] * 501), 413, "500 rows"),
        (parquet(colour=["x"], width=np.ones(1))[:-8], 422, "cannot be read"),
        (parquet(colour=pyarrow.array(["x"]).dictionary_encode()), 200, ""),
        (many(), 413, "500 rows"),
        (lying(), 413, "500 rows"),
        (long_texts(), 413, "text unpacked"),
    ],
)
def test_odd_parquet_gets_a_sentence(tables, body, status, sentence):
    answer = post(tables, body, "application/vnd.apache.parquet")
    assert answer.status_code == status, answer.text
    assert sentence in answer.json().get("error", "")


def test_damaged_images_get_a_sentence(pictures):
    whole = png(normal("images")[0])
    bomb = png(np.zeros((4000, 4001), np.uint8))  # 16 million pixels in 16 kilobytes
    for body in (whole[:40], b"GIF89a", b"text", bomb):
        answer = post(pictures, body, "image/png")
        assert answer.status_code == 422 and "cannot be read" in answer.json()["error"]
    assert post(pictures, b"[[1]]", "application/json").status_code == 415


@contextlib.contextmanager
def begun(url, *headers):
    """A connection on which the head of a request was sent."""
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port), timeout=20) as s:
        s.sendall("\r\n".join(["POST /score HTTP/1.1", "Host: 127.0.0.1", *headers, "", ""]).encode())
        yield s


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (["Content-Type: text/csv", "Content-Length: 99999999"], b" 413 "),
        (["Content-Type: text/csv", "Content-Length: 10", "Content-Encoding: gzip"], b" 415 "),
        (["Content-Type: text/csv", "Transfer-Encoding: chunked", "Content-Encoding: gzip"], b" 415 "),
        (["Content-Type: text/csv"], b" 400 "),  # no length is no body
    ],
)
def test_what_the_head_tells_is_answered_before_the_body(tables, headers, status):
    with begun(tables, *headers) as s:
        assert status in s.recv(4096)


def test_a_body_of_unknown_length_is_read_up_to_the_limit(tables):
    def chunk(n):
        return f"{n:x}\r\n".encode() + b"1" * n + b"\r\n"

    with begun(tables, "Content-Type: text/csv", "Transfer-Encoding: chunked") as s:
        for _ in range(20):
            s.sendall(chunk(10_000))
        assert not select.select([s], [], [], 0.3)[0]  # 200,000 bytes are allowed
        s.sendall(chunk(1))
        answer = s.recv(4096)
        assert b" 413 " in answer and b"connection: close" in answer.lower()
        with pytest.raises(ConnectionError):  # and nobody reads on
            s.sendall(chunk(2**26))


@pytest.mark.parametrize("head", ["Content-Length: 99999999", "Transfer-Encoding: chunked"])
def test_of_a_body_too_large_little_more_than_the_limit_is_read(table_model, monkeypatch, head):
    read, receive = Counter(), H11Protocol.data_received  # by connection: below, many questions follow

    def count(self, data):
        read[self] += len(data)
        receive(self, data)

    monkeypatch.setattr(H11Protocol, "data_received", count)
    limit = 2**20
    with running(table_model, limits=Limits(body_bytes=limit)) as url:
        with begun(url, "Content-Type: text/csv", head) as s, contextlib.suppress(ConnectionError):
            for _ in range(64):
                s.sendall(f"{2**20:x}\r\n".encode() + b"1" * 2**20 + b"\r\n")
        deadline = time.monotonic() + 20
        while "413" not in httpx.get(f"{url}/metrics").text:
            assert time.monotonic() < deadline
    # what waits before uvicorn asks for a pause, and one read of asyncio's, which may be under way
    assert max(read.values()) < limit + 2**16 + 2**18


def test_a_slow_body_times_out(table_model):
    with (
        running(table_model, limits=Limits(seconds=0.3)) as url,
        begun(url, "Content-Type: text/csv", "Content-Length: 10") as s,
    ):
        assert b" 408 " in s.recv(4096)


@pytest.mark.parametrize("sent", [b"", b"GET /health HTTP/1.1\r\nHost: 127"])
def test_a_slow_head_ends_the_connection(table_model, sent):
    with running(table_model, limits=Limits(seconds=0.3)) as url:
        port = urlsplit(url).port
        with socket.create_connection(("127.0.0.1", port)) as s:
            s.settimeout(10)
            with contextlib.suppress(ConnectionError):  # ended while we send: a busy machine sends late
                for byte in sent:  # each byte in time, the whole not
                    s.sendall(bytes([byte]))
                    time.sleep(0.005)
                assert s.recv(4096) == b""
        with httpx.Client(base_url=url) as client:  # who answers between two whole heads is not cut off
            for _ in range(3):
                assert client.get("/health").status_code == 200
                time.sleep(0.4)


@pytest.mark.parametrize("head", ["GET /health", "POST /nowhere", "GET /model"])
def test_a_body_that_nobody_reads_does_not_hold_the_connection(tables, head):
    port = urlsplit(tables).port
    with socket.create_connection(("127.0.0.1", port), timeout=20) as s:
        s.sendall(f"{head} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000000\r\n\r\na".encode())
        read = b""
        while part := s.recv(4096):
            read += part
        assert read.startswith(b"HTTP/1.1 ") and b"{" in read


def test_a_connection_too_many_is_told_when_to_come_back(table_model):
    with running(table_model, limits=Limits(connections=2)) as url:
        with begun(url, "Content-Length: 9"), begun(url, "Content-Length: 9"):
            answer = httpx.get(f"{url}/model")
            assert answer.status_code == 503 and answer.headers["Retry-After"] == "1"
            assert "connections" in answer.json()["error"]
            assert httpx.get(f"{url}/health").status_code == 200
        deadline = time.monotonic() + 10
        while httpx.get(f"{url}/model").status_code != 200:
            assert time.monotonic() < deadline
        assert 'ganad_requests_total{path="/model",status="503"}' in httpx.get(f"{url}/metrics").text


def test_heads_that_never_end_keep_nobody_else_out(table_model):
    """Five times as many half-sent heads as a service takes connections, from one client, who asks honestly as well."""
    limits = Limits(connections=40, heads=10)
    with running(table_model, limits=limits) as url, contextlib.ExitStack() as stack:
        address = ("127.0.0.1", int(url.rpartition(":")[2]))
        for i in range(200):
            half = stack.enter_context(socket.create_connection(address))
            half.sendall(b"GET /model HTTP/1.1\r\nHost: 127.0.0.1\r\nX: ")
            if i % 20 == 0:
                assert httpx.get(f"{url}/health").status_code == 200
        deadline = time.monotonic() + 10
        while httpx.get(f"{url}/model").status_code != 200:  # the oldest are closed a moment later
            assert time.monotonic() < deadline
        assert post(url, b"[[1,2,0,1]]", "application/json").status_code == 200
        half.sendall(b"y\r\n\r\n")  # the newest was kept, and may still finish
        assert half.recv(64).startswith(b"HTTP/1.1 200")


def test_many_connections_that_open_at_once_are_all_answered(table_model):
    """They wait for their heads together, as the half-sent ones do, for less than a moment."""
    with running(table_model, limits=Limits(heads=10)) as url, contextlib.ExitStack() as stack:
        address = ("127.0.0.1", int(url.rpartition(":")[2]))
        opened = [stack.enter_context(socket.create_connection(address)) for _ in range(60)]
        for s in opened:
            s.sendall(b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
        assert all(s.recv(64).startswith(b"HTTP/1.1 200") for s in opened)


def test_an_error_nobody_expected_is_counted(table_model, monkeypatch):
    from ganad.serve import photos as module

    def broken(x):
        raise RuntimeError("out of order")

    monkeypatch.setattr(module, "make_scorer", lambda detector, engine: ("broken", broken))
    with running(table_model) as url:
        answer = post(url, b"[[1, 2, 3, 4]]", "application/json")
        assert answer.status_code == 500 and "failed" in answer.json()["error"]
        assert 'ganad_requests_total{path="/score",status="500"} 1.0' in httpx.get(f"{url}/metrics").text


def test_what_waits_too_long_is_neither_scored_nor_read(table_model, monkeypatch):
    from ganad.serve import photos as module

    scored, go_on = [], threading.Event()

    def slow(x):
        scored.extend(x[:, 0].tolist())
        go_on.wait(20)
        return np.zeros(len(x))

    monkeypatch.setattr(module, "make_scorer", lambda detector, engine: ("slow", slow))
    with running(table_model, limits=Limits(seconds=0.5)) as url, ThreadPoolExecutor(4) as pool:
        rows = [json.dumps([[float(i), 0, 0, 0]] * 40) for i in range(4)]  # one batch each
        answers = list(pool.map(lambda body: post(url, body, "application/json"), rows))
        assert [a.status_code for a in answers] == [503] * 4
        go_on.set()
        assert post(url, b"[[9, 0, 0, 0]]", "application/json").status_code == 200
        assert "ganad_waiting_samples 0.0" in httpx.get(f"{url}/metrics").text
    assert len(set(scored)) < 5 and scored[-1] == 9  # one with the thread and one ahead of it, of the four


def test_no_more_large_bodies_wait_than_agreed(table_model, monkeypatch):
    go_on = threading.Event()

    def slow(*arguments):
        go_on.wait(20)
        return Samples(np.zeros((1, 4)), names=["0"])

    monkeypatch.setattr("ganad.serve.scoring.parse", slow)
    with running(table_model, limits=Limits(reading=3)) as url, ThreadPoolExecutor(4) as pool:
        sent = [pool.submit(post, url, b"[[1, 2, 3, 4]]", "application/json") for _ in range(4)]
        (first,) = wait(sent, return_when=FIRST_COMPLETED).done
        go_on.set()
        assert first.result().status_code == 503 and first.result().headers["Retry-After"] == "1"
        assert sorted(s.result().status_code for s in sent) == [200, 200, 200, 503]


def test_the_hundred_most_unusual_rows_are_explained(tables):
    rows = np.random.default_rng(0).normal(size=(120, 4)).tolist()
    results = post(tables, json.dumps(rows), "application/json", explain="true").json()["results"]
    scores = sorted((r["score"] for r in results), reverse=True)
    assert all(("explanation" in r) == (r["score"] >= scores[99]) for r in results)


def test_bodies_that_together_are_too_large_wait(table_model):
    limits = Limits(body_bytes=8_000, bodies_bytes=10_000)
    with running(table_model, limits=limits) as url:
        with begun(url, "Content-Type: text/csv", "Content-Length: 8000") as s:
            s.sendall(b"1" * 7_999)
            deadline = time.monotonic() + 10
            while (answer := post(url, b"[" * 3_000, "application/json")).status_code != 503:
                assert time.monotonic() < deadline
            assert answer.headers["Retry-After"] == "1"
            assert post(url, b"[" * 2_000, "application/json").status_code == 422
            s.sendall(b"1")
            assert b" 422 " in s.recv(4096)
        assert post(url, b"[" * 8_000, "application/json").status_code == 422  # the room is given back


def test_other_hosts_names_are_refused(tables):
    for host in ("evil.example", "127.0.0.1.evil.example:8000", "192.168.0.1", "[", ""):
        answer = httpx.get(f"{tables}/model", headers={"Host": host})
        assert answer.status_code == 400 and "that host" in answer.json()["error"]
    for host in ("localhost", "127.0.0.1:1", "127.0.0.5:8000", "[::1]:8000"):
        assert httpx.get(f"{tables}/health", headers={"Host": host}).json() == {"status": "ok"}


def test_concurrent_requests_are_batched_and_each_gets_its_own_score(pictures, picture_model):
    x = normal("images")
    expected = picture_model.anomaly_score(x)
    with ThreadPoolExecutor(16) as pool, httpx.Client() as client:

        def ask(i):
            body = png(x[i])
            answer = client.post(f"{pictures}/score", content=body, headers={"Content-Type": "image/png"})
            return answer.json()["results"][0]["score"]

        found = list(pool.map(ask, range(len(x))))
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    text = httpx.get(f"{pictures}/metrics").text
    count = float(next(li.split()[1] for li in text.splitlines() if li.startswith("ganad_batch_samples_count")))
    total = float(next(li.split()[1] for li in text.splitlines() if li.startswith("ganad_batch_samples_sum")))
    assert total >= len(x) and count < total  # some were scored together
    assert 'ganad_requests_total{path="/score",status="200"}' in text


def test_a_full_queue_says_when_to_come_back(picture_model, monkeypatch):
    from ganad.serve import photos as module

    def slow(detector, engine):
        return "slow", lambda x: (time.sleep(0.5), np.zeros(len(x)))[1]

    monkeypatch.setattr(module, "make_scorer", slow)
    body = png(normal("images")[0])
    with running(picture_model, limits=Limits(waiting=2)) as url, ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda _: post(url, body, "image/png"), range(12)))
    codes = [a.status_code for a in answers]
    assert set(codes) == {200, 503}
    assert all(a.headers["Retry-After"] == "1" for a in answers if a.status_code == 503)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    body=st.binary(max_size=300)
    | st.recursive(st.none() | st.floats() | st.text(), st.lists, max_leaves=8).map(lambda v: json.dumps(v).encode()),
    kind=st.sampled_from(["application/json", "text/csv", "image/png", "application/vnd.apache.parquet", "x/y", ""]),
    path=st.sampled_from(["/score", "/score?explain=maybe", "/nowhere", "/model"]),
)
def test_nothing_that_is_sent_breaks_it(tables, body, kind, path):
    answer = httpx.post(tables + path, content=body, headers={"Content-Type": kind})
    assert answer.status_code < 500, (answer.status_code, answer.text)


def test_the_description_holds_of_answers(tables):
    described = httpx.get(f"{tables}/openapi.json").json()["paths"]["/score"]["post"]["responses"]
    rows = b"[[1, 2, 3, 4]]"
    for content, params in ((rows, {}), (rows, {"explain": "true"}), (rows, {"explain": "maybe"}), (b"{", {})):
        answer = post(tables, content, "application/json", **params)
        schema = described[str(answer.status_code)]["content"]["application/json"]["schema"]
        assert schema["required"]
        jsonschema.validate(answer.json(), schema)


def test_errors_elsewhere_are_sentences_too(tables):
    for answer, status in ((httpx.get(f"{tables}/nowhere"), 404), (httpx.get(f"{tables}/score"), 405)):
        assert answer.status_code == status and answer.json()["error"]


def test_the_description_names_every_path(tables):
    paths = httpx.get(f"{tables}/openapi.json").json()["paths"]
    assert set(paths) == {"/score", "/model", "/health", "/metrics"}
    model = httpx.get(f"{tables}/model").json()
    assert model["engine"] == "onnx" and model["columns"] == ["width", "height", "colour=x", "colour=y"]


def test_pictures_are_not_scored_by_a_model_of_other_pixels():
    model = AutoEncoder(verbose=0, epochs=1).fit(normal("images") / 255)
    with running(model) as url:
        answer = post(url, png(normal("images")[0]), "image/png")
    assert answer.status_code == 422 and "pixels up to 1" in answer.json()["error"]


def test_where_onnx_runtime_refuses_a_graph_torch_scores(table_model, monkeypatch):
    import onnxruntime

    def refusing(*arguments, **options):
        raise RuntimeError("no kernel for that\nat length")

    monkeypatch.setattr(onnxruntime, "InferenceSession", refusing)
    with running(table_model) as url:
        assert httpx.get(f"{url}/model").json()["engine"] == "torch"
        assert post(url, b"[[1, 2, 3, 4]]", "application/json").status_code == 200
    with pytest.raises(InputError, match=r"does not take the graph .*\(no kernel for that\)"):
        make_scorer(table_model, "onnx")


def refused(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) != 0


@pytest.mark.skipif(sys.platform == "win32", reason="SIGTERM kills at once there")
def test_the_command_serves_and_drains_on_sigterm(table_model, tmp_path):
    table_model.save(tmp_path / "model")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "ganad.cli", "serve", str(tmp_path / "model"), "--port", str(port)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 300  # a busy machine takes more than a minute to load torch
        while time.monotonic() < deadline:
            try:
                httpx.get(f"{url}/health")
                break
            except httpx.TransportError:
                time.sleep(0.1)
        rows = json.dumps([[0.0] * 4] * 5000).encode()
        length = f"Content-Length: {len(rows)}"
        with begun(url, "Content-Type: application/json", length, "Expect: 100-continue") as s:
            assert b" 100 " in s.recv(4096)  # the request is under way
            process.send_signal(signal.SIGTERM)
            while not refused(port):
                time.sleep(0.05)
            s.sendall(rows)
            assert b" 200 " in s.recv(4096)
        assert process.wait(12) in (0, -signal.SIGTERM)
    finally:
        process.kill()
    said = process.stderr.read()
    assert said.index(f"loading {tmp_path / 'model'}") < said.index(f"serving {tmp_path / 'model'} on {url}")


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        *(
            ("--max-mb", size, f"--max-mb must be between 0 and 1,000,000, not {float(size):g}")
            for size in ("nan", "inf", "0", "-1")
        ),
        ("--spot-checks", "0.1", "give --history as well"),
    ],
)
def test_options_of_the_command_that_cannot_be(option, value, words):
    done = CliRunner().invoke(build_app([]), ["serve", "model", option, value])
    assert done.exit_code == 2 and words in done.output


def test_an_address_of_another_form_is_told_as_a_url(monkeypatch):
    from ganad import serve

    monkeypatch.setattr(serve, "serve", lambda model, *, on_start, **rest: on_start())
    done = CliRunner().invoke(build_app([]), ["serve", "model", "--host", "::1", "--port", "8001"])
    assert "on http://[::1]:8001\n" in done.output


def test_a_stop_that_was_swallowed_while_it_loaded_ends_it(monkeypatch):
    from ganad import serve
    from ganad.cli import stopping

    def run(model, *, on_start, **rest):
        with contextlib.suppress(KeyboardInterrupt):  # as Python does in a callback of a weak reference
            signal.raise_signal(signal.SIGTERM)
        monkeypatch.setattr(signal, "raise_signal", sent.append)
        on_start()

    sent = []
    monkeypatch.setattr(serve, "serve", run)
    former = signal.signal(signal.SIGTERM, stopping.stop)
    try:
        done = CliRunner().invoke(build_app([]), ["serve", "model"])
    finally:
        signal.signal(signal.SIGTERM, former)
        stopping.asked.clear()
    assert sent == [signal.SIGTERM] and "serving" not in done.output


def test_a_port_in_use_is_said(table_model, tmp_path):
    table_model.save(tmp_path / "m.safetensors")
    with socket.create_server(("127.0.0.1", 0)) as other:  # in a process of its own, for a browser's loop may run here
        command = [sys.executable, "-m", "ganad.cli", "serve", str(tmp_path / "m.safetensors")]
        done = subprocess.run([*command, "--port", str(other.getsockname()[1])], capture_output=True, text=True)
    assert done.returncode == 2 and "cannot listen on 127.0.0.1" in done.stderr and "serving" not in done.stderr


def test_room_for_bodies_grows_with_the_largest(monkeypatch):
    from ganad import serve

    taken = []
    monkeypatch.setattr(serve, "serve", lambda model, *, limits, **rest: taken.append(limits))
    assert CliRunner().invoke(build_app([]), ["serve", "model", "--max-mb", "300"]).exit_code == 0
    assert taken[0].body_bytes == taken[0].bodies_bytes == 300 * 2**20


def test_a_text_that_training_did_not_have_makes_its_row_an_anomaly(tables):
    rows = [{"width": 1, "height": 1, "colour": c} for c in ("x", "green")]
    answer = httpx.post(f"{tables}/score", json=rows)
    assert answer.status_code == 200
    known, new = answer.json()["results"]
    assert known["score"] is not None
    assert (new["score"], new["is_anomaly"]) == (None, True)
