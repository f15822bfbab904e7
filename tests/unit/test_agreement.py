"""One message from all ranks: which error wins, and what is left of it; here without MPI."""

import signal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distnorm import DistnormError, RuleError, errors
from distnorm.mpi import ranks as parallel
from distnorm.mpi.message import _TEXT_BYTES, merge, new_message
from distnorm.norms import drift

relaxed = settings(deadline=None)
long_texts = st.builds(
    lambda head, unit: head + unit * 200,
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=3),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=4),
)


def message_of(rank, busy_ns=0, *, wrong=False, size=6):
    message = new_message(1)
    message["wrong"] = wrong and size - rank
    message["busy_ns"], message["slowest"] = busy_ns, rank
    message["drift"] = drift.summarize(np.array([1.0 + rank]), np.ones(1), np.array([3]), np.array([rank + 1]))
    return message


def merged(messages):
    into = messages[0].copy()
    for other in messages[1:]:
        merge(into, other)
    return into


@relaxed
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 2)), min_size=1, max_size=6), st.data())
def test_the_error_of_the_lowest_rank_and_the_slowest_rank_win_in_any_order_and_grouping(ranks, data):
    messages = [message_of(rank, busy, wrong=wrong) for rank, (wrong, busy) in enumerate(ranks)]
    shuffled = data.draw(st.permutations(messages))
    cut = data.draw(st.integers(1, len(messages)))
    groups = [group for group in (shuffled[:cut], shuffled[cut:]) if group]
    result = merged([merged(group) for group in groups])
    assert result["wrong"] == max((6 - rank for rank, (wrong, _) in enumerate(ranks) if wrong), default=0)
    busy = [busy for _, busy in ranks]
    assert (result["busy_ns"], result["slowest"]) == (max(busy), busy.index(max(busy)))
    assert drift.read(result["drift"][0]).targets == len(ranks)
    assert drift.read(result["drift"][0]).worst_target == len(ranks)


def test_the_message_of_one_rule_is_small():
    assert new_message(1).nbytes <= 2048


def test_every_error_has_its_place_in_the_message():
    defined = {value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, DistnormError)}
    assert set(errors.KINDS) == defined | {KeyboardInterrupt}
    assert len(errors.KINDS) == len(set(errors.KINDS))


@pytest.mark.parametrize("kind", errors.KINDS)
def test_an_error_comes_back_as_it_was(kind):
    error = kind("weight of neuron 7 is nan µV")
    ranks = parallel.Ranks()
    for agree in (lambda: ranks.agree(new_message(0), error), lambda: ranks.settle(error, 1, 2)):
        with pytest.raises(kind) as raised:
            agree()
        assert type(raised.value) is kind
        assert str(raised.value) == str(error)
        assert raised.value.__cause__ is error


def test_a_foreign_exception_keeps_the_name_of_its_type():
    with pytest.raises(DistnormError, match=r"^ZeroDivisionError: 7 by nothing$") as raised:
        parallel.Ranks().agree(new_message(0), ZeroDivisionError("7 by nothing"))
    assert type(raised.value) is DistnormError


@relaxed
@given(long_texts)
def test_a_long_text_is_cut_between_two_characters(text):
    with pytest.raises(DistnormError) as raised:
        parallel.Ranks().agree(new_message(0), DistnormError(text))
    kept = str(raised.value)
    assert text.startswith(kept)
    assert min(len(text.encode()), _TEXT_BYTES - 3) <= len(kept.encode()) <= _TEXT_BYTES


def test_without_an_error_the_records_come_back():
    message = new_message(3)
    message["drift"] = [message_of(rank)["drift"][0] for rank in range(3)]
    assert parallel.Ranks().agree(message)["drift"].tobytes() == message["drift"].tobytes()


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
        parallel.Ranks().agree(new_message(0), OwnRuleError("own"))
