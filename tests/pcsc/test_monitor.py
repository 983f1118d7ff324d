"""The monitor, at virtual readers of the real pcscd, and with a scripted service for what pcscd never does."""

import threading
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from smartcard import scard

from juying.card import monitor as monitor_module
from juying.card.monitor import EventKind, ReaderEvent, ReaderMonitor, Seen, changes
from tests.harness import ATR_T0, ATR_T1, FakeCard, PrivatePcscd, Slot
from tests.pcsc.scripted import ScriptedScard

ADDED, GONE = EventKind.READER_ADDED, EventKind.READER_REMOVED
INSERTED, REMOVED = EventKind.CARD_INSERTED, EventKind.CARD_REMOVED
LOST, BACK = EventKind.SERVICE_LOST, EventKind.SERVICE_BACK
PATIENT = 30.0  # seconds after which a watch without the awaited event ends, and the test fails


@pytest.fixture
def events(private_pcscd: PrivatePcscd) -> Iterator[Iterator[ReaderEvent]]:
    """What happens from now on; the readers that are there have been reported already."""
    with ReaderMonitor() as monitor:
        watch = monitor.watch(timeout=PATIENT)
        names = {next(watch).reader for _ in private_pcscd.slots}
        assert names == {slot.name for slot in private_pcscd.slots}
        yield watch


@pytest.fixture
def all_readers(private_pcscd: PrivatePcscd) -> Iterator[PrivatePcscd]:
    """pcscd for tests that change its readers; all are back afterwards."""
    count = len(private_pcscd.slots)
    yield private_pcscd
    private_pcscd.restart(readers=count)


def test_what_is_there_already_comes_first(
    private_pcscd: PrivatePcscd, pcsc_reader: Slot, second_pcsc_reader: Slot
) -> None:
    with FakeCard(pcsc_reader.port, atr=ATR_T0), ReaderMonitor() as monitor:
        private_pcscd.wait_for_card(pcsc_reader.name, present=True)
        watch = monitor.watch(timeout=PATIENT)
        first = [next(watch) for _ in range(len(private_pcscd.slots) + 1)]
    assert ReaderEvent(ADDED, second_pcsc_reader.name) in first
    added = first.index(ReaderEvent(ADDED, pcsc_reader.name))
    assert first[added + 1] == ReaderEvent(INSERTED, pcsc_reader.name, ATR_T0)


def test_cards_come_and_go_in_two_readers(
    events: Iterator[ReaderEvent], pcsc_reader: Slot, second_pcsc_reader: Slot
) -> None:
    with FakeCard(pcsc_reader.port, atr=ATR_T0):
        assert next(events) == ReaderEvent(INSERTED, pcsc_reader.name, ATR_T0)
        with FakeCard(second_pcsc_reader.port, atr=ATR_T1):
            assert next(events) == ReaderEvent(INSERTED, second_pcsc_reader.name, ATR_T1)
        assert next(events) == ReaderEvent(REMOVED, second_pcsc_reader.name, ATR_T1)
    assert next(events) == ReaderEvent(REMOVED, pcsc_reader.name, ATR_T0)


def test_a_card_exchanged_while_nobody_listened_is_reported(
    private_pcscd: PrivatePcscd, events: Iterator[ReaderEvent], pcsc_reader: Slot
) -> None:
    """Same reader, same kind of card, and occupied before and after: only the counter gives the exchange away."""
    with FakeCard(pcsc_reader.port):
        assert next(events).kind is INSERTED
        private_pcscd.wait_for_card(pcsc_reader.name, present=True)
    private_pcscd.wait_for_card(pcsc_reader.name, present=False)
    with FakeCard(pcsc_reader.port):
        private_pcscd.wait_for_card(pcsc_reader.name, present=True)
        assert next(events) == ReaderEvent(REMOVED, pcsc_reader.name, ATR_T1)
        assert next(events) == ReaderEvent(INSERTED, pcsc_reader.name, ATR_T1)
    assert next(events) == ReaderEvent(REMOVED, pcsc_reader.name, ATR_T1)


def test_a_visit_that_nobody_saw_is_reported(
    private_pcscd: PrivatePcscd, events: Iterator[ReaderEvent], pcsc_reader: Slot, second_pcsc_reader: Slot
) -> None:
    with FakeCard(pcsc_reader.port):
        private_pcscd.wait_for_card(pcsc_reader.name, present=True)
    private_pcscd.wait_for_card(pcsc_reader.name, present=False)
    assert next(events) == ReaderEvent(INSERTED, pcsc_reader.name)
    assert next(events) == ReaderEvent(REMOVED, pcsc_reader.name)


def test_a_restart_of_the_service_is_reported_with_its_gap_and_what_changed(
    all_readers: PrivatePcscd, events: Iterator[ReaderEvent]
) -> None:
    with all_readers.slot() as stays_empty, all_readers.slot() as reader:
        with FakeCard(reader.port, atr=ATR_T0):
            assert next(events) == ReaderEvent(INSERTED, reader.name, ATR_T0)
            all_readers.stop()
            assert next(events) == ReaderEvent(LOST)
        all_readers.start()
        with FakeCard(reader.port, atr=ATR_T1):
            all_readers.wait_for_card(reader.name, present=True)
            back = next(events)
            assert back.kind is BACK
            assert back.gap > 0
            assert next(events) == ReaderEvent(REMOVED, reader.name, ATR_T0)
            assert next(events) == ReaderEvent(INSERTED, reader.name, ATR_T1)
        assert next(events) == ReaderEvent(REMOVED, reader.name, ATR_T1)
        with FakeCard(stays_empty.port):
            assert next(events) == ReaderEvent(INSERTED, stays_empty.name, ATR_T1)


def test_readers_that_did_not_come_back_with_the_service(
    all_readers: PrivatePcscd, events: Iterator[ReaderEvent]
) -> None:
    before = {slot.name for slot in all_readers.slots}
    all_readers.restart(readers=2)
    missing = before - {slot.name for slot in all_readers.slots}
    assert next(events).kind is LOST
    assert next(events).kind is BACK
    assert {next(events) for _ in missing} == {ReaderEvent(GONE, name) for name in missing}


def test_a_service_that_is_not_there_yet(all_readers: PrivatePcscd) -> None:
    all_readers.stop()
    with ReaderMonitor() as monitor:
        watch = monitor.watch(timeout=PATIENT)
        assert next(watch) == ReaderEvent(LOST)
        all_readers.start()
        assert next(watch).kind is BACK
        assert next(watch).kind is ADDED


def test_stop_wakes_a_watch_that_waits(private_pcscd: PrivatePcscd, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a slice that outlasts the test, nothing but the cancelled wait can end it."""
    monkeypatch.setattr(monitor_module, "SLICE", 10_000_000)
    reported = threading.Semaphore(0)
    monitor = ReaderMonitor()

    def consume() -> None:
        for _ in monitor.watch():
            reported.release()

    thread = threading.Thread(target=consume, daemon=True)
    thread.start()
    for _ in private_pcscd.slots:
        assert reported.acquire(timeout=PATIENT)
    for _ in range(200):  # a stop just before the wait begins is seen only after the slice, so call again
        monitor.stop()
        thread.join(0.1)
        if not thread.is_alive():
            break
    assert not thread.is_alive()
    assert list(monitor.watch()) == [], "stopped for good"


def test_a_watch_ends_with_its_time(private_pcscd: PrivatePcscd) -> None:
    with ReaderMonitor() as monitor:
        assert len(list(monitor.watch(timeout=0.1))) == len(private_pcscd.slots)
    with ReaderMonitor() as monitor:
        assert list(monitor.watch(timeout=0)) == []


def test_an_abandoned_watch_gives_its_context_back(scripted: ScriptedScard) -> None:
    watch = ReaderMonitor().watch()
    assert next(watch) == ReaderEvent(ADDED, "Reader A")
    del watch
    assert scripted.calls[-1] == "SCardReleaseContext"


def test_a_reader_plugged_in_while_watching(scripted: ScriptedScard) -> None:
    """pcscd adds nothing but USB readers while it runs, so this one is on paper."""
    with ReaderMonitor() as monitor:
        watch = monitor.watch(timeout=PATIENT)
        assert next(watch) == ReaderEvent(ADDED, "Reader A")
        scripted.on_wait = lambda: scripted.readers.append("Reader B")
        assert next(watch) == ReaderEvent(ADDED, "Reader B")


def test_a_reader_unplugged_with_its_card_and_between_two_calls(scripted: ScriptedScard) -> None:
    scripted.flags["Reader A"] = scard.SCARD_STATE_PRESENT
    with ReaderMonitor() as monitor:
        watch = monitor.watch(timeout=PATIENT)
        assert [next(watch).kind, next(watch).kind] == [ADDED, INSERTED]

        def unplug() -> None:
            scripted.fails("wait", scard.SCARD_E_UNKNOWN_READER)
            scripted.readers = []

        scripted.on_wait = unplug
        assert [next(watch), next(watch)] == [ReaderEvent(REMOVED, "Reader A"), ReaderEvent(GONE, "Reader A")]


def test_a_service_that_wakes_us_for_nothing_does_not_keep_us_busy(
    scripted: ScriptedScard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every wait returns at once with a change that the next look does not find; a pause must follow each."""
    steps: list[str] = []
    monkeypatch.setattr(ReaderMonitor, "_pause", lambda *_: steps.append("pause"))
    with ReaderMonitor() as monitor:
        watch = monitor.watch(timeout=PATIENT)
        assert next(watch).kind is ADDED

        def wait() -> None:
            steps.append("wait")
            if len(steps) > 5:
                monitor.stop()

        scripted.on_wait = wait
        assert list(watch) == []
    assert steps[:5] == ["wait", "pause", "wait", "pause", "wait"]


def test_a_failing_service_is_reported_once_and_tried_again_with_pauses(
    scripted: ScriptedScard, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripted.fails("SCardEstablishContext", scard.SCARD_E_NO_SERVICE)

    def heal(_: object, end: float | None) -> None:
        if scripted.calls.count("SCardEstablishContext") == 3:
            scripted.fails("SCardEstablishContext", 0)

    monkeypatch.setattr(ReaderMonitor, "_pause", heal)
    with ReaderMonitor() as monitor:
        watch = monitor.watch(timeout=PATIENT)
        assert [next(watch).kind for _ in range(3)] == [LOST, BACK, ADDED]


def test_events_speak_both_languages_and_name_the_reader() -> None:
    for kind in EventKind:
        zh, en = ReaderEvent(kind, "Reader A").text
        assert zh != en
    assert "Reader A" in ReaderEvent(INSERTED, "Reader A").text.en
    assert "1.5 s" in ReaderEvent(BACK, gap=1.5).text.en
    assert ReaderEvent(LOST).text == LOST.text


seen = st.builds(
    lambda present, atr, counter: Seen(present, atr if present else b"", counter),
    st.booleans(),
    st.sampled_from([ATR_T0, ATR_T1]),
    st.none() | st.sampled_from([0, 1, 2, 3, 0xFFFF]),
)
views = st.dictionaries(st.sampled_from("ABC"), seen)


@given(views, views)
def test_the_events_lead_from_one_view_to_the_other(before: dict[str, Seen], after: dict[str, Seen]) -> None:
    """Whoever keeps a list of readers and cards by the events ends with the right one, and no event contradicts it."""
    model = {name: view.atr if view.present else None for name, view in before.items()}
    for event in changes(before, after):
        match event.kind:
            case EventKind.READER_ADDED:
                assert event.reader not in model
                model[event.reader] = None
            case EventKind.READER_REMOVED:
                assert model.pop(event.reader) is None
            case EventKind.CARD_INSERTED:
                assert model[event.reader] is None
                model[event.reader] = event.atr
            case _:
                assert event.kind is REMOVED
                assert model[event.reader] == event.atr
                model[event.reader] = None
    assert {name: atr is not None for name, atr in model.items()} == {
        name: view.present for name, view in after.items()
    }


@pytest.mark.parametrize(
    ("old", "new", "kinds"),
    [
        (Seen(False, b"", 5), Seen(True, ATR_T1, 6), [INSERTED]),
        (Seen(True, ATR_T1, 6), Seen(False, b"", 7), [REMOVED]),
        (Seen(True, ATR_T1, 6), Seen(True, ATR_T1, 8), [REMOVED, INSERTED]),
        (Seen(True, ATR_T1, 0xFFFF), Seen(True, ATR_T1, 1), [REMOVED, INSERTED]),
        (Seen(False, b"", 5), Seen(False, b"", 7), [INSERTED, REMOVED]),
        (Seen(False, b"", 5), Seen(True, ATR_T1, 8), [INSERTED, REMOVED, INSERTED]),
        (Seen(True, ATR_T1, 6), Seen(False, b"", 9), [REMOVED, INSERTED, REMOVED]),
        (Seen(True, b"", 6), Seen(True, ATR_T1, 6), []),  # the same card, answering at last
        (
            Seen(True, ATR_T0, None),
            Seen(True, ATR_T1, 1),
            [REMOVED, INSERTED],
        ),  # nobody counted: another ATR tells
        (Seen(True, ATR_T1, None), Seen(True, ATR_T1, 1), []),
    ],
)
def test_the_counter_tells_what_the_view_does_not(old: Seen, new: Seen, kinds: list[EventKind]) -> None:
    assert [event.kind for event in changes({"A": old}, {"A": new})] == kinds
