"""The C interface of the compiled libraries, declared here alone: constants, structures, and calls with their codes.

`compiling/headers.py` makes the C++ of it, `declare` the Python. Of each call, the C++ function in namespace distnorm
says what it does; a generated one of the same name, with dn_ before it, is what Python calls. One of type void can
fail: the first throws, the second returns a code, and Python raises `CallFailed`. Any other has 0 for a failure.
"""

from __future__ import annotations

import ctypes
from typing import Any, NamedTuple

import numpy as np

from ..errors import KernelError
from ..mpi.message import HEADER
from ..norms import drift, histogram
from ..norms.bounds import EVENTS, LEAST
from ..norms.sums import LARGEST_WHOLE_POWER
from ..rules.node_ids import Int64Array
from .limits import CLOSE

CODES = ("OK", "FAILED", "STALE", "FORGOTTEN", "NO_MODEL", "USED")
"""Outcome of a call. FAILED: an exception, with a text. STALE: nodes or threads have changed since a group was opened.
FORGOTTEN: the group has sources, which NEST has not kept. NO_MODEL: no normalized model is made of a synapse model.
USED: a synapse model has connections.
"""
KINDS = ("measure", "tally", "scale", "move", "update", "collect", "moments", "histogram")
"""Of a `Pass`, by number."""
NORMS = ("l1", "l2", "lp", "linf", "sum")
"""Of a `Pass`, by number; lp is any other power."""

CONSTANTS = (  # type, name, value
    ("double", "least", LEAST.hex()),
    ("double", "closeness", CLOSE),
    ("double", "largest_whole_power", LARGEST_WHOLE_POWER),
    ("size_t", "num_events", EVENTS),
    ("size_t", "num_bins", histogram.BINS),
    ("double", "most_units", histogram.MOST_UNITS),
    ("size_t", "num_drift_bins", drift.BINS),
    ("double", "lowest_drift", drift.LOWEST.hex()),
    ("double", "largest_drift", drift.LARGEST),
    ("double", "drift_step", drift.STEP),
    ("double", "drift_fraction", drift.FRACTION),
)

STRUCTURES = {
    # A list of whole numbers, or of several for each of what is listed.
    "Ints": """
        int64_t size;
        const int64_t* values;
    """,
    # A table of connections. Offsets of columns are in bytes from the beginning of a row; -1: it has no such column.
    "Columns": """
        char* rows;
        int64_t size; // bytes of a row
        int64_t* next; // by target: number of the next row, -1: leave out; null where rows are only read
        int64_t source;
        int64_t target;
        int64_t weight;
        int64_t delay;
        int64_t receptor;
        int64_t label;
        int64_t model;
        int64_t location;
    """,
    # What to do with the connections of a group; arrays but for low, high and edges are by target.
    "Pass": """
        int64_t kind;
        int64_t norm;
        double power;
        int64_t current; // whether weights are read as if they were up to date
        int64_t shifts; // whether to add to the weights instead of multiplying
        const double* at; // factor or shift, NaN: leave alone; null: no change
        const double* flat; // above zero: the target's weights become equal; null: none
        const double* low; // bounds of |w| per synapse model of the group, NaN: the synapse's own
        const double* high;
        double* out; // rows of the result; of a change: it is counted and not made; null: none
        double* rests; // likewise, what the rounding of each sum leaves; null: not asked for
        const int64_t* weight_unit; // weights count in 2^weight_unit; null: in 1
        const int64_t* norm_unit; // norms and bounds count in 2^norm_unit; null: in 1
        const Columns* columns; // to collect
        const double* edges; // of a histogram's bins, the last just above them; null: only extents are found
        double per_unit; // weights are summed up for a histogram as whole multiples of 1 / per_unit
    """,
    # What is worked out of a pass that measures; arrays are by target.
    "Look": """
        const int64_t* node_ids;
        const double* target_norms; // null: mean_weight tells
        double mean_weight;
        double tolerance;
        double side; // 1 or -1 to leave alone what is below or above; 0 for neither
        int64_t skips_zero; // whether targets of norm zero are left alone
        int64_t counts_no_input; // 1 to count targets without connections, else 0
        double* factors; // written
        DriftRecord* record; // written
        int64_t due; // written: number of factors that are not 1
    """,
    # A connection of a sample. `size`, of all connections of its model on its thread, tells whether it was moved.
    "Place": """
        int64_t thread;
        int64_t synapse_id;
        int64_t port;
        int64_t size;
        int64_t source; // 0 where NEST does not tell
        int64_t target;
        double weight;
        double least; // limits; NaN: none
        double most;
    """,
    # A connection in memory and on disk. The first 16 bytes tell connections apart.
    "Row": """
        uint32_t source;
        uint32_t target;
        uint32_t delay_steps;
        uint16_t receptor;
        uint16_t model; // position in Connections.models
        double weight;
    """,
}

RECORDS = {
    "DriftRecord": drift.RECORD,
    "WatchedRecord": histogram.RECORD,
    "MessageHeader": np.dtype(list(HEADER)),
}
"""Structures of which numpy has the fields."""
ADDED = {"drift": ("DriftRecord", drift.ADDED), "watched": ("WatchedRecord", histogram.ADDED)}
"""Their numbers that add up, arrays apart."""

_EVERY = """
    const char* self_test()
"""
_KERNEL = """
    const char* error_text()
    const char* error_kind()

    void add_type( const ConnectionType* type )
    const char* class_of( int64_t synapse_id )
    int64_t bytes_of( int64_t synapse_id )
    int64_t sources_are_known()
    int64_t connections_have_changed()
    void agree_on_delays()
    void list_model_runs( Ints* found )
    const char* node_model_name( int64_t number )

    void open_group( Ints synapse_ids, Ints targets, Ints sources, Ints receptors, Ints labels, Ints excluded, \
        Ints neuron_models, int64_t sign, int64_t by_source, Group** group, int64_t* num_targets )
    void close_group( Group* group )
    void list_targets( Group* group, int64_t* node_ids )
    void run_passes( int64_t number, Group** groups, Pass* passes )
    void look( int64_t number, Group** groups, Pass* passes, Look* looks, int64_t* plain )
    void merge_messages( char* into, char* other )
    void create_operation( int64_t handle )
    void count_labels( Group* group, Ints* found )

    void try_to_set( int64_t synapse_id )
    void read_connection( int64_t thread, int64_t synapse_id, int64_t port, double* weight, int64_t* target )
    void sample( int64_t synapse_id, int64_t turn, int64_t room, Place* places, int64_t* number )
    void weights_now( int64_t number, Place* places, double* weights )
    void current_weights( int64_t number, Place* places, double* weights )

    void check_weights( Columns* rows, int64_t number, int64_t* wrong )
    void write_weights( Columns* rows, int64_t number )

    int64_t count_rows( int64_t thread, int64_t synapse_id )
    void get_rows( int64_t thread, int64_t synapse_id, int64_t first, int64_t number, Row* rows, double* state )
    void set_rows( int64_t thread, int64_t synapse_id, int64_t first, int64_t number, Row* rows, double* state )
    uint64_t fingerprint( int64_t number, Row* rows )

    void begin_piece( int64_t steps )
    int64_t end_piece()
    void go_on()
    void give_up()
    int64_t steps_of_slice()
    int64_t steps_since_slice()
"""
_EXACT = """
    void install_models()
    void replace_model( const char* name )
    int64_t norms_of( int64_t synapse_id )
    void open_accounts( Group* group, int64_t power )
    int64_t is_stale( Group* group )
    void want_norms( Group* group, double* norms, double mean_weight, int64_t anew )
    void find_nearest( Group* group, double* norms, double* nearest )
    void list_deviations( Group* group, double* deviations )
"""
_EXTENSION = """
    const ConnectionType* type_at( int64_t number )
"""


_CTYPES = {"double": "c_double"} | {f"{name}_t": f"c_{name}" for name in ("int64", "uint64", "uint32", "uint16")}


def fields_of(structure: str) -> list[tuple[str, Any]]:
    """Names and ctypes of the fields of a structure; all pointers are void*."""
    lines = (line.partition(";")[0] for line in STRUCTURES[structure].strip().splitlines())
    declared = [_declared(line) for line in lines]
    return [(name, ctypes.c_void_p if kind[-1] == "*" else getattr(ctypes, _CTYPES[kind])) for kind, name in declared]


def _declared(text: str) -> tuple[str, str]:
    """Type and name of what is declared."""
    kind, _, name = text.strip().rpartition(" ")
    return kind, name


class IntsStruct(ctypes.Structure):
    """Ints, of the library's own: valid until the next call."""

    _fields_ = fields_of("Ints")


class ColumnsStruct(ctypes.Structure):
    """Columns."""

    _fields_ = fields_of("Columns")


class PassStruct(ctypes.Structure):
    """Pass."""

    _fields_ = fields_of("Pass")


class LookStruct(ctypes.Structure):
    """Look."""

    _fields_ = fields_of("Look")


PLACE = np.dtype(fields_of("Place"))
SAMPLE = 300
"""Connections of a sample, at most: 2 microseconds each in place, 30 through PyNEST."""
ROW = np.dtype(fields_of("Row"))

_ARGUMENTS: dict[str, Any] = {
    **{kind: getattr(ctypes, name) for kind, name in _CTYPES.items()},
    **dict.fromkeys(("Group*", "const ConnectionType*"), ctypes.c_void_p),
    "const char*": ctypes.c_char_p,
    "int64_t*": np.ctypeslib.ndpointer(np.int64, flags="C"),
    "double*": np.ctypeslib.ndpointer(np.float64, flags="C"),
    "Place*": np.ctypeslib.ndpointer(PLACE, flags="C"),
    "Row*": np.ctypeslib.ndpointer(ROW, flags="C"),
    "Ints": IntsStruct,
    "Ints*": ctypes.POINTER(IntsStruct),
    "Pass*": ctypes.POINTER(PassStruct),
    "Look*": ctypes.POINTER(LookStruct),
    "char*": ctypes.c_void_p,
    "Columns*": ctypes.POINTER(ColumnsStruct),
    "Group**": ctypes.POINTER(ctypes.c_void_p),
}


class CallFailed(KernelError):
    """A call that did not succeed.

    Attributes:
        code: One of the codes but "OK".
        text: What went wrong.
        kind: Name of NEST's exception that the text is of; empty for any other.
    """

    def __init__(self, code: str, text: str, kind: str) -> None:
        super().__init__(f"the kernel failed: {text}")
        self.code, self.text, self.kind = code, text, kind


class Call(NamedTuple):
    """A call: type of its result, name, types and names of its arguments."""

    result: str
    name: str
    arguments: tuple[tuple[str, str], ...]


def _parsed(calls: str) -> list[Call]:
    found = []
    for line in filter(None, map(str.strip, calls.splitlines())):
        before, _, after = line.rstrip(")").partition("(")
        found.append(Call(*_declared(before), tuple(_declared(argument) for argument in after.split(",") if argument)))
    return found


PARTS = ("every", "kernel", "exact", "extension")
"""Of the interface: calls of every library, of both kernels, of the one with normalized models, and of extensions."""

CALLS = dict(zip(PARTS, map(_parsed, (_EVERY, _KERNEL, _EXACT, _EXTENSION)), strict=True))


def declare(library: ctypes.CDLL, *parts: str) -> None:
    """Tell a library the types of its calls, and have those that fail raise `CallFailed`.

    Args:
        library: Its calls have dn_ before their names.
        parts: Some of `PARTS`.

    Raises:
        AttributeError: It has no such call.
    """

    def check(code: int, *_: Any) -> None:
        if code:
            text, kind = (call().decode(errors="replace") for call in (library.dn_error_text, library.dn_error_kind))
            raise CallFailed(CODES[code], text, kind)

    for call in (call for part in parts for call in CALLS[part]):
        function = getattr(library, f"dn_{call.name}")
        function.argtypes = [_ARGUMENTS[kind] for kind, _ in call.arguments]
        if call.result == "void":
            function.restype, function.errcheck = ctypes.c_int, check
        else:
            function.restype = _ARGUMENTS[call.result]


def ints(array: Int64Array) -> IntsStruct:
    """An array, which must stay alive, as what a call takes."""
    return IntsStruct(len(array), array.ctypes.data)


def listed(call: Any, *arguments: Any, columns: int) -> Int64Array:
    """What a call lists, shape (n, columns)."""
    found = IntsStruct()
    call(*arguments, ctypes.byref(found))
    if not found.size:
        return np.zeros((0, columns), np.int64)
    values = ctypes.cast(found.values, ctypes.POINTER(ctypes.c_int64))
    result: Int64Array = np.ctypeslib.as_array(values, (found.size // columns, columns)).copy()
    return result
