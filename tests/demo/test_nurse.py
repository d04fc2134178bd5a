from releve.demo.nurse import Timing, reads_of

CUT = frozenset({"cut"})


def _timings(*rows: tuple[float, bool, str, bool]) -> list[Timing]:
    return [Timing(0.0, took_ms, is_served, phase, was_down) for took_ms, is_served, phase, was_down in rows]


def test_only_reads_in_the_cut_count() -> None:
    reads = reads_of(_timings((5, True, "normal", False), (7, True, "cut", False)), CUT, 0.0)
    assert (reads.tried, reads.failed, reads.p50_ms) == (1, 0, 7)


def test_a_read_while_the_own_node_is_deliberately_dead_is_counted_apart() -> None:
    timings = _timings((5, False, "cut", True), (6, True, "cut", True), (7, False, "cut", False))
    timings[0].was_elsewhere = True
    reads = reads_of(timings, CUT, 2.5)
    assert (reads.tried, reads.failed) == (1, 1)
    assert (reads.during_own_stop, reads.failed_during_own_stop, reads.elsewhere, reads.own_stop_s) == (2, 1, 1, 2.5)


def test_the_ninety_ninth_percentile_is_one_of_the_waits() -> None:
    reads = reads_of(_timings(*((float(ms), True, "cut", False) for ms in range(1, 201))), CUT, 0.0)
    assert (reads.p50_ms, reads.p99_ms) == (101, 199)
