"""The rules of the house as tests: each rule has a line that breaks it, so that the rule itself is tested."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "releve"
FILES = sorted(SOURCE.rglob("*.py"))

BANNED_NAMES = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "managers", "base", "handlers"}

# Where everything may be caught, and why: the mouths of listeners and the tops of tasks.
CATCH_ALL_ALLOWED = re.compile(r"noqa: BLE001 - .{15,}")


def _machine_paths(text: str) -> list[str]:
    return re.findall(r"/home/|/root/", text)


def _hidden_imports(tree: ast.AST) -> Iterator[int]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for inner in ast.walk(node):
                if isinstance(inner, ast.Import | ast.ImportFrom):
                    yield inner.lineno


def _catch_alls(text: str) -> Iterator[str]:
    for line in text.splitlines():
        if re.search(r"except (Base)?Exception\b|except:", line) and not CATCH_ALL_ALLOWED.search(line):
            yield line.strip()


def _over_long_functions(tree: ast.AST, lines_max: int) -> Iterator[tuple[str, int]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > lines_max:
                yield node.name, length


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_a_file_has_a_docstring_and_a_name_of_its_own(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text())), f"{path} does not say what it knows"
    assert not BANNED_NAMES & {part.removesuffix(".py") for part in path.relative_to(SOURCE).parts}


def test_no_import_hides_in_a_function_outside_the_command_line() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in FILES
        if "cli" not in path.parts
        for line in _hidden_imports(ast.parse(path.read_text()))
    ]
    assert found == []


def test_the_rule_against_hidden_imports_sees_one() -> None:
    assert list(_hidden_imports(ast.parse("def f():\n    import os\n"))) == [2]


def test_everything_is_caught_only_where_it_says_why() -> None:
    assert [(path.name, line) for path in FILES for line in _catch_alls(path.read_text())] == []


def test_the_rule_against_catching_everything_sees_one() -> None:
    assert list(_catch_alls("try:\n    x()\nexcept Exception:\n    pass")) == ["except Exception:"]


def test_a_function_fits_on_a_screen() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{name} {length}"
        for path in FILES
        for name, length in _over_long_functions(ast.parse(path.read_text()), 70)
    ]
    assert found == []


def test_locks_name_no_registry_and_hash_everything() -> None:
    for name in ("requirements.lock", "requirements-dev.lock"):
        text = (ROOT / name).read_text()
        assert "://" not in text
        pins = re.findall(r"^[a-z0-9][^\n]*==", text, re.M)
        assert pins
        assert len(re.findall(r"==[^\\\n]*\\\n\s+--hash=sha256:", text)) == len(pins)


def test_the_documentation_speaks_of_every_command_and_setting() -> None:
    documents = "".join(path.read_text() for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))])
    commands = re.findall(r'^    "([a-z]+)": \("releve\.cli', (SOURCE / "cli" / "__init__.py").read_text(), re.M)
    assert len(commands) >= 10
    assert [name for name in commands if f"releve {name}" not in documents] == []
    settings = set(re.findall(r"^#? ?([a-z_]+) = ", _sample(), re.M))
    assert [name for name in sorted(settings) if f"`{name}`" not in documents] == []


def _sample() -> str:
    from releve.config import sample

    return sample("H01", "x")


def test_nothing_in_the_tree_names_the_machine_it_was_made_on() -> None:
    found = [
        str(path.relative_to(ROOT))
        for folder in ("src", "tests", "docs", ".ci")
        for path in sorted((ROOT / folder).rglob("*"))
        if path.is_file() and path.suffix in {".py", ".md", ".sh", ".toml", ".html", ".css", ".js", ""}
        if path != Path(__file__) and _machine_paths(path.read_text("utf-8", "replace"))
    ]
    assert found == []


def test_what_is_compiled_is_what_is_written() -> None:
    """Machine code goes before its source: after an edit it would be the old program that is tested."""
    stale = [
        made.name
        for made in SOURCE.rglob("*.so")
        if (made.parent / f"{made.name.split('.')[0]}.py").stat().st_mtime > made.stat().st_mtime
    ]
    assert stale == [], "make compiled does it anew, make plain takes it away"
