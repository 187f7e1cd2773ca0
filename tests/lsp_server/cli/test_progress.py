"""Progress is one line that changes on a terminal, and a few plain lines elsewhere."""

from __future__ import annotations

import io

from inline_snapshot import snapshot

from lsp_server.cli.progress import ProgressLine, duration

MB = 10**6


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def check_progress(stream: io.StringIO, steps: list[tuple[float, int]], kept: int = 0) -> str:
    """Show steps of (seconds, megabytes of 1000)."""
    times = iter([float(seconds) for seconds, _ in steps])
    line = ProgressLine(stream, lambda: next(times))
    for _, done in steps:
        line.show("work", done * MB, 1000 * MB, kept * MB)
    line.close()
    return stream.getvalue()


STEPS = [(0.0, 0), (5.0, 100), (10.0, 200), (15.0, 300), (20.0, 400), (50.0, 1000), (50.1, 1000)]


def test_elsewhere_a_line_every_ten_seconds() -> None:
    assert check_progress(io.StringIO(), STEPS) == snapshot("""\
work, 0 %
work, 20 %, 20 MB/s, 40 s left
work, 40 %, 20 MB/s, 30 s left
work, 100 %, 20 MB/s, 0 s left
""")


def test_on_a_terminal_one_line() -> None:
    shown = check_progress(Terminal(), STEPS)
    assert shown.count("\n") == 1
    assert [part.rstrip() for part in shown.split("\r")[2:4]] == snapshot(
        ["work, 10 %, 20 MB/s, 45 s left", "work, 20 %, 20 MB/s, 40 s left"]
    )


def test_what_was_there_before_is_no_speed() -> None:
    assert check_progress(io.StringIO(), [(0, 500), (10, 510)], kept=500) == snapshot("""\
work, 50 %
work, 51 %, 1 MB/s, 8 min 10 s left
""")


def test_the_rate_is_that_of_the_last_seconds() -> None:
    steps = [(0, 0), *((float(second), second) for second in range(1, 100))]
    steps += [(100 + float(second), 100 + 10 * second) for second in range(40)]
    assert check_progress(io.StringIO(), steps).splitlines()[-1] == snapshot(
        "work, 40 %, 10 MB/s, 1 min 0 s left"
    )


def test_notes_stay() -> None:
    stream = Terminal()
    line = ProgressLine(stream, lambda: 0.0)
    line.show("work", 0, 10, 0)
    line.note("something happened")
    line.close()
    assert stream.getvalue() == "\rwork, 0 %\r         \rsomething happened\n"


def test_durations() -> None:
    times = [duration(seconds) for seconds in (0.4, 59.4, 60, 3599, 3600, 90061)]
    assert times == snapshot(["0 s", "59 s", "1 min 0 s", "59 min 59 s", "1 h 0 min", "25 h 1 min"])
