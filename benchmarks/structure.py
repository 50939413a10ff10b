"""The shape of the code in figures, each beside its aim: sizes, circles, hidden imports, escape hatches.

    python -m benchmarks.structure [--root DIR]

Reads the syntax of `models/`, `targeting/` and `pipelines/` and imports none of them: it takes about two
seconds and works on a broken tree too. `tests/test_import_graph.py` pins what must never come back.
"""

from __future__ import annotations

import argparse
import ast
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.import_graph import (
    Import,
    Module,
    cycles,
    import_graph,
    read_imports,
    read_modules,
    room,
    sibling_graph,
)

LAYERS = ("models", "targeting", "pipelines")
MAX_FILE_LINES = 300
MAX_FUNCTION_LINES = 50

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Figure:
    """One measured number, what it should be, and the cases behind it."""

    name: str
    value: float
    aim: str = ""
    cases: tuple[str, ...] = ()

    def __str__(self) -> str:
        """One line, then one line a case."""
        head = f"{self.name:<52}{self.value:>8g}" + (f"   aim {self.aim}" if self.aim else "")
        return "\n".join([head, *(f"    {case}" for case in self.cases)])


def long_functions(module: Module, *, limit: int = MAX_FUNCTION_LINES) -> list[tuple[str, int]]:
    """Functions of more than `limit` lines from `def` to the end, docstring counted: (where, lines)."""
    sized = [(name, (node.end_lineno or 0) - node.lineno + 1) for name, node in _functions(module.tree)]
    return [(f"{module.path}: {name}", size) for name, size in sized if size > limit]


def count_any(module: Module) -> int:
    """How often `Any` stands in an annotation or an expression; its import does not count."""
    names = (node.id for node in ast.walk(module.tree) if isinstance(node, ast.Name))
    attributes = (node.attr for node in ast.walk(module.tree) if isinstance(node, ast.Attribute))
    return sum(name == "Any" for name in (*names, *attributes))


def count_ignores(module: Module) -> int:
    """Comments that silence the type checker or the linter."""
    return len(re.findall(r"#\s*(?:type:\s*ignore|noqa)", module.text))


def numeric_constants(module: Module) -> list[str]:
    """Names in capitals that a module sets to a number, or to a tuple or a list of numbers."""
    named = []
    for node in module.tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        value = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
        if value is not None and _is_number(value):
            named += [one.id for one in targets if isinstance(one, ast.Name) and one.id.isupper()]
    return named


def undocumented(module: Module) -> list[str]:
    """Public names (the module, its classes, functions and methods) that have no docstring."""
    public = [(module.name, module.tree), *_public(module.name, module.tree)]
    return [name for name, node in public if ast.get_docstring(node) is None]


def repeated_names(modules: Iterable[Module]) -> dict[str, list[str]]:
    """Names that two or more files have in common, `__init__` and `__main__` apart, each with the paths."""
    paths: dict[str, list[str]] = {}
    for module in modules:
        stem = Path(module.path).stem
        if not stem.startswith("__"):
            paths.setdefault(stem, []).append(module.path)
    return {stem: files for stem, files in sorted(paths.items()) if len(files) > 1}


def lines_per(modules: Iterable[Module], depth: int) -> dict[str, int]:
    """Lines summed over the first `depth` names: 1 for layers, 2 for rooms."""
    total: Counter[str] = Counter()
    for module in modules:
        total[".".join(module.name.split(".")[:depth])] += module.lines
    return dict(sorted(total.items()))


def deferred_imports(imports: Iterable[Import]) -> tuple[dict[str, list[Import]], list[Import]]:
    """Imports inside functions: (by library, of own modules)."""
    libraries: dict[str, list[Import]] = {}
    own = []
    for one in imports:
        if one.kind == "deferred" and one.own:
            own.append(one)
        elif one.kind == "deferred":
            libraries.setdefault(one.target.split(".")[0], []).append(one)
    return dict(sorted(libraries.items())), own


def measure(modules: Mapping[str, Module]) -> list[Figure]:
    """Every figure, in the order in which it is printed."""
    files = list(modules.values())
    imports = read_imports(modules)
    return [*_sizes(files), *_import_figures(imports), *_hatches(files), *_rooms(files)]


def _sizes(files: list[Module]) -> list[Figure]:
    sizes = {file.path: file.lines for file in files}
    longest = max(sizes, key=sizes.__getitem__)
    long_files = tuple(f"{size} {path}" for path, size in sizes.items() if size > MAX_FILE_LINES)
    functions = sorted((case for file in files for case in long_functions(file)), key=lambda case: -case[1])
    cases = tuple(f"{size} {where}" for where, size in functions)
    return [
        Figure("files", len(files)),
        Figure("lines", sum(sizes.values()), "<= 30000"),
        Figure("lines of the median file", median(sizes.values()), "<= 120"),
        Figure(f"lines of the longest file ({longest})", sizes[longest], f"<= {MAX_FILE_LINES}"),
        Figure(f"files over {MAX_FILE_LINES} lines", len(long_files), "0", long_files),
        Figure(f"functions over {MAX_FUNCTION_LINES} lines", len(cases), "0", cases),
    ]


def _import_figures(imports: list[Import]) -> list[Figure]:
    graph = import_graph(imports)
    libraries, own = deferred_imports(imports)
    return [
        _cycle_figure("import cycles, deferred and typing imports counted", "0", graph),
        _cycle_figure("cycles between folders or files side by side", "0", sibling_graph(graph)),
        Figure("imports under TYPE_CHECKING", sum(one.kind == "typing" for one in imports)),
        Figure(
            "imports of libraries inside functions",
            sum(map(len, libraries.values())),
            cases=tuple(f"{len(ones)} {library}" for library, ones in libraries.items()),
        ),
        Figure(
            "imports of own modules inside functions",
            len(own),
            "jobs in pipelines/cli.py only",
            tuple(sorted(set(map(str, own)))),
        ),
    ]


def _cycle_figure(name: str, aim: str, graph: Mapping[str, frozenset[str]]) -> Figure:
    found = cycles(graph)
    return Figure(name, len(found), aim, tuple(f"{len(group)}: {', '.join(group)}" for group in found))


def _hatches(files: list[Module]) -> list[Figure]:
    anys = Counter({file.path: count_any(file) for file in files})
    most = tuple(f"{n} {path}" for path, n in anys.most_common(10) if n)
    bare = [name for file in files for name in undocumented(file)]
    twice = tuple(f"{stem}: {', '.join(paths)}" for stem, paths in repeated_names(files).items())
    constants = Counter(room(file.name) for file in files for _ in numeric_constants(file))
    rooms = tuple(f"{n} {name}" for name, n in constants.most_common())
    return [
        Figure("uses of Any", anys.total(), "< 100", most),
        Figure("type: ignore and noqa", sum(map(count_ignores, files))),
        Figure("public names without a docstring", len(bare), "0", tuple(bare)),
        Figure("file names that occur twice or more", len(twice), cases=twice),
        Figure("numeric constants of modules", constants.total(), cases=rooms),
    ]


def _rooms(files: list[Module]) -> list[Figure]:
    layers = [Figure(f"lines of {name}/", lines) for name, lines in lines_per(files, 1).items()]
    rooms = lines_per((file for file in files if file.is_package or file.name.count(".") > 1), 2)
    folders = {name: lines for name, lines in rooms.items() if "." in name}
    return layers + [Figure(f"lines of {name.replace('.', '/')}/", lines) for name, lines in folders.items()]


def _functions(tree: ast.AST, prefix: str = "") -> Iterator[tuple[str, Function]]:
    for child in ast.iter_child_nodes(tree):
        inside = prefix
        if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            inside = f"{prefix}{child.name}."
        if isinstance(child, Function):
            yield f"{prefix}{child.name}", child
        yield from _functions(child, inside)


def _public(prefix: str, node: ast.Module | ast.ClassDef) -> Iterator[tuple[str, ast.ClassDef | Function]]:
    for child in node.body:
        if isinstance(child, ast.ClassDef | Function) and not child.name.startswith("_"):
            yield f"{prefix}.{child.name}", child
            if isinstance(child, ast.ClassDef):
                yield from _public(f"{prefix}.{child.name}", child)


def _is_number(node: ast.expr) -> bool:
    match node:
        case ast.Constant(value=value):
            return isinstance(value, int | float) and not isinstance(value, bool)
        case ast.UnaryOp(operand=operand):
            return _is_number(operand)
        case ast.BinOp(left=left, right=right):
            return _is_number(left) or _is_number(right)
        case ast.Tuple(elts=items) | ast.List(elts=items):
            return bool(items) and all(map(_is_number, items))
        case ast.Call(args=items):
            return bool(items) and all(map(_is_number, items))
    return False


def main() -> None:
    """Print every figure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    here = Path(__file__).resolve().parents[1]
    parser.add_argument("--root", type=Path, default=here, help="the tree to read")
    print("\n".join(map(str, measure(read_modules(parser.parse_args().root, LAYERS)))))


if __name__ == "__main__":
    main()
