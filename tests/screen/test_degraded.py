"""The banner: computed from measures, silent only when every central service is known to be normal."""

from hypothesis import given
from hypothesis import strategies as st

from releve.screen.degraded import CHECKED_AGE_US_MAX, ServiceState, current, degraded

NOW = 1_722_686_400_000_000
MINUTE = 60_000_000


def service(name: str, state: str, *, central: bool = True, since: int = 20, checked: int = 0) -> ServiceState:
    return ServiceState(
        name, name, state, NOW - since * MINUTE, NOW - checked * MINUTE, "", central, NOW - since * MINUTE
    )


def test_no_banner_while_everything_central_is_normal() -> None:
    assert degraded([service("dpi", "normal"), service("lab", "normal")], NOW) is None
    assert degraded([], NOW) is None


def test_a_central_service_down_is_named_with_the_earliest_loss() -> None:
    found = degraded([service("dpi", "down", since=5), service("lab", "down", since=24), service("tel", "normal")], NOW)
    assert found is not None
    assert (found.kind, found.missing, found.since) == ("down", ("dpi", "lab"), NOW - 24 * MINUTE)
    assert found.data_until == NOW - 5 * MINUTE


def test_a_weak_central_service_raises_the_banner_too() -> None:
    found = degraded([service("tel", "degraded")], NOW)
    assert found is not None
    assert (found.kind, found.weak, found.missing) == ("down", ("tel",), ())


def test_when_all_come_back_the_banner_says_return() -> None:
    found = degraded([service("dpi", "returning"), service("lab", "normal")], NOW)
    assert found is not None
    assert (found.kind, found.returning) == ("returning", ("dpi",))


def test_a_local_service_raises_no_banner_of_the_centre() -> None:
    assert degraded([service("analyser", "down", central=False), service("dpi", "normal")], NOW) is None


def test_what_was_not_measured_for_two_minutes_is_unknown_and_not_normal() -> None:
    old = service("dpi", "normal", checked=3)
    found = degraded([old], NOW)
    assert found is not None
    assert (found.kind, found.since) == ("unknown", NOW - 3 * MINUTE)
    assert current(old, NOW) == "unknown"


def test_one_service_that_is_not_measured_any_more_is_named_as_unreliable() -> None:
    found = degraded([service("dpi", "normal", checked=9), service("lab", "normal")], NOW)
    assert found is not None
    assert (found.kind, found.weak, found.since) == ("down", ("dpi",), NOW - 9 * MINUTE)


def test_a_state_that_a_person_set_holds_without_being_measured() -> None:
    state = ServiceState("dpi", "dpi", "down", NOW - 60 * MINUTE, NOW - 60 * MINUTE, "", True, 0, "cora")
    found = degraded([state], NOW)
    assert found is not None
    assert found.kind == "down"
    assert current(state, NOW) == "down"


states = st.sampled_from(["normal", "degraded", "down", "returning"])


@given(st.lists(st.tuples(states, st.booleans(), st.integers(0, 10)), max_size=6))
def test_the_banner_is_silent_only_when_every_central_service_is_fresh_and_normal(
    parts: list[tuple[str, bool, int]],
) -> None:
    services = [service(str(n), state, central=central, checked=age) for n, (state, central, age) in enumerate(parts)]
    central = [one for one in services if one.is_central]
    is_fresh = all(NOW - one.checked_at <= CHECKED_AGE_US_MAX for one in central)
    is_normal = all(one.state == "normal" for one in central)
    assert (degraded(services, NOW) is None) == (is_fresh and is_normal)
