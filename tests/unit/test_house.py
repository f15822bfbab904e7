"""The order of the rooms: each imports only from those above it, and what is imported late has a reason."""

import ast
from pathlib import Path

import pytest

import distnorm

PACKAGE = Path(distnorm.__file__).parent
# docs/developing.md draws the same tree.
ROOMS = (
    "errors",
    "files",
    "rules",
    "norms",
    "intervals",
    "mpi",
    "synapses",
    "plain",
    "outgoing",
    "tables",
    "normalizer",
)
ROOMS += ("records", "runs", "attach", "doctor", "install", "bench", "cli", "__main__", "__init__")
FILES_IN_A_FOLDER = 14
HEAVY = {"nest", "mpi4py", "matplotlib", "pandas", "rich", "scipy", "tqdm"}


def name_of(path):
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts)


MODULES = {name_of(path): ast.parse(path.read_text()) for path in PACKAGE.rglob("*.py")}


def room_of(module):
    return module.partition(".")[0]


def imported(module, node):
    """Modules, or names outside of the package, that an import statement of a module asks for."""
    if isinstance(node, ast.Import):
        return {alias.name.partition(".")[0] for alias in node.names}
    if not node.level:
        return {node.module.partition(".")[0]}
    folder = module.split(".")[: -node.level]
    base = ".".join(folder + ([node.module] if node.module else []))
    found = set()
    for alias in node.names:
        inside = f"{base}.{alias.name}".lstrip(".")
        found.add(next(name for name in (inside, f"{inside}.__init__", base, f"{base}.__init__") if name in MODULES))
    return found


def is_for_types(node):
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def imports(module, tree, for_types=True):
    nodes = [node for node in ast.iter_child_nodes(tree) if for_types or not is_for_types(node)]
    statements = [node for each in nodes for node in ast.walk(each) if isinstance(node, ast.Import | ast.ImportFrom)]
    return set().union(*(imported(module, node) for node in statements))


GRAPH = {module: imports(module, tree) for module, tree in MODULES.items()}


def needs_heavy(module):
    """Whether importing it brings NEST, MPI or a large library in."""
    tree = ast.Module([node for node in MODULES[module].body if not isinstance(node, ast.FunctionDef)], [])
    asked = imports(module, tree, for_types=False)
    return bool(asked & HEAVY) or any(needs_heavy(name) for name in asked if name in MODULES)


@pytest.mark.parametrize("module", sorted(MODULES))
def test_a_room_imports_from_those_above_it(module):
    place = ROOMS.index(room_of(module))
    for name in GRAPH[module] & set(MODULES):
        assert ROOMS.index(room_of(name)) < place or (room_of(name) == room_of(module) and name != module), name


def test_no_modules_import_each_other_in_a_circle():
    done, path = set(), []

    def visit(module):
        assert module not in path, f"{' -> '.join(path[path.index(module) :])} -> {module}"
        if module in done:
            return
        path.append(module)
        for name in imports(module, MODULES[module], for_types=False) & set(MODULES):
            visit(name)
        done.add(path.pop())

    for module in MODULES:
        visit(module)


@pytest.mark.parametrize("module", sorted(MODULES))
def test_imports_within_functions_are_of_what_is_heavy(module):
    for function in ast.walk(MODULES[module]):
        if isinstance(function, ast.FunctionDef):
            for name in imports(module, function):
                assert name in HEAVY or needs_heavy(name), (function.name, name)


def test_only_the_room_of_mpi_imports_mpi4py():
    assert {room_of(module) for module, asked in GRAPH.items() if "mpi4py" in asked} == {"mpi", "doctor"}


def test_pure_rooms_do_not_import_nest():
    pure = set(ROOMS[: ROOMS.index("synapses")])
    assert not [module for module in MODULES if room_of(module) in pure and "nest" in GRAPH[module]]


def test_folders_are_small_and_the_top_has_what_it_must():
    for folder in {path.parent for path in PACKAGE.rglob("*.*") if "__pycache__" not in path.parts}:
        files = [path.name for path in folder.iterdir() if path.is_file()]
        assert len(files) <= FILES_IN_A_FOLDER, folder
    top = {path.name for path in PACKAGE.iterdir() if path.is_file()}
    assert top == {"__init__.py", "__main__.py", "cli.py", "errors.py", "py.typed"}
