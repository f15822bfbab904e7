"""The C++ headers that are generated when a library is compiled: those of the models, and the C interface.

distnorm_shared.h      constants and structures that Python has too
distnorm_..._calls.h   what Python calls of each library
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from ...norms.bounds import ROWS
from ...norms.histogram import ROWS as WATCHED
from ...norms.passes import COUNTED, MOMENTS
from ..kernel_interface import (
    ADDED,
    CALLS,
    CODES,
    CONSTANTS,
    KINDS,
    NORMS,
    RECORDS,
    STRUCTURES,
    Call,
    fields_of,
)
from ..synapse_models import SynapseModel
from .model_headers import models_header, normalized_header

_TYPES = {np.dtype(name): f"{name}_t" for name in ("int64", "int32", "uint32")} | {np.dtype(float): "double"}


def headers_of_nest(models: Sequence[SynapseModel]) -> dict[str, str]:
    """Text of the headers of the kernel, by name, for these models of NEST."""
    models_text = models_header(
        (f"{model.name}.h" for model in models), {f"nest::{model.name}": model for model in models}
    )
    normalized = [model.name for model in models if model.normalized]
    return headers_with(models_text) | {"distnorm_normalized.h": normalized_header(normalized)}


def headers_with(models_text: str) -> dict[str, str]:
    """Text of the headers of an extension's library, by name, with this text of distnorm_models.h."""
    calls = {f"distnorm_{part}_calls.h": _calls_header(of_part) for part, of_part in CALLS.items()}
    return {"distnorm_models.h": models_text, "distnorm_shared.h": _shared_header(), **calls}


def _shared_header() -> str:
    constants = "\n".join(f"constexpr {kind} {name} = {value};" for kind, name, value in CONSTANTS)
    return f"""#pragma once
#include <cstddef>
#include <cstdint>

namespace distnorm
{{
enum Code : int {{ {", ".join(CODES)} }};
enum Kind : int64_t {{ {", ".join(KINDS).upper()} }};
enum Norm : int64_t {{ {", ".join(NORMS).upper()} }};
namespace tallied {{ enum : size_t {{ {", ".join(ROWS)} }}; }}
namespace moments {{ enum : size_t {{ {", ".join(MOMENTS)} }}; }}
namespace counted {{ enum : size_t {{ {", ".join(COUNTED)} }}; }}
namespace watched {{ enum : size_t {{ {", ".join(WATCHED)} }}; }}
{constants}
{"".join(map(_record, RECORDS))}{"".join(map(_structure, STRUCTURES))}{"".join(map(_addition, ADDED))}\
}} // namespace distnorm
"""


def _structure(name: str) -> str:
    size = np.dtype(fields_of(name)).itemsize
    return f"struct {name}\n{{{STRUCTURES[name]}}};\nstatic_assert( sizeof( {name} ) == {size} );\n"


def _record(name: str) -> str:
    fields = []
    for field, (kind, *_) in (RECORDS[name].fields or {}).items():
        length = f"[ {kind.shape[0]} ]" if kind.shape else ""
        fields.append(f"  {_TYPES[kind.base]} {field}{length};\n")
    size = RECORDS[name].itemsize
    return f"struct {name}\n{{\n{''.join(fields)}}};\nstatic_assert( sizeof( {name} ) == {size} );\n"


def _addition(name: str) -> str:
    record, numbers = ADDED[name]
    sums = "".join(f"  into.{number} += other.{number};\n" for number in numbers)
    return f"inline void\nadd_{name}_counts( {record}& into, const {record}& other )\n{{\n{sums}}}\n"


def _calls_header(calls: Iterable[Call]) -> str:
    return f"namespace distnorm\n{{\n{''.join(map(_call, calls))}}} // namespace distnorm\n"


def _call(call: Call) -> str:
    parameters = ", ".join(f"{kind} {name}" for kind, name in call.arguments)
    names = ", ".join(name for _, name in call.arguments)
    result, run = ("int", "guarded") if call.result == "void" else (call.result, "value_of")
    return f"""extern "C" __attribute__( ( visibility( "default" ) ) ) {result}
dn_{call.name}( {parameters} )
{{
  return {run}( [ & ] {{ return {call.name}( {names} ); }} );
}}
"""
