"""The mutants of a module: its source with one small mistake each.

The operators are mutmut's, and a few of our own for what it leaves alone: conditions, results, statements, exceptions
and members of a set. mutmut's own way to run them is not used: it wraps each function in one that chooses a version,
so it leaves out properties and other decorated functions, and what runs when a module is imported.

Left out is what no test should hold, or what the type checker proves:

- the wording of texts for people, which are the strings with a space in them. That there is a text at all is held: an
  argument or a value that becomes None is a mutant;
- what is written to the debug log;
- annotations, aliases of types, decorators, imports, `assert_never`, and what dataclasses have as defaults instead of
  `None` or a field;
- arguments of `len` and `isinstance`, which raise if they are changed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import libcst as cst
import libcst.matchers as m
from mutmut.mutation.mutators import mutation_operators


def _is_type(node: cst.CSTNode) -> bool:
    """Whether this is a name like those of classes, or an alternative of such names."""
    while isinstance(node, cst.BinaryOperation):
        node = node.left
    return isinstance(node, cst.Name) and node.value[0].isupper() and not node.value.isupper()


_A_STEP = m.SimpleStatementLine(body=[m.Expr(value=m.Call() | m.Await() | m.Yield()) | m.Raise()])
_TO_THE_LOG = m.SimpleStatementLine(body=[m.Expr(value=m.Call(func=m.Attribute(value=m.Name("logger"))))])
_LEFT_OUT = (
    _TO_THE_LOG
    | m.If(body=m.IndentedBlock(body=[_TO_THE_LOG]), orelse=None)
    | m.Annotation()
    | m.Decorator()
    | m.Import()
    | m.ImportFrom()
    | m.Call(func=m.Name("len") | m.Name("isinstance") | m.Name("TypeVar"))
    | m.Assign(targets=[m.AssignTarget(target=m.Name("__all__") | m.Name("logger"))])
    | m.Assign(value=m.BinaryOperation(left=m.MatchIfTrue(_is_type), operator=m.BitOr()))
    | m.SimpleStatementLine(body=[m.Expr(value=m.SimpleString() | m.ConcatenatedString() | m.Ellipsis())])
    | m.SimpleStatementLine(body=[m.Expr(value=m.Call(func=m.Name("assert_never")))])
    | m.If(test=m.Name("TYPE_CHECKING"))
)
_NEGATED_BY_MUTMUT = m.UnaryOperation(operator=m.Not()) | m.Comparison(
    comparisons=[m.ComparisonTarget(operator=m.Equal() | m.NotEqual() | m.Is() | m.IsNot() | m.In() | m.NotIn())]
)
_NEVER_NONE = m.Assign(value=m.SimpleString(value=m.MatchRegex(".* .*"))) | m.AnnAssign(
    value=m.Name("None") | m.Call(func=m.Name("field"))
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """A changed module; `place`, `was` and `now` name the mutant, wherever in its module the lines may be.

    `function` is the qualified name of the function that differs; None if it is something outside of functions.
    """

    module: str
    place: str
    was: str
    now: str
    line: int
    function: str | None
    code: str

    @property
    def key(self) -> tuple[str, str, str, str]:
        return self.module, self.place, self.was, self.now


def mutants_of(module: str, source: str) -> Iterator[Mutant]:
    """Yields the mutants of a module's source, from its first line to its last."""
    tree = cst.parse_module(source)
    end = source.index("".join(tree.code_for_node(statement) for statement in tree.body))
    seen: Counter[tuple[str, str, str]] = Counter()
    for statement in tree.body:  # a node is quicker replaced in its statement than in the whole tree
        start, end = end, end + len(tree.code_for_node(statement))
        for names, function, node, changed in _changes(statement, (), None):
            replaced = statement.deep_replace(node, changed)
            assert isinstance(replaced, cst.CSTNode)
            code = source[:start] + tree.code_for_node(replaced) + source[end:]
            line, was, now = _difference(source, code)
            place = ".".join(names)
            seen[place, was, now] += 1
            if (number := seen[place, was, now]) > 1:
                place += f" #{number}"
            yield Mutant(module=module, place=place, was=was, now=now, line=line, function=function, code=code)


def _changes(
    node: cst.CSTNode, names: tuple[str, ...], function: str | None
) -> Iterator[tuple[tuple[str, ...], str | None, cst.CSTNode, cst.CSTNode]]:
    """Yields each place with its function, a node, and what the node becomes."""
    if m.matches(node, _LEFT_OUT):
        return
    if isinstance(node, cst.FunctionDef | cst.ClassDef):
        names = (*names, node.name.value)
    if isinstance(node, cst.FunctionDef):
        function = function or ".".join(names)
    for changed in _mutations(node):
        yield names, function, node, changed
    for child in node.children:
        if not (isinstance(node, cst.ConcatenatedString) and isinstance(child, cst.SimpleString)):
            yield from _changes(child, names, function)


def _mutations(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    if isinstance(node, cst.SimpleString):
        if " " not in node.value:
            yield node.with_changes(value=f"{node.prefix}{node.quote}XX{node.raw_value}{node.quote}")
        return
    if isinstance(node, cst.Assign | cst.AnnAssign) and m.matches(node, _NEVER_NONE):
        return
    for kind, operator in mutation_operators:
        if isinstance(node, kind):
            yield from (changed for changed in operator(node) if not _is_none_for_a_boolean(node, changed))
    yield from _negations(node)
    yield from _omissions(node)


def _is_none_for_a_boolean(node: cst.CSTNode, changed: cst.CSTNode) -> bool:
    """Whether an argument that was True or False is None, which is as good as False; the opposite is a mutant too."""
    if not isinstance(node, cst.Call) or not isinstance(changed, cst.Call) or len(node.args) != len(changed.args):
        return False
    return any(
        m.matches(before.value, m.Name("True") | m.Name("False")) and m.matches(after.value, m.Name("None"))
        for before, after in zip(node.args, changed.args, strict=True)
    )


def _negations(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    """Turns the condition of a branch, a loop, a comprehension or a case round."""
    for name in ("test", "guard"):
        test = None if isinstance(node, cst.IfExp) else getattr(node, name, None)
        if isinstance(test, cst.BaseExpression) and not m.matches(test, _NEGATED_BY_MUTMUT):
            inner = test.with_changes(lpar=[cst.LeftParen()], rpar=[cst.RightParen()])
            yield node.with_changes(**{name: cst.UnaryOperation(operator=cst.Not(), expression=inner)})


def _omissions(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    """Leaves out a result, a step, a caught exception or a member of a set."""
    match node:
        case cst.Return(value=cst.BaseExpression() as value):
            if not m.matches(value, m.Name("None") | m.Name("True") | m.Name("False")):
                yield node.with_changes(value=cst.Name("None"))
        case cst.SimpleStatementLine() if m.matches(node, _A_STEP):
            yield node.with_changes(body=[cst.Pass()])
        case cst.ExceptHandler(type=cst.Tuple() as caught):
            for rest in _without_each(caught.elements):
                yield node.with_changes(type=caught.with_changes(elements=rest))
        case cst.Set(elements=elements) if len(elements) > 1:
            for rest in _without_each(elements):
                yield node.with_changes(elements=rest)


def _without_each(elements: Iterable[cst.BaseElement]) -> Iterator[list[cst.BaseElement]]:
    every = list(elements)
    for index in range(len(every)):
        yield every[:index] + every[index + 1 :]


def _difference(source: str, code: str) -> tuple[int, str, str]:
    """Returns the number of the first line that differs, and the differing lines before and after, as one each."""
    before, after = source.splitlines(), code.splitlines()
    shortest = min(len(before), len(after))
    first = next((index for index in range(shortest) if before[index] != after[index]), shortest)
    rest = shortest - first
    last = next((index for index in range(rest) if before[-1 - index] != after[-1 - index]), rest)
    was, now = (" ".join(line.strip() for line in lines[first : len(lines) - last]) for lines in (before, after))
    return first + 1, was, now
