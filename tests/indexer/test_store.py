"""The store of facts: what it finds is right, or it finds nothing, whatever happens to it."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from indexer import extract, language_of
from indexer import store as store_module
from indexer.facts import FileFacts
from indexer.store import Kept, Store, Stored, text_key
from tests.indexer.samples import SAMPLES

ROOM = 10_000_000
STATE = 12345


def facts_of(text: str, path: str = "/repo/a.py") -> FileFacts:
    language = language_of(path)
    assert language is not None
    return extract(path, language, text.encode())


def kept(facts: FileFacts, state: int = STATE) -> Kept:
    """What a crawl would keep, were the names the text."""
    key = text_key(facts.language, facts.packed_names)
    return Kept(facts.path, state, key, facts, "")


def saved(folder: Path, count: int = 20) -> list[FileFacts]:
    """Fills a store; what it holds."""
    held = [facts_of(f"def f{n}(a, b):\n    return g{n}(a)\n", f"/r/{n}.py") for n in range(count)]
    store = Store(str(folder), ROOM)
    store.save([kept(facts) for facts in held])
    store.close()
    assert store.problem == ""
    return held


def database(folder: Path) -> Path:
    (path,) = folder.glob("*.db")
    return path


def test_facts_are_found_by_path_and_state_and_by_text(tmp_path: Path) -> None:
    first, second, *_ = saved(tmp_path)
    store = Store(str(tmp_path), ROOM)
    assert store.find(first.path, STATE) == Stored(first, "")
    assert store.find(first.path, STATE + 1) is None
    assert store.find("/r/none.py", STATE) is None
    found = store.find_text("/else/where.py", kept(second).key)
    assert found is not None and found.path == "/else/where.py"
    assert found.to_row()[1:] == second.to_row()[1:]
    for other in (text_key("python", b"other"), text_key("typescript", second.packed_names)):
        assert store.find_text(second.path, other) is None


def test_many_files_are_found_as_one_by_one(tmp_path: Path) -> None:
    held = saved(tmp_path, 1_200)
    store = Store(str(tmp_path), ROOM)
    asked = [(facts.path, STATE + number % 3) for number, facts in enumerate(held)]
    asked.append(("/r/none.py", STATE))
    one_by_one = {path: store.find(path, state) for path, state in asked}
    known = {path: found for path, found in one_by_one.items() if found is not None}
    assert len(known) == 400
    assert store.find_all(asked) == known
    assert store.find_all([]) == {}


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_facts_of_every_language_come_back_as_they_were(tmp_path: Path, name: str) -> None:
    facts = facts_of(SAMPLES[name], f"/repo/{name}")
    store = Store(str(tmp_path), ROOM)
    store.save([kept(facts)])
    assert store.find(facts.path, STATE) == Stored(facts, "")


def test_why_a_file_has_no_facts_is_known_too(tmp_path: Path) -> None:
    store = Store(str(tmp_path), ROOM)
    store.save(
        [
            Kept("/r/a.py", STATE, b"", None, "marked as generated"),
            Kept("/r/b.py", 0, b"", None, "racy"),
        ]
    )
    assert store.find("/r/a.py", STATE) == Stored(None, "marked as generated")
    assert store.find("/r/b.py", 0) is None


def test_a_text_in_an_uncertain_state_is_found_by_its_text_only(tmp_path: Path) -> None:
    facts = facts_of("x = 1\n")
    store = Store(str(tmp_path), ROOM)
    store.save([kept(facts, 0)])
    assert store.find(facts.path, 0) is None
    assert store.find_text(facts.path, kept(facts).key) == facts


def test_paths_that_are_not_unicode(tmp_path: Path) -> None:
    facts = facts_of("x = 1\n", os.fsdecode(b"/r/\xff\xfe.py"))
    store = Store(str(tmp_path), ROOM)
    store.save([kept(facts)])
    assert store.find(facts.path, STATE) == Stored(facts, "")


def test_another_version_of_the_rules_finds_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, *_ = saved(tmp_path)
    monkeypatch.setattr(store_module, "generation", lambda: "0" * 16)
    store = Store(str(tmp_path), ROOM)
    assert store.find(first.path, STATE) is None
    assert len(list(tmp_path.glob("*.db"))) == 2
    store.close()
    Store(str(tmp_path), 50_000)
    assert [path.name for path in tmp_path.glob("*.db")] == [f"facts-{'0' * 16}.db"]


def test_only_the_user_may_read_it(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "cache"
    saved(folder)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert database(folder).stat().st_mode & 0o777 == 0o600
    shared = tmp_path / "shared"
    shared.mkdir(mode=0o755)
    saved(shared)
    assert shared.stat().st_mode & 0o777 == 0o755
    assert database(shared).stat().st_mode & 0o777 == 0o600


def test_key_material_does_not_get_into_it(tmp_path: Path) -> None:
    key = "MIIEpAIBAAKCAQEAhiddenhiddenhidden"
    token = "ghp_" + "Q7w8E9r0T1y2U3i4O5p6A7s8D9f0G1h2J3k4"
    password = "x8Kq2mZp7Rt4Lw9Vb3Nc6"
    lines = (
        f'KEY = """-----BEGIN RSA PRIVATE KEY-----\n{key}\n-----END RSA PRIVATE KEY-----"""\n'
        f'token = "{token}"\napi_key: str = "{password}"\n'
        f'def f(a="{token}") -> "{token}":\n    """{token}"""\n    return {token}\n'
        f"import {token}\nclass {token}: ...\n"
    )
    texts = {"a.py": lines, "a.json": f'{{"token": "{token}"}}', "a.yaml": f"token: {token}\n"}
    texts |= {"a.sh": f"export TOKEN={token}\n{token}\n", "a.js": f"const t = '{token}'; {token}"}
    texts |= {"a.toml": f'token = "{token}"\n', "a.md": f"# {token}\n\n{token}\n"}
    store = Store(str(tmp_path), ROOM)
    for name, text in texts.items():
        if language_of(name) is not None:
            store.save([kept(facts_of(text, f"/r/{name}"))])
    store.close()
    held = database(tmp_path).read_bytes()
    assert b"/r/a.py" in held
    assert [secret for secret in (key, token, password) if secret.encode() in held] == []


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_damage_is_never_taken_for_facts(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Flipped, cut and added bytes: the store says what is right, or nothing, and goes on."""
    folder = tmp_path_factory.mktemp("store")
    held = saved(folder, 8)
    path = database(folder)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 40))):
        content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    cut = data.draw(st.one_of(st.just(len(content)), st.integers(0, len(content))))
    path.write_bytes(bytes(content[:cut]) + data.draw(st.binary(max_size=50)))
    store = Store(str(folder), ROOM)
    for facts in held:
        assert store.find(facts.path, STATE) in (None, Stored(facts, ""))
        by_text = store.find_text(facts.path, kept(facts).key)
        assert by_text in (None, facts)
    store.save([kept(facts) for facts in held])
    for facts in held:
        assert store.find(facts.path, STATE) in (None, Stored(facts, ""))
    store.close()
    again = Store(str(folder), ROOM)
    again.save([kept(facts) for facts in held])
    assert [again.find(facts.path, STATE) for facts in held] == [Stored(f, "") for f in held]


@pytest.mark.parametrize("content", [b"", b"no database", b"SQLite format 3\0" + b"\xff" * 5_000])
def test_what_is_no_database_is_made_anew(tmp_path: Path, content: bytes) -> None:
    held = saved(tmp_path)
    database(tmp_path).write_bytes(content)
    store = Store(str(tmp_path), ROOM)
    assert store.find(held[0].path, STATE) is None
    store.save([kept(held[0])])
    assert store.find(held[0].path, STATE) == Stored(held[0], "")
    assert store.problem == ""


def test_rows_of_others_are_not_ones_own(tmp_path: Path) -> None:
    """Even a valid row in the wrong place is noticed."""
    first, second, *_ = saved(tmp_path, 2)
    with sqlite3.connect(database(tmp_path)) as connection:
        rows = connection.execute("SELECT id, facts FROM texts ORDER BY id").fetchall()
        for (text_id, _), (_, other) in zip(rows, reversed(rows), strict=True):
            connection.execute("UPDATE texts SET facts = ? WHERE id = ?", (other, text_id))
        (entry,) = connection.execute(
            "SELECT entry FROM files WHERE path = ?", (second.path.encode(),)
        ).fetchone()
        connection.execute("INSERT INTO files VALUES (?, ?)", (b"/r/x.py", entry))
    store = Store(str(tmp_path), ROOM)
    assert store.find(first.path, STATE) is None and store.find("/r/x.py", STATE) is None
    assert store.find_text(first.path, kept(first).key) is None


@pytest.mark.skipif(os.name != "posix", reason="needs kill")
def test_a_process_killed_while_it_writes_leaves_it_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "generation", lambda: "0" * 16)
    code = """
        import sys
        from indexer import extract, language_of, store
        from indexer.store import Kept, Store
        store.generation = lambda: "0" * 16
        store = Store(sys.argv[1], 10**9)
        language = language_of("a.py")
        number = int(sys.argv[2])
        while True:
            text = f"def f{number}(a):\\n    return g{number}\\n" * 50
            facts = extract(f"/r/{number}.py", language, text.encode())
            store.save([Kept(facts.path, 7, b"1" + text.encode(), facts, "")])
            print(number, flush=True)
            number += 1
    """
    known = 0
    for turn in range(4):
        process = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(code), str(tmp_path), str(known)],
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parents[2],
        )
        assert process.stdout is not None
        for _ in range(3):
            known = int(process.stdout.readline()) + 1
        time.sleep(random.Random(turn).random() / 50)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        store = Store(str(tmp_path), ROOM)
        assert store.problem == ""
        for number in range(known):
            text = f"def f{number}(a):\n    return g{number}\n" * 50
            assert store.find(f"/r/{number}.py", 7) == Stored(facts_of(text, f"/r/{number}.py"), "")
        store.close()
    with sqlite3.connect(database(tmp_path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_many_at_once(tmp_path: Path) -> None:
    """Several stores on one folder, written and read side by side."""
    held = [facts_of(f"def f{n}(): ...\n", f"/r/{n}.py") for n in range(60)]
    stores = [Store(str(tmp_path), ROOM) for _ in range(4)]
    wrong: list[str] = []

    def work(store: Store, seed: int) -> None:
        order = list(held)
        random.Random(seed).shuffle(order)
        for facts in order:
            store.save([kept(facts)])
            if store.find(facts.path, STATE) not in (None, Stored(facts, "")):
                wrong.append(facts.path)

    threads = [
        threading.Thread(target=work, args=pair) for pair in zip(stores, range(4), strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == [] and [store.problem for store in stores] == [""] * 4
    assert [stores[0].find(facts.path, STATE) for facts in held] == [Stored(f, "") for f in held]


def size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())


def test_it_stays_within_its_size_and_drops_what_was_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "TRIM_EVERY", 100_000)
    limit, now = 1_000_000, [time.time()]
    monkeypatch.setattr(time, "time", lambda: now[0])
    text = "".join(f"def f{n}(a, b):\n    return g{n}(a)\n" for n in range(300))
    favourite = facts_of(text, "/r/favourite.py")
    for day in range(12):
        store = Store(str(tmp_path), limit)
        if day == 0:
            store.save([kept(favourite)])
        assert store.find(favourite.path, STATE) is not None, day
        for number in range(12):
            facts = facts_of(f"x{day}_{number} = 1\n" + text, f"/r/{day}/{number}.py")
            store.save([kept(facts)])
        store.close()
        assert database(tmp_path).stat().st_size < 1.5 * limit
        now[0] += 86_400
    store = Store(str(tmp_path), limit)
    assert store.find("/r/0/0.py", STATE) is None
    assert store.find("/r/11/0.py", STATE) is not None


def test_a_store_that_is_full_keeps_what_it_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More than fits in one day: the first part stays and serves, instead of all going in turn."""
    monkeypatch.setattr(store_module, "TRIM_EVERY", 50_000)
    store = Store(str(tmp_path), 300_000)
    text = "".join(f"def f{n}(a, b):\n    return g{n}(a)\n" for n in range(300))
    for number in range(60):
        facts = facts_of(f"x{number} = 1\n" + text, f"/r/{number}.py")
        store.save([kept(facts)])
    assert store.find("/r/0.py", STATE) is not None and store.find("/r/59.py", STATE) is None
    store.close()
    assert database(tmp_path).stat().st_size < 500_000


def test_a_folder_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    store = Store(str(tmp_path / "file" / "cache"), ROOM)
    assert str(tmp_path / "file" / "cache") in store.problem
    assert store.find("/r/a.py", STATE) is None
    store.save([Kept("/r/a.py", STATE, b"", None, "x")])
    store.close()
