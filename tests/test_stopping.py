"""Ctrl-C, SIGTERM and time limits: heard wherever they come, and gone afterwards."""

import gc
import os
import signal
import sys
import threading
import time
import weakref

import pytest

import unstill as us
from unstill._stopping import shielded, stoppable

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals")


@pytest.fixture(autouse=True)
def heard():
    """A shell's background jobs ignore Ctrl-C."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_interrupts(number):
    usual = signal.getsignal(number)

    def interrupted():
        with stoppable():
            os.kill(os.getpid(), number)
            time.sleep(5)

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert signal.getsignal(number) is usual


class _Key:
    pass


def _at_a_collection(tell):
    """JAX and Hypothesis have such a callback."""
    gc.callbacks.append(tell)
    gc.collect()


def _at_a_finaliser(tell):
    type("Last", (), {"__del__": lambda self: tell()})()


def _at_a_dead_reference(tell):
    key = _Key()
    reference = weakref.ref(key, tell)
    del key
    assert reference() is None


@pytest.mark.parametrize("place", [_at_a_collection, _at_a_finaliser, _at_a_dead_reference])
def test_a_signal_is_heard_where_python_drops_what_is_raised(place):
    came = []

    def tell(*_):
        if len(came) < 2:  # dropped twice
            came.append(True)
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.01)

    def dropped():
        with stoppable():
            place(tell)
            time.sleep(5)

    usual = sys.unraisablehook
    try:
        with pytest.raises(KeyboardInterrupt):
            dropped()
    finally:
        if tell in gc.callbacks:
            gc.callbacks.remove(tell)
    assert came
    assert sys.unraisablehook is usual


def test_what_others_drop_is_reported_as_before(monkeypatch):
    told = []
    monkeypatch.setattr(sys, "unraisablehook", lambda dropped: told.append(dropped.exc_type))
    with stoppable():
        type("Last", (), {"__del__": lambda self: 1 / 0})()
    assert told == [ZeroDivisionError]


def test_what_is_shielded_is_done_whole():
    done = []

    def stopped():
        with stoppable(), shielded():
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(0.05)
            done.append(True)

    with pytest.raises(KeyboardInterrupt):
        stopped()
    assert done


def test_an_inner_time_limit_does_not_lift_the_outer_one():
    def limited():
        with us.time_limit(0.2):
            with us.time_limit(60.0):
                pass
            time.sleep(5)

    with pytest.raises(KeyboardInterrupt):
        limited()


def test_a_time_limit_ends_and_is_lifted():
    with pytest.raises(KeyboardInterrupt), us.time_limit(0.05):
        time.sleep(5)
    with us.time_limit(0.05):
        pass
    with us.time_limit(None):
        time.sleep(0.1)


@pytest.mark.parametrize("seconds", [0, -1.0, float("inf"), float("nan")])
def test_what_a_time_limit_cannot_be(seconds):
    with pytest.raises(us.BadInput, match="`time_limit` must be a positive number of seconds"), us.time_limit(seconds):
        pass


def test_a_thread_has_no_time_limit():
    told = []

    def limited():
        with pytest.raises(us.BadInput, match="needs the main thread") as error, us.time_limit(1.0):
            pass
        told.append(error)

    thread = threading.Thread(target=limited)
    thread.start()
    thread.join()
    assert told
