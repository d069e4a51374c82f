"""What the server of a run answers: predictions, exact values, files, and refusals."""

import asyncio
import io
import os
import threading
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from starlette.testclient import TestClient

import mtmodels
from mtdata.tasks.resize import nearest
from mtmodels.demo import answer as answers
from mtmodels.demo import app as app_module
from mtmodels.demo.app import make_demo
from mtmodels.demo.examples import Examples
from mtmodels.predicting.formats import value_at
from tests.runs.small_run import all_tasks, small_run

PORT = 8750
SIZES = ((30, 50), (64, 32), (1, 1), (200, 7))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    return small_run(tmp_path_factory.mktemp("runs"), **all_tasks())


@pytest.fixture(scope="module")
def predictor(trained: Path) -> Any:
    return mtmodels.load(trained, device="cpu")


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    for name, seed in (("b.jpg", 1), ("a.PNG", 2)):
        Image.fromarray(photo((40, 60), seed)).save(folder / name)
    (folder / "notes.txt").write_text("no photo")
    (folder / "broken.jpg").write_bytes(b"no photo")
    (folder / ".hidden.jpg").write_bytes((folder / "b.jpg").read_bytes())
    (folder / "below.png").mkdir()
    return folder


@pytest.fixture(scope="module")
def client(trained: Path, examples: Path) -> Iterator[TestClient]:
    app = make_demo(trained, port=PORT, device="cpu", examples=Examples(examples))
    base = f"http://127.0.0.1:{PORT}"
    with TestClient(app, base_url=base, raise_server_exceptions=False) as found:
        yield found


def photo(size: tuple[int, int], seed: int = 0) -> Any:
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)


def encoded(pixels: Any, form: str = "png", **options: Any) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, form, **options)
    return file.getvalue()


def predict(client: TestClient, content: bytes, **given: Any) -> Any:
    answer = client.post("/predict", params=given, content=content)
    assert answer.status_code == 200, answer.text
    return answer.json()


def saved(client: TestClient, of: str, what: str, form: str) -> bytes:
    answer = client.get("/file", params={"of": of, "what": what, "form": form})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-disposition"] == "attachment"
    return answer.content


def refused(answer: Any, status: int, words: str) -> None:
    """One paragraph, with a status that is no server's fault."""
    assert answer.status_code == status, answer.text
    problem = answer.json()["problem"]
    assert words in problem
    assert "Traceback" not in problem
    assert "\n" not in problem


@pytest.mark.parametrize("size", SIZES)
def test_predictions_are_those_of_the_run(
    client: TestClient, predictor: Any, size: tuple[int, int]
) -> None:
    pixels = photo(size)
    told = predict(client, encoded(pixels), name="photo.png")
    assert (told["height"], told["width"]) == size
    assert told["name"] == "photo.png"
    assert told["seconds"] > 0
    expected = predictor(pixels)
    assert set(told["tasks"]) == set(expected)
    for name, value in expected.items():
        found = np.load(io.BytesIO(saved(client, told["of"], name, "npy")))
        assert found.dtype == value.dtype
        assert np.array_equal(found, value), name


def test_values_of_a_pixel(client: TestClient, predictor: Any) -> None:
    """Exactly those of the arrays; the probability is that of the network at its own size."""
    size = predictor.trained_size
    pixels = photo(size, 3)
    of = predict(client, encoded(pixels))["of"]
    expected = predictor(pixels)
    logits = predictor.predict([pixels], ["photo"], size)[0]["semantic"]
    chance = torch.softmax(logits, 0).amax(0).numpy()
    for y, x in ((0, 0), (5, 9), (size[0] - 1, size[1] - 1)):
        found = client.get("/value", params={"of": of, "x": x, "y": y}).json()
        assert found["photo"] == pixels[y, x].tolist()
        assert found["semantic"][0] == expected["semantic"][y, x]
        assert found["semantic"][1] == pytest.approx(chance[y, x], abs=1e-6)
        for name in ("depth", "normals", "saliency", "disparity"):
            told = np.asarray(found[name], np.float32)
            assert np.array_equal(told, np.atleast_1d(expected[name][y, x])), name
    for x, y in ((size[1], 0), (0, size[0]), (10**12, 0)):
        refused(client.get("/value", params={"of": of, "x": x, "y": y}), 400, "a pixel should be")
    refused(
        client.get("/value", params={"of": of, "x": -1, "y": 0}), 400, "`x` should be 0 or more"
    )


def test_what_is_told_of_tasks(client: TestClient, predictor: Any) -> None:
    pixels = photo((30, 50))
    tasks = predict(client, encoded(pixels))["tasks"]
    expected = predictor(pixels)
    shares = dict(tasks["semantic"]["classes"])
    assert sum(shares.values()) == pytest.approx(1)
    assert shares == {
        int(i): pytest.approx((expected["semantic"] == i).mean())
        for i in np.unique(expected["semantic"])
    }
    depth = expected["depth"]
    assert tasks["depth"]["range"] == [float(depth.min()), float(depth.max())]
    assert tasks["saliency"] == tasks["normals"] == {}


def test_a_large_photo_makes_no_whole_map(
    client: TestClient, predictor: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the page shows is computed at the pixels that are drawn, to the last bit or two."""
    monkeypatch.setattr(answers, "LONGEST", 40)
    monkeypatch.setattr(answers, "WHOLE", 300 * 400 - 1)
    made = list[Any]()

    def kept(*args: Any, **options: Any) -> Any:
        made.append(value_at(*args, **options))
        return made[-1]

    monkeypatch.setattr(answers, "value_at", kept)
    pixels = photo((300, 400))
    told = predict(client, encoded(pixels))
    assert told["counted_at"] == [30, 40]
    for what in ("semantic", "depth", "normals", "saliency", "disparity"):
        client.get("/picture", params={"of": told["of"], "what": what})
    client.get("/value", params={"of": told["of"], "x": 399, "y": 299})
    assert len(made) > 10
    assert max(len(value) for value in made) == 30
    expected = {name: nearest(value, (30, 40)) for name, value in predictor(pixels).items()}
    depth = expected["depth"]
    assert told["tasks"]["depth"]["range"] == pytest.approx([depth.min(), depth.max()])
    shares = dict(told["tasks"]["semantic"]["classes"])
    assert shares.keys() == set(np.unique(expected["semantic"]).tolist())
    for name, value in expected.items():
        same = [np.allclose(value, one, atol=1e-6) for one in made if one.shape == value.shape]
        assert any(same), name
    found = np.load(io.BytesIO(saved(client, told["of"], "depth", "npy")))
    assert np.array_equal(found, predictor(pixels)["depth"])
    assert predict(client, encoded(photo((299, 400))))["counted_at"] == [299, 400]


def test_files_as_png(client: TestClient, predictor: Any) -> None:
    pixels = photo((30, 50))
    of = predict(client, encoded(pixels))["of"]
    expected = predictor(pixels)

    def read(name: str) -> Any:
        return np.asarray(Image.open(io.BytesIO(saved(client, of, name, "png"))))

    assert np.array_equal(read("semantic"), expected["semantic"])
    assert np.array_equal(read("depth"), np.rint(np.clip(expected["depth"] * 1000, 0, 65535)))
    assert np.array_equal(read("saliency"), np.rint(expected["saliency"] * 255))
    assert read("normals").shape == read("disparity").shape == (30, 50, 3)


def test_pictures(client: TestClient, predictor: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = photo((30, 50))
    of = predict(client, encoded(pixels))["of"]

    def read(what: str) -> Any:
        answer = client.get("/picture", params={"of": of, "what": what})
        assert answer.status_code == 200, answer.text
        return np.asarray(Image.open(io.BytesIO(answer.content)))

    assert np.array_equal(read("photo"), pixels)
    expected = predictor(pixels)
    palette = np.asarray(predictor.tasks[0].kind.palette, np.uint8)
    assert np.array_equal(read("semantic"), palette[expected["semantic"]])
    assert np.array_equal(read("saliency")[..., 0], np.rint(expected["saliency"] * 255))
    monkeypatch.setattr(answers, "LONGEST", 25)
    for what in ("photo", "semantic", "depth", "normals", "saliency", "disparity"):
        assert read(what).shape == (15, 25, 3)
    found = client.get("/picture", params={"of": of, "what": "none"})
    refused(found, 400, "There is no task `none` of this run")


def test_a_photo_is_turned_as_its_camera_says(client: TestClient) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    told = predict(client, encoded(photo((30, 50)), "jpeg", exif=exif))
    assert (told["height"], told["width"]) == (50, 30)


@pytest.mark.parametrize("form", ["jpeg", "png", "tiff", "bmp", "webp"])
def test_forms_of_photos(client: TestClient, form: str) -> None:
    assert predict(client, encoded(photo((30, 50)), form))["width"] == 50
    grey = np.asarray(photo((30, 50))[..., 0])
    assert predict(client, encoded(grey, form))["width"] == 50


def bomb() -> bytes:
    """A PNG of a few bytes that says it has 4,000,000,000 pixels."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return (
            len(data).to_bytes(4, "big") + name + data + zlib.crc32(name + data).to_bytes(4, "big")
        )

    sides = (200_000).to_bytes(4, "big") + (20_000).to_bytes(4, "big")
    head = chunk(b"IHDR", sides + b"\x08\x02\0\0\0")
    body = chunk(b"IDAT", zlib.compress(bytes(100_000)))
    return b"\x89PNG\r\n\x1a\n" + head + body + chunk(b"IEND", b"")


NO_PHOTOS = {
    "text": (b"this is text", "it starts with 74 68 69 73"),
    "empty": (b"", "the file is empty"),
    "jpeg cut in its pixels": (encoded(photo((64, 64)), "jpeg")[:700], "truncated"),
    "jpeg cut in its header": (encoded(photo((64, 64)), "jpeg")[:40], "should be a whole JPEG"),
    "jpeg of three bytes": (b"\xff\xd8\xff", "its header is broken or truncated"),
    "png cut": (encoded(photo((64, 64)))[:-30], "truncated"),
    "png of eight bytes": (b"\x89PNG\r\n\x1a\n", "truncated"),
    "png damaged": (
        encoded(photo((64, 64))).replace(b"IDAT", b"IDAT\0", 1),
        "should be a whole PNG",
    ),
    "bomb": (bomb(), "an image should have at most 67108864 pixels; it says 20000x200000"),
    "webp cut": (encoded(photo((64, 64)), "webp")[:200], "photo.png: "),
    "tiff cut": (encoded(photo((64, 64)), "tiff")[:200], "photo.png: "),
    "svg": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "should be a JPEG, PNG"),
    "zeros": (bytes(1000), "should be a JPEG, PNG"),
}


@pytest.mark.parametrize("name", NO_PHOTOS)
def test_what_is_no_photo(client: TestClient, name: str) -> None:
    content, words = NO_PHOTOS[name]
    answer = client.post("/predict", params={"name": "photo.png"}, content=content)
    refused(answer, 422, words)
    problem = answer.json()["problem"]
    assert problem.startswith("photo.png: ")
    whole = "Make it smaller." if name == "bomb" else "Give a whole JPEG, PNG, TIFF, BMP or WebP."
    assert problem.endswith(whole)
    assert "--" not in problem


def test_what_to_do_about_a_whole_photo_that_is_not_taken(client: TestClient) -> None:
    """A file of that kind is what was given: another remedy is right."""
    floats = client.post("/predict", content=encoded(np.ones((8, 8), np.float32), "tiff"))
    refused(floats, 422, "8 or 16 bits a channel; it has 32. Save it so: ")
    turned = client.post("/predict", content=encoded(photo((8, 8)), "tiff", tiffinfo={274: 6}))
    refused(turned, 422, "Save it upright, without the tag.")
    for answer in (floats, turned):
        assert "Give a whole" not in answer.text


def test_damaged_photos_never_fail_the_server(client: TestClient) -> None:
    """A byte changed anywhere: it is predicted or refused, and the server goes on."""
    rng = np.random.default_rng(0)
    for form in ("jpeg", "png", "tiff", "bmp", "webp"):
        whole = encoded(photo((16, 16)), form)
        for place in rng.integers(0, min(len(whole), 200), 12):
            broken = bytearray(whole)
            broken[place] ^= 0xFF
            answer = client.post("/predict", content=bytes(broken))
            assert answer.status_code in (200, 422), answer.text


def test_a_photo_of_too_many_bytes(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app_module, "MOST", 2**20)
    whole = encoded(photo((30, 50)))
    assert client.post("/predict", content=whole).status_code == 200
    refused(client.post("/predict", content=bytes(2**20 + 1)), 413, "at most 1 MiB")

    def pieces() -> Iterator[bytes]:
        """Without a length that is said before."""
        for _ in range(2**10 + 1):
            yield bytes(2**10)

    refused(client.post("/predict", content=pieces()), 413, "at most 1 MiB")
    assert client.post("/predict", content=whole).status_code == 200


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"name": ""}, "`name` should be a text of 1 or more characters; found ''."),
        ({"name": "a" * 256}, "`name` should be a text of 255 or fewer characters"),
        ({"example": "none.jpg"}, "There is no example `none.jpg`"),
        ({"example": "../photos/b.jpg"}, "There is no example"),
        ({"example": "notes.txt"}, "There is no example"),
        ({"example": ".hidden.jpg"}, "There is no example"),
        ({"more": "1"}, "`more` should be left out, as nothing is called so; found '1'."),
    ],
)
def test_what_cannot_be_asked(client: TestClient, given: dict[str, str], words: str) -> None:
    refused(client.post("/predict", params=given, content=encoded(photo((8, 8)))), 400, words)
    if "example" in given:
        refused(client.get("/example", params={"name": given["example"]}), 400, words)


@pytest.mark.parametrize("name", ["../../etc/passwd", "a\0b", "<script>", "é/\u202e", "C:\\x"])
def test_names_are_only_told(client: TestClient, name: str) -> None:
    assert predict(client, encoded(photo((8, 8))), name=name)["name"] == name
    answer = client.post("/predict", params={"name": name}, content=b"none")
    assert answer.status_code == 422


def test_examples(client: TestClient, predictor: Any, examples: Path) -> None:
    names = client.get("/api/run").json()["examples"]
    assert names == ["a.PNG", "b.jpg", "broken.jpg"]
    small = client.get("/example", params={"name": "a.PNG"})
    assert Image.open(io.BytesIO(small.content)).size == (60, 40)
    told = predict(client, b"", example="a.PNG")
    pixels = np.asarray(Image.open(examples / "a.PNG"))
    found = np.load(io.BytesIO(saved(client, told["of"], "depth", "npy")))
    assert np.array_equal(found, predictor(pixels)["depth"])
    answer = client.post("/predict", params={"example": "broken.jpg"})
    refused(answer, 422, "broken.jpg: should be a JPEG, PNG")
    assert answer.json()["problem"].endswith("Copy or download the file again.")
    small = client.get("/example", params={"name": "broken.jpg"})
    assert small.status_code == 422
    assert small.json() == answer.json()


def test_names_that_are_not_in_utf_8(trained: Path, tmp_path: Path) -> None:
    """Of a run, of examples that differ in nothing else, and of a broken one."""
    folder = os.fsencode(tmp_path)
    run = Path(os.fsdecode(folder + b"/run\xff"))
    run.symlink_to(trained)
    for name in (b"a\xfe.png", b"a\xff.png"):
        (tmp_path / os.fsdecode(name)).write_bytes(encoded(photo((8, 9))))
    (tmp_path / os.fsdecode(b"z\xff.png")).write_bytes(b"no photo")
    demo = make_demo(run, port=PORT, device="cpu", examples=Examples(tmp_path))
    with TestClient(demo, base_url=f"http://127.0.0.1:{PORT}") as client:
        assert client.get("/").status_code == 200
        names = client.get("/api/run").json()["examples"]
        assert names == ["a\ufffd.png", "a\ufffd.png (2)", "z\ufffd.png"]
        for name in names[:2]:
            assert client.get("/example", params={"name": name}).status_code == 200
            assert predict(client, b"", example=name)["name"] == name
        refused(client.get("/example", params={"name": names[2]}), 422, "z\ufffd.png: should be")


def test_an_unforeseen_error_is_said_in_one_line(
    client: TestClient, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And nothing is left for the server to log: the client would raise it here."""

    def failing(*_: Any) -> Any:
        raise RuntimeError("out of something")

    monkeypatch.setattr(answers.Answer, "of", failing)
    with TestClient(client.app, base_url=str(client.base_url)) as strict:
        answer = strict.post("/predict", content=encoded(photo((8, 8))))
    assert answer.status_code == 500
    assert answer.json() == {"problem": "RuntimeError: out of something"}
    assert capfd.readouterr().err == "/predict: RuntimeError: out of something\n"


def test_what_the_page_is_told_of_the_run(client: TestClient, predictor: Any) -> None:
    told = client.get("/api/run").json()
    assert told["name"] == "run"
    assert [task["name"] for task in told["tasks"]] == [task.name for task in predictor.tasks]
    assert told["tasks"][0]["palette"] == [*map(list, predictor.tasks[0].kind.palette)]
    assert [task["units"] for task in told["tasks"]][1] == "metres"
    assert told["device"] == "cpu"
    assert b"run" in client.get("/").content


def test_old_answers_are_forgotten(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = [predict(client, encoded(photo((8, 8))))["of"] for _ in range(answers.KEPT + 1)]
    assert len(set(kept)) == len(kept)
    asked = [client.get("/picture", params={"of": of, "what": "photo"}) for of in kept]
    assert [answer.status_code for answer in asked] == [410, *[200] * answers.KEPT]
    refused(asked[0], 410, "is kept no more")
    monkeypatch.setattr(answers, "BYTES", 1)
    last = [predict(client, encoded(photo((8, 8))))["of"] for _ in range(2)]
    codes = [client.get("/value", params={"of": of, "x": 0, "y": 0}).status_code for of in last]
    assert codes == [410, 200]


def test_one_photo_at_a_time(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    at_once, most = 0, 0
    original = answers.Answer.of

    def slow(*arguments: Any) -> Any:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        time.sleep(0.05)
        try:
            return original(*arguments)
        finally:
            at_once -= 1

    monkeypatch.setattr(answers.Answer, "of", slow)
    codes: list[int] = []

    def ask() -> None:
        codes.append(client.post("/predict", content=encoded(photo((8, 8)))).status_code)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    assert client.get("/api/run").status_code == 200  # all else is answered meanwhile
    for thread in threads:
        thread.join()
    assert codes == [200] * 4
    assert most == 1


def test_what_nobody_waits_for_is_not_predicted(
    trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page that goes away while another photo is predicted gives up its place in the line."""
    demo = make_demo(trained, port=PORT, device="cpu", examples=Examples(None))
    asked = list[str]()
    original = answers.Answer.of

    def slow(predictor: Any, pixels: Any, name: str) -> Any:
        asked.append(name)
        time.sleep(0.3)
        return original(predictor, pixels, name)

    monkeypatch.setattr(answers.Answer, "of", slow)

    async def ask(name: str, gone: asyncio.Event) -> int:
        """Send a photo; the page is gone once that is set."""
        body, statuses = [encoded(photo((8, 8)))], list[int]()

        async def receive() -> dict[str, Any]:
            if body:
                return {"type": "http.request", "body": body.pop(), "more_body": False}
            await gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            statuses.append(message.get("status", 0))

        scope = {
            "type": "http", "method": "POST", "path": "/predict", "scheme": "http",
            "query_string": f"name={name}".encode(), "root_path": "",
            "headers": [(b"host", f"127.0.0.1:{PORT}".encode())],
        }  # fmt: skip
        await demo(scope, receive, send)
        return statuses[0]

    async def three() -> list[int]:
        stays, leaves = asyncio.Event(), asyncio.Event()
        first = asyncio.create_task(ask("first", stays))
        await asyncio.sleep(0.1)
        waiting = asyncio.gather(ask("gone", leaves), ask("last", stays))
        await asyncio.sleep(0.05)
        leaves.set()
        return [await first, *await waiting]

    assert asyncio.run(three()) == [200, 400, 200]
    assert asked == ["first", "last"]


def test_nothing_is_written(client: TestClient, trained: Path, examples: Path) -> None:
    def files() -> list[Any]:
        return [
            (path, os.stat(path).st_mtime_ns)
            for folder in (trained, examples)
            for path in sorted(folder.rglob("*"))
        ]

    before = files()
    of = predict(client, encoded(photo((30, 50))), name="photo.png")["of"]
    saved(client, of, "depth", "npy")
    assert files() == before


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "evil.example"},
        {"host": "127.0.0.1:8751"},
        {"host": ""},
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": f"http://localhost:{PORT}"},
        {"origin": f"https://127.0.0.1:{PORT}"},
        {"sec-fetch-site": "cross-site", "sec-fetch-mode": "cors"},
        {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"},
        {"sec-fetch-site": "same-site", "sec-fetch-mode": "no-cors"},
    ],
)
def test_pages_of_elsewhere_get_nothing(client: TestClient, headers: dict[str, str]) -> None:
    content = encoded(photo((8, 8)))
    answer = client.post("/predict", content=content, headers=headers)
    assert answer.status_code == (421 if "host" in headers else 403)
    assert set(answer.json()) == {"problem"}
    assert "access-control-allow-origin" not in answer.headers
    own = {"origin": f"http://127.0.0.1:{PORT}", "sec-fetch-site": "same-origin"}
    assert client.post("/predict", content=content, headers=own).status_code == 200


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_other_methods_are_refused(client: TestClient, method: str) -> None:
    for where in ("/", "/predict", "/picture"):
        assert client.request(method, where, content=b"x").status_code == 405
    assert client.post("/", content=b"x").status_code == 405
    assert client.get("/predict").status_code == 405


def test_the_page_loads_nothing_from_elsewhere(client: TestClient) -> None:
    page = client.get("/")
    policy = dict(
        part.split(" ", 1) for part in page.headers["content-security-policy"].split("; ")
    )
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["connect-src"] == "'self'"
    assert "http://" not in page.text.replace("http://www.w3.org", "")
    for where in ("demo.js", "shown.js", "demo.css", "base.css", "figures.js", "panel.js"):
        assert client.get(f"/static/{where}").status_code == 200, where
    for where in ("/static/../app.py", "/static/%2e%2e/app.py", "/templates/demo.html"):
        assert client.get(where).status_code == 404
