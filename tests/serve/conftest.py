"""Real servers on loopback."""

import contextlib
import socket
import threading
import time

import numpy as np
import pytest
import uvicorn

from ganad import AutoEncoder, PCAResidual
from ganad.data import load
from ganad.files import sha256_of
from ganad.photos import Regions, Tiles
from ganad.serve import Limits
from ganad.serve.app import create_app
from ganad.serve.http_heads import protocol

from ..photos.samples import plates
from ..samples import normal, small


@contextlib.contextmanager
def running(detector, **options):
    """The base URL of a service for ``detector``, by default as the option ``file`` holds it."""
    if file := options.get("file"):
        options = {"sha256": sha256_of(file.path)} | options
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    app, http = create_app(detector, **options), protocol(options.get("limits", Limits()))
    server = uvicorn.Server(uvicorn.Config(app, port=port, http=http, log_level="error"))
    if board := options.get("board"):
        board.stopping = lambda: server.should_exit
    thread = threading.Thread(target=server.run)
    thread.start()
    deadline = time.monotonic() + 30
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(20)


@pytest.fixture
def tab(browser):
    """A narrow page of a browser, which notes its errors."""
    page = browser.new_page(viewport={"width": 360, "height": 740})
    page.errors = []
    page.on("console", lambda message: page.errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: page.errors.append(str(error)))
    yield page
    page.close()


@pytest.fixture(scope="session")
def picture_model():
    return small(AutoEncoder).fit(normal("images")[:150]).calibrate(normal("images")[150:], false_alarm_rate=0.1)


@pytest.fixture(scope="session")
def table_file(tmp_path_factory):
    rng = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("table") / "rows.csv"
    lines = [
        f"{a:.4f},{a + b / 10:.4f},{c}" for a, b, c in zip(*rng.normal(size=(2, 300)), rng.choice(["x", "y"], 300))
    ]
    path.write_text("width,height,colour\n" + "\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="session")
def table_model(table_file):
    samples = load(str(table_file))
    model = small(AutoEncoder).fit(samples.x)
    model.remember_source(samples.source, samples.columns)
    return model


@pytest.fixture(scope="session")
def photos():
    model = Regions(PCAResidual(n_components=5, verbose=0), Tiles(16, 8), pool="max", random_state=0, verbose=0)
    with running(model.fit(plates(24), hold_out=0.4, false_alarm_rate=0.1)) as url:
        yield url


@pytest.fixture(scope="session")
def pictures(picture_model):
    with running(picture_model) as url:
        yield url


@pytest.fixture(scope="session")
def tables(table_model):
    with running(table_model, limits=Limits(body_bytes=200_000, samples=500)) as url:
        yield url
