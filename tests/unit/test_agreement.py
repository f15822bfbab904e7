"""One message from all ranks: which error wins, and what is left of it; here without MPI."""

import signal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distnorm import DistnormError, RuleError, errors
from distnorm.mpi import ranks as parallel
from distnorm.mpi.message import _TEXT_BYTES, merge, message_type
from distnorm.norms import drift

NO_RECORDS = np.zeros(0, drift.RECORD)

relaxed = settings(deadline=None)
long_texts = st.builds(
    lambda head, unit: head + unit * 200,
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=3),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=4),
)


def message_of(rank, kind):
    message = np.zeros((), message_type(1))
    if kind:
        message["error_kind"], message["error_rank"], message["error_text"] = kind, rank, f"from {rank}".encode()
    message["drift"] = drift.summarize(np.array([1.0 + rank]), np.ones(1), np.array([3]), np.array([rank + 1]))
    return message


def merged(messages):
    into = messages[0].copy()
    for other in messages[1:]:
        merge(into, other)
    return into


@relaxed
@given(st.lists(st.integers(0, len(errors.KINDS)), min_size=1, max_size=6), st.data())
def test_the_error_of_the_lowest_rank_wins_in_any_order_and_grouping(kinds, data):
    messages = [message_of(rank, kind) for rank, kind in enumerate(kinds)]
    shuffled = data.draw(st.permutations(messages))
    cut = data.draw(st.integers(1, len(messages)))
    groups = [group for group in (shuffled[:cut], shuffled[cut:]) if group]
    result = merged([merged(group) for group in groups])
    rank, kind = next(((rank, kind) for rank, kind in enumerate(kinds) if kind), (0, 0))
    assert (result["error_rank"], result["error_kind"]) == (rank, kind)
    assert result["error_text"].item() == (f"from {rank}".encode() if kind else b"")
    assert drift.read(result["drift"][0]).targets == len(kinds)
    assert drift.read(result["drift"][0]).worst_target == len(kinds)


def test_every_error_has_its_place_in_the_message():
    defined = {value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, DistnormError)}
    assert set(errors.KINDS) == defined | {KeyboardInterrupt}
    assert len(errors.KINDS) == len(set(errors.KINDS))


@pytest.mark.parametrize("kind", errors.KINDS)
def test_an_error_comes_back_as_it_was(kind):
    error = kind("weight of neuron 7 is nan µV")
    ranks = parallel.Ranks()
    for agree in (lambda: ranks.agree(NO_RECORDS, error), lambda: ranks.settle(error, 1, 2)):
        with pytest.raises(kind) as raised:
            agree()
        assert type(raised.value) is kind
        assert str(raised.value) == str(error)
        assert raised.value.__cause__ is error


def test_a_foreign_exception_keeps_the_name_of_its_type():
    with pytest.raises(DistnormError, match=r"^ZeroDivisionError: 7 by nothing$") as raised:
        parallel.Ranks().agree(NO_RECORDS, ZeroDivisionError("7 by nothing"))
    assert type(raised.value) is DistnormError


@relaxed
@given(long_texts)
def test_a_long_text_is_cut_between_two_characters(text):
    with pytest.raises(DistnormError) as raised:
        parallel.Ranks().agree(NO_RECORDS, DistnormError(text))
    kept = str(raised.value)
    assert text.startswith(kept)
    assert min(len(text.encode()), _TEXT_BYTES - 3) <= len(kept.encode()) <= _TEXT_BYTES


def test_without_an_error_the_records_come_back():
    records = np.array([message_of(rank, 0)["drift"][0] for rank in range(3)])
    assert parallel.Ranks().agree(records).tobytes() == records.tobytes()


def test_together_gives_the_result_or_the_error():
    ranks = parallel.Ranks()
    assert ranks.together(lambda: 42) == 42
    with pytest.raises(DistnormError, match="KeyError: 'gone'"):
        ranks.together(lambda: {}["gone"])


def test_an_interrupt_waits_for_the_next_agreement():
    ranks = parallel.Ranks()
    reached = []
    with pytest.raises(KeyboardInterrupt), ranks.interruptible():
        signal.raise_signal(signal.SIGINT)
        reached.append("after the signal")
        ranks.settle()
    assert reached and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    ranks.settle()  # it was raised, and is over


def test_an_interrupt_that_no_agreement_followed_is_raised_at_the_end():
    with pytest.raises(KeyboardInterrupt), parallel.Ranks().interruptible():
        signal.raise_signal(signal.SIGINT)


def test_a_single_process_is_the_first_and_only_rank():
    ranks = parallel.Ranks()
    assert (ranks.rank, ranks.size) == (0, 1)
    assert ranks.from_first(lambda: 42) == ranks.once_per_node(lambda: 42) == 42
    assert ranks.gather("mine") == ["mine"]


def test_text_that_cannot_be_encoded_still_reaches_everyone():
    with pytest.raises(DistnormError, match=r"ValueError: /tmp/\\udcff"):
        parallel.Ranks().together(lambda: (_ for _ in ()).throw(ValueError("/tmp/\udcff")))


def test_a_subclass_travels_as_its_nearest_known_class():
    class OwnRuleError(RuleError):
        pass

    with pytest.raises(RuleError, match="own"):
        parallel.Ranks().agree(np.zeros(0, drift.RECORD), OwnRuleError("own"))
