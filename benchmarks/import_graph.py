"""Who imports whom in a tree of Python files, read from the syntax alone: nothing is run.

Deferred imports (inside a function) and typing imports (under `if TYPE_CHECKING`) are edges like any other: a
circle that closes only through them is a circle still, it is merely hidden from the interpreter.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Graph = Mapping[str, frozenset[str]]
Kind = Literal["top", "typing", "deferred"]


@dataclass(frozen=True)
class Module:
    """One file: dotted `name`, `path` below the root, its `text` and syntax `tree`."""

    name: str
    path: str
    text: str
    tree: ast.Module

    @property
    def lines(self) -> int:
        """Lines of the file, blank ones too, as `wc -l` counts them."""
        return len(self.text.splitlines())

    @property
    def is_package(self) -> bool:
        """Whether the file is a folder's `__init__`."""
        return self.path.endswith("__init__.py")


@dataclass(frozen=True)
class Import:
    """Module `source` imports `target` (both dotted) at `line`; `own` where the target is in the tree."""

    source: str
    target: str
    line: int
    kind: Kind
    own: bool

    def __str__(self) -> str:
        """Who imports whom."""
        return f"{self.source} -> {self.target}"


def read_modules(root: Path, folders: Iterable[str]) -> dict[str, Module]:
    """Every `.py` file of the `folders` below `root` by dotted name, in the order of their paths."""
    modules = {}
    for file in sorted(file for folder in folders for file in (root / folder).rglob("*.py")):
        path = file.relative_to(root)
        parts = path.with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        text = file.read_text(encoding="utf-8")
        modules[name] = Module(name, path.as_posix(), text, ast.parse(text, filename=str(file)))
    return modules


def read_imports(modules: Mapping[str, Module]) -> list[Import]:
    """All imports of the modules; `from a import b` is one of `a.b` where that is a module, else of `a`."""
    return [one for module in modules.values() for one in _imports(module, modules)]


def import_graph(imports: Iterable[Import]) -> dict[str, frozenset[str]]:
    """Own modules that each module imports, of every kind."""
    graph: dict[str, set[str]] = {}
    for one in imports:
        if one.own and one.target != one.source:
            graph.setdefault(one.source, set()).add(one.target)
    return {source: frozenset(targets) for source, targets in sorted(graph.items())}


def sibling_graph(graph: Graph) -> dict[str, frozenset[str]]:
    """The same graph between neighbours, at every depth: `a.d.e` imports `a.b.c`, so `a.d` leans on `a.b`.

    A folder's `__init__` stands above what is in it, so imports between the two are left out.
    """
    siblings: dict[str, set[str]] = {}
    for source, targets in graph.items():
        for target in targets:
            pairs = zip(source.split("."), target.split("."), strict=False)
            shared = next((depth for depth, (one, other) in enumerate(pairs) if one != other), None)
            if shared is not None:
                siblings.setdefault(_first(source, shared + 1), set()).add(_first(target, shared + 1))
    return {source: frozenset(targets) for source, targets in sorted(siblings.items())}


def room(name: str) -> str:
    """The room of a module: its first two names (a loose file is a room of its own)."""
    return _first(name, 2)


def cycles(graph: Graph) -> list[tuple[str, ...]]:
    """Groups of modules that all reach one another, sorted; empty where imports flow one way.

    Strongly connected components with more than one member (Tarjan, "Depth-first search and linear graph
    algorithms", SIAM Journal on Computing 1972). No edge closes a circle outside such a group.
    """
    order: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[tuple[str, ...]] = []

    def visit(node: str) -> None:
        order[node] = low[node] = len(order)
        stack.append(node)
        for target in sorted(graph.get(node, ())):
            if target not in order:
                visit(target)
            if target in stack:
                low[node] = min(low[node], low[target])
        if low[node] == order[node]:
            group = stack[stack.index(node) :]
            del stack[stack.index(node) :]
            if len(group) > 1:
                found.append(tuple(sorted(group)))

    for node in sorted(graph):
        if node not in order:
            visit(node)
    return sorted(found)


def _first(name: str, depth: int) -> str:
    return ".".join(name.split(".")[:depth])


def _imports(module: Module, modules: Mapping[str, Module]) -> Iterator[Import]:
    for node, kind in _walk(module.tree, "top"):
        for target in _targets(node, module, modules):
            yield Import(module.name, target, node.lineno, kind, own=target in modules)


def _walk(node: ast.AST, kind: Kind) -> Iterator[tuple[ast.Import | ast.ImportFrom, Kind]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child, kind
        elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _walk(child, "deferred")
        elif isinstance(child, ast.If) and _is_typing_only(child.test):
            yield from _walk(ast.Module(child.body, []), "typing")
            yield from _walk(ast.Module(child.orelse, []), kind)
        elif isinstance(child, ast.stmt | ast.ExceptHandler | ast.match_case):
            yield from _walk(child, kind)


def _is_typing_only(test: ast.expr) -> bool:
    return ast.unparse(test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")


def _targets(node: ast.Import | ast.ImportFrom, module: Module, modules: Mapping[str, Module]) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    base = node.module or ""
    if node.level:
        folder = module.name.split(".") if module.is_package else module.name.split(".")[:-1]
        base = ".".join([*folder[: len(folder) - node.level + 1], *filter(None, [base])])
    below = [f"{base}.{alias.name}" for alias in node.names]
    return list(dict.fromkeys(name if name in modules else base for name in below))
