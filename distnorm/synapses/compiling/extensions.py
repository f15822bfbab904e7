"""Synapse models of NEST extensions, compiled in: `distnorm build --synapse HEADER.h`.

parse            header -> the class of its connections and where they keep their weight
build_extension  compiles that, against the same headers as the kernel, into a library beside it
add_extensions   finds the libraries of models that the kernel does not know, on every rank, and hands their types to it

A library's name holds the key of the kernel's sources and the class, so that a process that meets the model finds it
without the header. Whether it still fits the model is seen by the size of a connection and the comparison with PyNEST.
"""

from __future__ import annotations

import ctypes
import platform
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import KernelError
from ...mpi.ranks import Ranks
from ..kernel_interface import declare
from ..kernel_library import class_of
from ..synapse_models import SynapseModel
from .library import cache_folder, compile_for, compiled, stem_of
from .loading import load_library
from .model_headers import models_header

# Whatever else the header defines, such as a function that registers the model, is dropped, with what it would call.
_FLAGS = ("-fvisibility=hidden", "-ffunction-sections", "-fdata-sections", "-Wl,--gc-sections")
_NOT_CODE = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"', re.DOTALL)
_SCOPE = re.compile(r"namespace\s+([\w:]+)\s*\{|\{|\}")
_CLASS = re.compile(
    r"template\s*<\s*(?:typename|class)\s+\w+\s*>\s*class\s+(\w+)\s*(?:final\s*)?:\s*public\s+(?:nest::)?Connection\s*<"
)
_WEIGHT = re.compile(r"void\s+set_weight\s*\(\s*(?:const\s+)?double\s+(\w+)\s*\)\s*\{\s*([\w.]+)\s*=\s*\1\s*;")
_SPELLING = "write HEADER.h,CLASS,WEIGHT, as in my_synapse.h,nest::my_synapse,weight_"


@dataclass(frozen=True, kw_only=True)
class Extension:
    """The connections of an extension's synapse model.

    Attributes:
        header: C++ header with their class template.
        class_name: Its qualified name.
        weight: Data member with the weight, or such a member of a data member (S_.w).
        needs: Headers to include before it: NESTML's name the class of their neuron without including it.
    """

    header: Path
    needs: tuple[Path, ...]
    class_name: str
    weight: str


def parse(text: str) -> Extension:
    """What HEADER.h[,CLASS[,WEIGHT]] means; what is not stated is read off the header.

    Raises:
        KernelError: No such file, or the header does not tell.
    """
    if text.count(",") > 2:
        raise KernelError(f"--synapse {text} has too many commas; {_SPELLING}")
    path, class_name, weight = (part.strip() for part in (text + ",,").split(",")[:3])
    header = Path(path).resolve()
    try:
        code = _NOT_CODE.sub(" ", header.read_text(encoding="utf-8", errors="replace"))
    except OSError as error:
        raise KernelError(
            f"cannot read synapse header {path}: {error.strerror}; name the header of its class"
        ) from None
    classes = {_scope(code, match.start()) + match[1]: match.start() for match in _CLASS.finditer(code)}
    class_name = class_name or _only(header, classes)
    setter = _WEIGHT.search(code, classes.get(class_name, 0))
    if not weight and not setter:
        raise KernelError(f"{header} does not tell where {class_name} keeps its weight; {_SPELLING}")
    words = set(re.findall(r"\w+", code)) - {header.stem}
    needs = tuple(beside for beside in sorted(header.parent.glob("*.h")) if beside.stem in words)
    return Extension(header=header, needs=needs, class_name=class_name, weight=weight or (setter[2] if setter else ""))


def _only(header: Path, classes: Iterable[str]) -> str:
    like = [name for name in classes if name.rpartition("::")[2] == header.stem] or list(classes)
    if len(like) != 1:
        found = f"several: {', '.join(like)}" if like else "none"
        raise KernelError(
            f"{header} should have one class template derived from nest::Connection, and has {found}; {_SPELLING}"
        )
    return like[0]


def _scope(code: str, position: int) -> str:
    """The namespaces open at a position, as a prefix."""
    scopes: list[str] = []
    for match in _SCOPE.finditer(code, 0, position):
        if match[0] != "}":
            scopes.append(match[1] or "")
        elif scopes:
            scopes.pop()
    return "".join(f"{scope}::" for scope in scopes if scope)


def build_extension(nest: Any, prefix: str, kernel: Path, extension: Extension) -> Path:
    """Compile the types of an extension for a compiled kernel; local to this process.

    Raises:
        KernelError: They do not compile, or the cache cannot be written.
    """
    model = SynapseModel(extension.class_name, weight=extension.weight, limits=None)
    models = models_header(map(str, (*extension.needs, extension.header)), {extension.class_name: model})
    _, key, compiler = kernel.stem.split("-")
    target = kernel.with_name(f"{_stem(key, extension.class_name)}-{compiler}.so")
    compile_for(nest, prefix, "extension.cpp", models, target, (*_FLAGS, f"-I{extension.header.parent}"))
    return target


def build_extension_on(nest: Any, ranks: Ranks, kernel: Path, text: str) -> Path:
    """As `build_extension` for HEADER.h[,CLASS[,WEIGHT]], on every node. Collective.

    Raises:
        KernelError: The same on every rank.
    """
    prefix = nest.build_info["prefix"]  # on all ranks: a kernel status is collective while connections are new
    extension = ranks.together(lambda: parse(text))
    path = ranks.from_first(lambda: build_extension(nest, prefix, kernel, extension))
    ranks.once_per_node(lambda: None if ranks.rank == 0 else build_extension(nest, prefix, kernel, extension))
    return path


def add_extensions(nest: Any, ranks: Ranks, library: ctypes.CDLL, names: Iterable[str]) -> None:
    """Hand the types of compiled extensions to the kernel for the models that it does not know. Collective.

    Also to the kernel with models that hold norms: both are compiled from the same headers.

    Raises:
        KernelError: A rank lacks a library that rank 0 has, or cannot load it.
    """
    unknown = sorted({class_of(nest, library, name) for name in names if not library.dn_bytes_of(_id(nest, name))})
    prefix = nest.build_info["prefix"]  # on all ranks: a kernel status is collective while connections are new
    anywhere = ranks.gather(unknown) or []  # ranks differ after an error in here that was caught
    found = ranks.from_first(lambda: _compiled_of(nest, prefix, set().union(*anywhere)))
    for name, file in found.items():
        mine = name in unknown
        ranks.together(lambda file=file, mine=mine: _add(library, cache_folder() / file) if mine else None)  # type: ignore[misc]


def _compiled_of(nest: Any, prefix: str, class_names: set[str]) -> dict[str, str]:
    """Names of the files of the extensions that were compiled, by their classes."""
    if not class_names:
        return {}  # the key is that of all of NEST's headers
    _, key = stem_of(nest, prefix, "kernel").split("-")
    return {name: path.name for name in sorted(class_names) if (path := compiled(_stem(key, name)))}


def _add(library: ctypes.CDLL, path: Path) -> None:
    if not path.exists():
        raise KernelError(
            f"{platform.node()} has no {path}, which rank 0 has; run distnorm build --synapse there too, or set "
            "DISTNORM_CACHE to a folder that all nodes share"
        )
    extension = load_library(path)
    declare(extension, "extension")
    number = 0
    while pointer := extension.dn_type_at(number):
        library.dn_add_type(pointer)
        number += 1


def _stem(key: str, class_name: str) -> str:
    return f"synapse-{key}-{class_name.replace('::', '.')}"


def _id(nest: Any, name: str) -> int:
    return int(nest.GetDefaults(name)["synapse_modelid"])
