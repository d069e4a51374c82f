"""What the server of a store answers: lists, pictures, exact values, and to whom."""

import io
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from mtdata.browsing import measures
from mtdata.browsing.app import make_app
from mtdata.browsing.models import Model
from mtdata.errors import DataError
from mtdata.inspecting import pictures
from mtdata.regimes.drawing import draw
from mtdata.store import Store, add_regime, open_store
from tests.stores.added import added_store
from tests.stores.fakes import TASKS, fake_store
from tests.stores.store_files import editing

PORT = 8750
NAMES = [task.name for task in TASKS]
IMAGES = (8, 3)
Ask = Callable[..., Any]


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fake_store(tmp_path_factory.mktemp("store"), images=IMAGES, sizes=((24, 32), (20, 28)))


@pytest.fixture
def path(original: Path, tmp_path: Path) -> Path:
    copy = tmp_path / "fake.h5"
    copy.write_bytes(original.read_bytes())
    return copy


@pytest.fixture
def client(path: Path) -> Iterator[TestClient]:
    with serving(path) as found:
        yield found


def test_a_file_name_that_is_not_in_utf_8(path: Path) -> None:
    renamed = path.rename(os.fsdecode(os.fsencode(path) + b"\xff"))
    with serving(renamed) as client:
        assert client.get("/").status_code == 200
        assert client.get("/api/store").json()["name"] == "fake.h5\ufffd"
        renamed.unlink()
        gone = client.get("/api/store")
        assert gone.status_code == 410
        assert "fake.h5\ufffd should be a store" in gone.json()["problem"]


class serving:  # noqa: N801  read as a statement
    """A client of a server of a store."""

    def __init__(self, path: Path, models: Any = ()) -> None:
        app, self.served = make_app(path, models, port=PORT)
        base = f"http://127.0.0.1:{PORT}"
        self.client = TestClient(app, base_url=base, raise_server_exceptions=False)

    def __enter__(self) -> TestClient:
        return self.client.__enter__()  # one loop for all that it asks

    def __exit__(self, *_: object) -> None:
        self.client.__exit__()
        self.served.close()


def keys(client: TestClient, **given: Any) -> list[str]:
    """The keys that are found once every label that this needs was read."""
    deadline = time.monotonic() + 30
    while True:
        answer = client.get("/api/images", params=given)
        assert answer.status_code == 200, answer.text
        found = answer.json()
        if found["done"] == found["of"]:
            assert found["total"] == len(found["images"])
            return [f"{image['split']}/{image['key']}" for image in found["images"]]
        assert time.monotonic() < deadline
        time.sleep(0.01)


def rows(store: Store, regime: str = "full") -> list[tuple[str, int, Any]]:
    """Each image of a store in its order: its name, position, and split."""
    return [
        (f"{split.name}/{key}", index, split)
        for split in store.splits.values()
        for index, key in enumerate(split.keys)
    ]


def shows(split: Any, index: int, task: str, regime: str) -> bool:
    name = regime if regime in split.regime_names else "full"
    return bool(split.visible(name)[index, NAMES.index(task)])


def array(answer: Any) -> Any:
    told = {name: answer.headers[f"x-{name}"] for name in ("height", "width", "channels", "type")}
    shape = tuple(int(told[name]) for name in ("height", "width", "channels"))
    return np.frombuffer(answer.content, np.dtype(told["type"])).reshape(shape)


def picture(answer: Any) -> Any:
    assert answer.status_code == 200, answer.text
    return np.asarray(Image.open(io.BytesIO(answer.content)))


@pytest.mark.parametrize("regime", ["", "full", "one"])
@pytest.mark.parametrize("task", ["semantic", "depth"])
def test_filters_by_labels(client: TestClient, path: Path, regime: str, task: str) -> None:
    with open_store(path) as store:
        known = rows(store)
        visible = {
            name: shows(split, index, task, regime or "full") for name, index, split in known
        }
        there = {
            name: bool(split.labelled[index, NAMES.index(task)]) for name, index, split in known
        }
    wanted = {
        "labelled": [name for name in visible if visible[name]],
        "hidden": [name for name in visible if there[name] and not visible[name]],
        "missing": [name for name in visible if not there[name]],
    }
    for name, expected in wanted.items():
        assert keys(client, regime=regime, **{name: task}) == expected
    assert sum(map(len, wanted.values())) == sum(IMAGES)
    assert wanted["missing"]
    assert bool(wanted["hidden"]) == (regime == "one")


def test_filters_by_split_and_text(client: TestClient) -> None:
    assert keys(client, split="test") == [f"test/té{i}" for i in range(3)]
    assert keys(client, text="TÉ1") == keys(client, text="té1") == ["test/té1"]
    assert keys(client, text="07") == ["train/0007"]
    assert keys(client, text="TE\u0301") == [f"test/té{i}" for i in range(3)]
    assert keys(client, text="nowhere") == []


@pytest.mark.parametrize("regime", ["full", "one"])
def test_filter_and_order_by_class(client: TestClient, path: Path, regime: str) -> None:
    shares = {}
    with open_store(path) as store:
        for name, index, split in rows(store):
            if shows(split, index, "semantic", regime):
                sample = split.read(index, ["semantic"])
                height, width = split.sizes[index]
                label, valid = sample.labels["semantic"], sample.valid["semantic"]
                count = ((label == 2) & valid)[:height, :width].sum()
                shares[name] = np.ceil(count * 65535 / (height * width))
    asked = {"regime": regime, "present": "semantic:2"}
    assert keys(client, **asked) == [name for name in shares if shares[name]]
    found = keys(client, **asked, sort="share:semantic:2", down=1)
    assert found == sorted(shares, key=lambda name: -shares[name])
    every = keys(client, regime=regime, sort="share:semantic:2")
    assert every[: len(shares)] == sorted(shares, key=lambda name: shares[name])
    assert len(every) == sum(IMAGES)


@pytest.mark.parametrize("what", ["near", "far", "range"])
def test_order_by_depth(client: TestClient, path: Path, what: str) -> None:
    number: Any = {"near": np.min, "far": np.max, "range": np.ptp}[what]
    known = {}
    with open_store(path) as store:
        for name, index, split in rows(store):
            if shows(split, index, "depth", "one"):
                sample = split.read(index, ["depth"])
                known[name] = number(sample.labels["depth"][sample.valid["depth"]])
    found = keys(client, regime="one", sort=f"{what}:depth", labelled="depth")
    assert sorted(known[name] for name in found) == [known[name] for name in found]
    assert set(found) == set(known)


def test_order_by_valid_share_and_key(client: TestClient, path: Path) -> None:
    with open_store(path) as store:
        share = {
            name: split.valid_pixels[index, 0] / split.sizes[index].prod()
            for name, index, split in rows(store)
            if split.labelled[index, 0]
        }
    found = keys(client, sort="valid:semantic", down=1)
    assert [share[name] for name in found[: len(share)]] == sorted(share.values(), reverse=True)
    down = [name.partition("/")[2] for name in keys(client, sort="key", down=1)]
    assert down == sorted(down, key=str.encode, reverse=True)


def test_a_page_of_a_list(client: TestClient) -> None:
    whole = client.get("/api/images").json()["images"]
    part = client.get("/api/images", params={"start": 3, "count": 4}).json()
    assert part["images"] == whole[3:7]
    assert part["total"] == sum(IMAGES)
    assert client.get("/api/images", params={"start": 10**9}).json()["images"] == []


@pytest.mark.parametrize("task", NAMES)
def test_values_are_those_of_the_reader(client: TestClient, path: Path, task: str) -> None:
    seen = 0
    with open_store(path) as store:
        for name, index, split in rows(store):
            given = {"split": split.name, "key": split.keys[index], "what": task}
            answer = client.get("/values", params=given)
            if not split.labelled[index, NAMES.index(task)]:
                assert answer.status_code == 204, name
                continue
            seen += 1
            sample = split.read(index, [task])
            height, width = split.sizes[index]
            label = sample.labels[task][:height, :width].reshape(height, width, -1)
            valid = sample.valid[task][:height, :width]
            found = array(answer)
            void = found[..., 0] == 255 if found.dtype == np.uint8 else np.isnan(found[..., 0])
            assert np.array_equal(void, ~valid)
            assert np.array_equal(found[valid], label[valid])
            assert found.dtype == label.dtype
    assert seen


def test_photos_are_exact(client: TestClient, path: Path) -> None:
    with open_store(path) as store:
        split = store.splits["test"]
        height, width = split.sizes[1]
        photo = split.read(1, []).image[:height, :width]
    given = {"split": "test", "key": "té1"}
    assert np.array_equal(array(client.get("/values", params=given)), photo)
    assert np.array_equal(picture(client.get("/picture", params=given)), photo)


@pytest.mark.parametrize("task", NAMES)
def test_a_hidden_label_is_never_read(path: Path, task: str) -> None:
    """Garbage in hidden labels changes no answer by a bit; to ask for them does."""
    with open_store(path) as store:
        split = store.splits["train"]
        column = NAMES.index(task)
        hidden = np.flatnonzero(split.labelled[:, column] & ~split.visible("one")[:, column])
        names = [split.keys[index] for index in hidden[:2]]
    assert names

    def answers(**more: Any) -> list[bytes]:
        found = []
        with serving(path) as client:
            for key in names:
                given = {"split": "train", "key": key, "regime": "one", "what": task, **more}
                sizes = ("whole", "small")
                drawn = [client.get("/picture", params={**given, "size": size}) for size in sizes]
                found += [each.content for each in drawn]
                found.append(client.get("/values", params=given).content)
                about = {name: given[name] for name in given if name != "what"}
                found.append(client.get("/api/image", params=about).content)
            sorts = {"semantic": "share:semantic:1", "depth": "far:depth"}
            sort = sorts.get(task, f"valid:{task}")
            found.append(repr(keys(client, regime="one", sort=sort)).encode())
        return found

    before, asked = answers(), answers(reveal=1)
    assert before[2] == b""
    with editing(path) as file:
        for index in hidden:
            stored = file["train/label"][task]
            stored[index] = np.zeros_like(stored[index]) + 1
    assert answers() == before
    assert answers(reveal=1) != asked


def test_why_there_is_no_label_is_drawn(client: TestClient, path: Path) -> None:
    with open_store(path) as store:
        split = store.splits["train"]
        absent = {pictures.HIDDEN: split.labelled & ~split.visible("one"),
                  pictures.MISSING: ~split.labelled}  # fmt: skip
        for why, where in absent.items():
            index, column = np.argwhere(where)[0]
            height, width = map(int, split.sizes[index])
            given = {"split": "train", "key": split.keys[index], "what": NAMES[column]}
            found = picture(client.get("/picture", params={**given, "regime": "one"}))
            assert np.array_equal(found, pictures.absent_panel("", height, width, why).picture)


def test_added_labels_are_told(tmp_path: Path) -> None:
    path = added_store(tmp_path)
    with serving(path) as client:
        assert client.get("/api/store").json()["origins"] == ["derived", "filled"]
        plain = client.get("/api/images", params={"regime": "one"}).json()["images"]
        more = client.get("/api/images", params={"regime": "one+filled"}).json()["images"]
        assert not any("f" in image["state"] for image in plain)
        changed = [(a["state"], b["state"]) for a, b in zip(plain, more, strict=True)]
        assert any("f" in after and "h" in before for before, after in changed)
        assert all(
            b == a or (a == "h" and b == "f")
            for pair in changed
            for a, b in zip(*pair, strict=True)
        )
        key = next(image["key"] for image in more if "f" in image["state"][:3])
        given = {"split": "train", "key": key, "regime": "one+filled", "size": "small"}
        state = next(image["state"] for image in more if image["key"] == key)
        task = NAMES[state.index("f")]
        small = picture(client.get("/picture", params={**given, "what": task}))
        assert tuple(small[0, 0]) == pictures.ADDED["filled"][1]


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8750", "127.0.0.1", "127.0.0.1:8751", "localhost.evil:8750", "",
     "127.0.0.1:8750.evil.example", "0.0.0.0:8750", "user@127.0.0.1:8750"],
)  # fmt: skip
def test_other_names_of_this_machine_are_refused(client: TestClient, host: str) -> None:
    for where in ("/", "/api/store", "/static/main.js", "/nowhere"):
        answer = client.get(where, headers={"host": host})
        assert answer.status_code == 421, where
        assert "fake.h5" not in answer.text


@pytest.mark.parametrize(
    "host", ["127.0.0.1:8750", "localhost:8750", "LOCALHOST:8750", "[::1]:8750"]
)
def test_names_of_this_machine(client: TestClient, host: str) -> None:
    assert client.get("/api/store", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND"]
)
def test_nothing_can_be_written(client: TestClient, path: Path, method: str) -> None:
    before = path.read_bytes()
    for where in ("/", "/api/store", "/api/images", "/static/main.js"):
        assert client.request(method, where, content=b"x").status_code == 405
    assert path.read_bytes() == before


def test_pages_of_elsewhere_get_nothing(client: TestClient) -> None:
    given = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}
    assert client.get("/api/store", headers=given).status_code == 403
    link = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    assert client.get("/", headers=link).status_code == 200
    for where in ("/", "/api/store", "/static/main.js", "/nowhere", "/api/images?bad=1"):
        headers = client.get(where).headers
        policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
        assert policy["default-src"] == policy["frame-ancestors"] == "'none'"
        assert policy["script-src"] == policy["style-src"] == "'self'"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert "access-control-allow-origin" not in headers
        assert headers["cache-control"] == ("no-cache" if where == "/" else "no-store")


@pytest.mark.parametrize(
    "where",
    ["/static/../app.py", "/static/%2e%2e/app.py", "/static/..%2fapp.py", "/static//etc/passwd",
     "/static/%2e%2e%2f%2e%2e%2f%2e%2e%2fetc%2fpasswd", "/templates/browse.html", "/fake.h5",
     "/static/", "/static/..%5capp.py", "/static/main.js%00.css"],
)  # fmt: skip
def test_paths_that_lead_elsewhere(client: TestClient, where: str) -> None:
    answer = client.get(where)
    assert answer.status_code == 404
    assert answer.json()["problem"].startswith("there is nothing at ")


@pytest.mark.parametrize(
    "key", ["", "..", "../train", "0001/../0002", "/etc/passwd", "0001\x00", "' or 1=1", "é" * 5000,
            "<script>alert(1)</script>", "\U0001f600"],
)  # fmt: skip
def test_keys_that_there_are_not(client: TestClient, key: str) -> None:
    for where in ("/api/image", "/picture", "/values"):
        for split in ("train", "../train", "train/image"):
            answer = client.get(where, params={"split": split, "key": key})
            assert answer.status_code == 404
            assert set(answer.json()) == {"problem"}
    assert client.get("/api/images", params={"text": key}).status_code == 200


@pytest.mark.parametrize(
    ("where", "told"),
    [
        ("/api/images?split=none", "There is no split `none`"),
        ("/api/images?regime=none", "There is no regime `none`"),
        ("/api/images?regime=one%2Bfilled:9", "threshold"),
        ("/api/images?labelled=none", "There is no task `none`"),
        ("/api/images?sort=none", "`sort` should be"),
        ("/api/images?sort=share:semantic:-1", "`sort` should be"),
        ("/api/images?present=semantic:99", "a class should be 0..4"),
        ("/api/images?present=depth:0", "should be asked of a task that has them"),
        ("/api/images?sort=near:semantic", "should be asked of a task that has them"),
        ("/api/images?sort=error:none:depth", "a run should be one that was given"),
        ("/api/images?start=-1", "`start` should be 0 or more; found '-1'"),
        ("/api/images?count=501", "`count` should be 500 or less"),
        ("/api/images?more=1", "`more` should be left out"),
        ("/api/images?start=1&start=2", "one is repeated"),
        ("/picture?split=train&key=0001&what=none", "There is no task `none`"),
        (
            "/picture?split=train&key=0001&size=huge",
            "`size` should be 'small' or 'whole'; found 'huge'",
        ),
        ("/picture?key=0001", "`split` should be given; found nothing"),
        ("/values?split=train&key=0001&what=depth&part=error&run=x", "`run` should be one"),
    ],
)
def test_what_cannot_be_asked(client: TestClient, where: str, told: str) -> None:
    answer = client.get(where)
    assert answer.status_code == 400
    assert told in answer.json()["problem"]


def test_a_store_that_goes_and_comes_back(client: TestClient, path: Path) -> None:
    token = client.get("/api/store").json()["token"]
    asked = {"split": "train", "key": "0001", "token": token}
    assert client.get("/picture", params=asked).status_code == 200
    away = path.with_suffix(".away")
    path.rename(away)
    for where in ("/api/store", "/api/images", "/picture", "/values"):
        answer = client.get(where, params=asked)
        assert answer.status_code == 410
        assert "no such file any more" in answer.json()["problem"]
    assert client.get("/").status_code == 200
    away.rename(path)
    assert client.get("/picture", params=asked).status_code == 200


def test_a_store_that_is_replaced(client: TestClient, path: Path, tmp_path: Path) -> None:
    token = client.get("/api/store").json()["token"]
    (tmp_path / "other").mkdir()
    other = fake_store(tmp_path / "other", regimes=(), images=(2, 1), seed=1)
    os.replace(other, path)
    answer = client.get("/api/images", params={"token": token})
    assert answer.status_code == 409
    assert "changed or replaced" in answer.json()["problem"]
    fresh = client.get("/api/store").json()["token"]
    assert fresh != token
    assert client.get("/api/images", params={"token": fresh}).json()["total"] == 3


def test_a_regime_that_is_added(client: TestClient, path: Path) -> None:
    token = client.get("/api/store").json()["token"]
    with open_store(path) as store:
        split = store.splits["train"]
        table = draw("random", split.keys, NAMES, split.labelled, seed=0)
    add_regime(path, "random", table)
    assert client.get("/api/images", params={"token": token}).status_code == 409
    assert "random" in client.get("/api/store").json()["regimes"]


def test_a_store_that_becomes_rubbish(client: TestClient, path: Path) -> None:
    assert client.get("/api/store").status_code == 200
    os.replace(_written(path.with_suffix(".new"), b"rubbish" * 1000), path)
    answer = client.get("/api/store")
    assert answer.status_code == 503
    assert "it is no HDF5" in answer.json()["problem"]


def _written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def test_a_label_that_cannot_be_read_is_told(path: Path) -> None:
    """A flipped bit of one label: its picture says so, all else goes on."""
    with open_store(path) as store:
        split = store.splits["test"]
        index = int(np.flatnonzero(split.labelled[:, 1])[0])
        key, dataset = split.keys[index], split.dataset("depth")
        chunk = dataset.id.get_chunk_info_by_coord((index, 0, 0))
    with path.open("r+b") as file:
        file.seek(chunk.byte_offset + chunk.size // 2)
        byte = file.read(1)
        file.seek(-1, 1)
        file.write(bytes([byte[0] ^ 1]))
    with serving(path) as client:
        given = {"split": "test", "key": key}
        answer = client.get("/picture", params={**given, "what": "depth"})
        assert answer.status_code == 503
        assert f"label `depth` of test/{key}" in answer.json()["problem"]
        assert client.get("/picture", params={**given, "what": "photo"}).status_code == 200
        found = keys(client, split="test", sort="far:depth")
        assert len(found) == IMAGES[1]
        for down in (0, 1):  # behind those whose depth is known, whichever comes first
            labelled = keys(client, split="test", sort="near:depth", labelled="depth", down=down)
            assert labelled[-1] == f"test/{key}"
        problem = client.get("/api/images", params={"sort": "far:depth"}).json()["problem"]
        assert f"test/{key}" in problem


@pytest.mark.parametrize("size", [(360, 600), (260, 480), (100, 1080), (24, 32)])
def test_an_image_of_one_class_is_all_of_it(size: tuple[int, int]) -> None:
    label, valid = np.ones(size, np.uint8), np.ones(size, bool)
    found = measures.shares_of(label, valid, 3)
    assert found.astype(np.uint16).tolist() == [0, measures.FULL_SHARE, 0]


def test_measures_have_a_bound(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measures, "BYTES", sum(IMAGES) * 12)
    with serving(path) as client:
        both = [keys(client, sort=f"far:{task}") for task in ("depth", "disparity", "depth")]
        assert both[0] == both[2]
        opened = serving_measures(client)
        assert sum(table.numbers.nbytes for table in opened.values()) <= measures.BYTES
        answer = client.get("/api/images?sort=share:semantic:0")
        assert answer.status_code == 200
    monkeypatch.setattr(measures, "BYTES", sum(IMAGES) * 9)
    with serving(path) as client:
        answer = client.get("/api/images?sort=share:semantic:0")
        assert answer.status_code == 400
        assert "should fit into" in answer.json()["problem"]


def serving_measures(client: TestClient) -> Any:
    """The tables behind a client."""
    guard: Any = client.app
    route = guard._app.routes[0]
    return route.endpoint.__self__.served.now().measures._tables


def _model(log: list[Any]) -> Model:
    """A run that says 1 metre and class 1 everywhere."""

    def load() -> Any:
        log.append("loaded")

        def predict(image: Any) -> dict[str, Any]:
            log.append(image.shape)
            return {
                "depth": np.ones(image.shape[:2], np.float32),
                "semantic": np.ones(image.shape[:2], np.uint8),
            }

        return predict

    return Model("ours", ("semantic", "depth"), load)


def test_a_run_that_was_trained_anew_is_another(path: Path) -> None:
    """Else a browser would show what it has kept of the one before."""
    tokens = set()
    for state in ("one", "other", "one"):
        model = Model("ours", ("depth",), lambda: None, state=state)  # type: ignore[arg-type, return-value]
        with serving(path, [model]) as client:
            tokens.add(client.get("/api/store").json()["token"])
    assert len(tokens) == 2


def test_runs_with_colons_and_numbers_without_end(path: Path) -> None:
    run = _model([])
    run.name = "lr=0.1:seed3"
    with serving(path, [run]) as client:
        assert keys(client, sort="error:lr=0.1:seed3:depth")
        answer = client.get("/api/images", params={"sort": f"share:semantic:{'9' * 5000}"})
        assert answer.status_code == 400


def test_predictions_beside_labels(path: Path) -> None:
    log: list[Any] = []
    with serving(path, [_model(log)]) as client, open_store(path) as store:
        split = store.splits["train"]
        index = int(np.flatnonzero(split.labelled[:, :2].all(axis=1))[0])
        given = {"split": "train", "key": split.keys[index], "run": "ours"}
        assert client.get("/api/store").json()["runs"] == [
            {"name": "ours", "tasks": ["semantic", "depth"]}
        ]
        assert log == []
        sample = split.read(index, ["semantic", "depth"])
        height, width = split.sizes[index]
        for task, apart in (
            ("depth", lambda label: np.abs(label.astype(np.float64) - 1)),
            ("semantic", lambda label: label != 1),
        ):
            label = sample.labels[task][:height, :width]
            valid = sample.valid[task][:height, :width]
            asked = {**given, "what": task}
            error = array(client.get("/values", params={**asked, "part": "error"}))[..., 0]
            assert np.array_equal(np.isnan(error), ~valid)
            assert np.allclose(error[valid], apart(label)[valid])
            told = array(client.get("/values", params={**asked, "part": "prediction"}))
            assert (told == 1).all()
            said = client.get("/api/predicted", params={**asked, "part": "prediction"}).json()
            if task == "depth":
                assert said == {"limits": pytest.approx(np.percentile(label[valid], (1, 99)))}
            else:
                assert said == {"classes": [[1, 1.0]]}
            for part in ("prediction", "error"):
                drawn = picture(client.get("/picture", params={**asked, "part": part}))
                assert drawn.shape == (height, width, 3)
        assert log == ["loaded", (height, width, 3)]
        unknown = client.get("/picture", params={**given, "what": "normals", "part": "error"})
        assert unknown.status_code == 400


def test_a_run_offers_the_tasks_of_the_store(path: Path) -> None:
    """Those that it knows beside them cannot be asked for."""
    run = _model([])
    run.tasks = ("semantic", "depth", "parts")
    with serving(path, [run]) as client:
        assert client.get("/api/store").json()["runs"] == [
            {"name": "ours", "tasks": ["semantic", "depth"]}
        ]


def test_a_network_that_cannot_be_used_is_loaded_once(path: Path) -> None:
    times = []

    def load() -> Any:
        times.append(1)
        raise DataError("the weights should be whole; they are not. Copy them again.")

    with serving(path, [Model("ours", ("depth",), load)]) as client:
        for key in ("0001", "0002"):
            given = {"split": "train", "key": key, "run": "ours", "what": "depth"}
            answer = client.get("/picture", params={**given, "part": "prediction"})
            assert answer.status_code >= 400
            assert "the weights should be whole" in answer.json()["problem"]
    assert times == [1]


def test_order_by_the_error_of_a_run(path: Path) -> None:
    errors = {}
    with open_store(path) as store:
        for name, index, split in rows(store):
            if split.labelled[index, 1]:
                sample = split.read(index, ["depth"])
                label = sample.labels["depth"][sample.valid["depth"]]
                errors[name] = np.abs(label.astype(np.float64) - 1).mean()
    with serving(path, [_model([])]) as client:
        found = keys(client, sort="error:ours:depth", down=1, labelled="depth")
    assert found == sorted(errors, key=lambda name: -errors[name])


def test_no_error_of_a_hidden_label(path: Path) -> None:
    with serving(path, [_model([])]) as client, open_store(path) as store:
        split = store.splits["train"]
        hidden = split.labelled[:, 1] & ~split.visible("one")[:, 1]
        key = split.keys[int(np.flatnonzero(hidden)[0])]
        given = {"split": "train", "key": key, "regime": "one", "what": "depth", "run": "ours"}
        assert client.get("/values", params={**given, "part": "error"}).status_code == 204
        found = client.get("/values", params={**given, "part": "error", "reveal": 1})
        assert found.status_code == 200
