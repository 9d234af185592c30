"""The pages against the code: verbs, options, commands, keys, links, error messages, and the Python that they show."""

import ast
import importlib
import importlib.util
import inspect
import json
import re
import shlex
from pathlib import Path

import jax
import jsonschema
import pytest

import unstill as us
from unstill._types import Status
from unstill.cli.arguments import parse
from unstill.cli.main import VERBS
from unstill.systems import SYSTEMS
from verbs_arguments import arguments_of

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = {str(p.relative_to(ROOT)): p for p in (ROOT / "README.md", *sorted(DOCS.rglob("*.md")))}
SOURCES = sorted((ROOT / "src").rglob("*.py"))
SCHEMAS = {p.stem: p for p in sorted((DOCS / "schemas").glob("*.json"))}
every_page = pytest.mark.parametrize("page", PAGES)
every_verb = pytest.mark.parametrize("verb", VERBS)
COMMON = {"seed", "out", "force", "resume", "quiet", "json"}


def text_of(page: str) -> str:
    return PAGES[page].read_text(encoding="utf-8")


def flags(verb: str) -> set[str]:
    return {each.flag for each in arguments_of(verb) if not each.positional}


# --- verbs and their options ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", list(VERBS))
def test_every_verb_has_a_page_that_the_index_and_the_readme_name(verb):
    assert f"docs/{verb}.md" in PAGES
    assert f"({verb}.md)" in text_of("docs/index.md")
    assert f"(docs/{verb}.md)" in text_of("README.md")


@pytest.mark.parametrize("verb", list(VERBS))
def test_every_option_stands_on_the_page_and_no_other(verb):
    text = text_of(f"docs/{verb}.md")
    mentioned = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", text))
    told_elsewhere = {f"--{name}" for name in COMMON}
    if "options of [simulate](simulate.md)" in text:
        told_elsewhere |= flags("simulate")
    assert flags(verb) - mentioned - told_elsewhere == set()
    # A page may speak of another verb's options, but of none that no verb has.
    assert mentioned - set().union(*map(flags, VERBS)) - {"--help", "--version"} == set()


@every_verb
def test_the_table_of_options_holds_this_verbs_options_only(verb):
    table = re.findall(r"^\| (`.*?) \|", text_of(f"docs/{verb}.md").partition("## Options")[2], re.MULTILINE)
    shown = set(re.findall(r"--[a-z][a-z-]*", " ".join(table)))
    assert shown <= flags(verb)


# --- commands ---------------------------------------------------------------------------------------------------------


def commands():
    """Every line of every page, and of every verb's own help, that calls `unstill`."""
    texts = {page: text_of(page) for page in PAGES}
    texts |= {f"help of {verb}": importlib.import_module(f"unstill.cli.{verb}").__doc__ or "" for verb in VERBS}
    for place, text in texts.items():
        for line in re.sub(r"\\\n\s*", "", text).splitlines():
            words = re.fullmatch(r"\s*(?:\$ )?unstill ([a-z]+)(?: (.*))?", line)
            indented = line.startswith("    ") or place.startswith("help")
            if words and indented and words[1] in VERBS:
                yield pytest.param(words[1], words[2] or "", id=f"{place}: {line.strip()}")


@pytest.mark.parametrize(("verb", "rest"), list(commands()))
def test_every_command_that_is_shown_is_one(verb, rest):
    words = shlex.split(rest.partition("  #")[0])
    parse(arguments_of(verb), words, prog=verb, about="")


def test_there_are_commands_on_most_pages():
    assert len(list(commands())) > 50


# --- result.json ------------------------------------------------------------------------------------------------------


def keys_of(schema) -> set[str]:
    """The keys at the top of a schema, in all its branches."""
    found = set(schema.get("properties", {}))
    for branch in (*schema.get("oneOf", ()), *schema.get("anyOf", ()), *schema.get("allOf", ())):
        found |= keys_of(branch)
    return found


@pytest.mark.parametrize("verb", list(SCHEMAS))
def test_schemas_are_schemas_and_their_keys_stand_on_the_page(verb):
    schema = json.loads(SCHEMAS[verb].read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    text = text_of(f"docs/{verb}.md")
    assert f"schemas/{verb}.json" in text
    keys = keys_of(schema)
    assert keys
    assert {key for key in keys if f"`{key}`" not in text} == set()


@pytest.mark.parametrize("verb", list(SCHEMAS))
def test_a_schema_refuses_an_unknown_key_and_a_missing_one(verb):
    """Otherwise holding results against it would prove nothing."""
    schema = json.loads(SCHEMAS[verb].read_text(encoding="utf-8"))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({}, schema)
    branches = schema.get("oneOf", [schema])
    assert all(branch.get("additionalProperties") is False for branch in branches)


def test_every_verb_with_a_run_folder_has_a_schema():
    assert {verb for verb in VERBS if "resume" in {each.name for each in arguments_of(verb)}} | {
        "rule", "field-score", "field-flow", "tracking",
    } == set(SCHEMAS)  # fmt: skip


def test_every_status_is_explained_on_some_page():
    text = " ".join(text_of(page) for page in PAGES)
    assert {str(status) for status in Status if f"`{status}`" not in text} == set()


# --- links ------------------------------------------------------------------------------------------------------------


def anchors(text: str) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@every_page
def test_links_lead_somewhere(page):
    prose = re.sub(r"```.*?```|`[^`\n]*`", "", text_of(page), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", prose):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        there = PAGES[page].parent / path if path else PAGES[page]
        assert there.exists(), target
        if anchor:
            assert anchor in anchors(there.read_text(encoding="utf-8")), target


def test_every_page_is_reached_from_the_index_or_the_readme():
    seen, left = set(), [ROOT / "README.md", DOCS / "index.md"]
    while left:
        page = left.pop().resolve()
        if page in seen or page.suffix != ".md" or not page.exists():
            continue
        seen.add(page)
        targets = re.findall(r"\]\(([^)\s#]+)[^)\s]*\)", page.read_text(encoding="utf-8"))
        left += [page.parent / target for target in targets if not re.match(r"[a-z]+:", target)]
    assert {str(p) for p in PAGES.values()} - {str(p) for p in seen} == set()


# --- systems ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_systems_page_holds_its_equations_parameters_and_presets(name):
    cls, text = SYSTEMS[name], text_of(f"docs/systems/{name}.md")
    for equation in cls.equations:
        assert equation in text
    for parameter, info in cls.parameters().items():
        row = re.search(rf"^\| `{parameter}` .*$", text, re.MULTILINE)
        assert row, parameter
        shown = [float(word) for word in re.findall(r"-?\d+\.?\d*(?:e-?\d+)?", row[0])]
        assert any(value == pytest.approx(cls.defaults()[parameter], rel=1e-4) for value in shown), parameter
        assert info.meaning in row[0]
    for preset in cls.presets:
        assert f"`{preset}`" in text
    doi = re.search(r"10\.\d{4,}/\S+", cls.citation)
    assert doi is None or doi[0].rstrip(".") in text


# --- error messages ---------------------------------------------------------------------------------------------------


def pattern_of(node: ast.expr, names: dict[str, list[ast.expr]]) -> str:
    """A regular expression for what an expression prints: literal where it is, anything elsewhere."""
    if isinstance(node, ast.Constant):
        return re.escape(str(node.value))
    if isinstance(node, ast.JoinedStr):
        return "".join(pattern_of(part, names) for part in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return pattern_of(node.left, names) + pattern_of(node.right, names)
    if isinstance(node, ast.IfExp):
        return f"(?:{pattern_of(node.body, names)}|{pattern_of(node.orelse, names)})"
    if isinstance(node, ast.Name) and node.id in names:
        return f"(?:{'|'.join(pattern_of(value, {}) for value in names[node.id])})"
    return ".*?"


def known_refusals() -> list[re.Pattern]:
    """ "`argument` rule" of every `BadInput` in the sources, by their syntax trees."""
    found = []
    for path in SOURCES:
        for function in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(function, ast.FunctionDef):
                continue
            names: dict[str, list[ast.expr]] = {}
            for step in ast.walk(function):
                if isinstance(step, ast.Assign) and isinstance(step.targets[0], ast.Name):
                    names.setdefault(step.targets[0].id, []).append(step.value)
            for call in ast.walk(function):
                if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "BadInput":
                    argument, rule = (pattern_of(part, names) for part in call.args[:2])
                    text = " ".join(f"`{argument}` {rule}".split("\\ "))
                    if rule != ".*?":
                        found.append(re.compile(text.replace("\\`", "`")))
    return found


def shown_errors():
    for page in PAGES:
        for verb, message in re.findall(r"^ {4}unstill ([a-z]+): (`.*)$", text_of(page), re.MULTILINE):
            yield pytest.param(verb, message, id=f"{page}: {message[:60]}")


REFUSALS = known_refusals()


@pytest.mark.parametrize(("verb", "message"), list(shown_errors()))
def test_every_error_that_is_shown_is_one_that_the_code_can_print(verb, message):
    assert verb in VERBS
    bare = re.split(r"; got |\. ", message)[0].rstrip(".")
    typed = bare.startswith("`--")  # argparse's own, of a kind in cli/arguments.py
    assert typed or any(pattern.fullmatch(bare) for pattern in REFUSALS), bare


# --- Python -----------------------------------------------------------------------------------------------------------


def blocks():
    """Every block of Python by page and number; of a tutorial, all blocks as one, as they are read."""
    for page in PAGES:
        codes = re.findall(r"```python\n(.*?)```", text_of(page), re.DOTALL)
        codes = ["\n".join(codes)] if page.startswith("docs/tutorials/") else codes
        for number, code in enumerate(codes):
            yield f"{page} {number}", code


BLOCKS = dict(blocks())
# What cannot run everywhere, and why.
NEEDS = {
    "docs/gpu.md 0": ("a CUDA device", lambda: jax.default_backend() == "gpu"),
    "docs/layer.md 1": ("PyTorch", lambda: importlib.util.find_spec("torch") is not None),
}
LONG = {
    "README.md 0", "README.md 1", "docs/discover.md 0", "docs/fit.md 0", "docs/gallery.md 0",
    "docs/getting-started.md 0",
    "docs/calibrate.md 0", "docs/gradients.md 0", "docs/layer.md 0", "docs/one-picture.md 0", "docs/recover.md 0",
    "docs/score.md 0",
    *(name for name in BLOCKS if "/tutorials/" in name),
}  # fmt: skip
PRINTED = {
    "docs/getting-started.md 0": ("taken as v of gray-scott", "(4, 1, 48, 48) (1, 2, 48, 48)"),
    "docs/tutorials/picture-to-film.md 0": ("converged", "F = 0.0370", "grown 0.175, seen 0.176"),
    "docs/tutorials/points-to-equation.md 0": ("converged", "dy/dt = 28.0", "± 0.0"),
    "docs/tutorials/fit-in-a-training-loop.md 0": ("loss 1.6e-03 to",),
}


@pytest.fixture
def as_a_user(tmp_path, monkeypatch):
    """JAX as it comes, an empty folder, and the examples where the pages have them."""
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)
    jax.config.update("jax_enable_x64", False)
    jax.config.update("jax_numpy_rank_promotion", "allow")
    yield
    jax.config.update("jax_enable_x64", True)
    jax.config.update("jax_numpy_rank_promotion", "raise")


@pytest.mark.parametrize("name", [pytest.param(n, marks=[pytest.mark.slow] * (n in LONG)) for n in BLOCKS])
def test_python_on_the_pages_runs(name, as_a_user, capsys):
    what, there_is = NEEDS.get(name, ("", lambda: True))
    if not there_is():
        pytest.skip(f"needs {what}")
    exec(compile(BLOCKS[name], name, "exec"), {"__name__": "__main__"})
    shown = capsys.readouterr().out
    assert all(words in shown for words in PRINTED.get(name, ()))


def test_what_the_lists_say_of_blocks_is_of_blocks_that_there_are():
    assert {*NEEDS, *LONG, *PRINTED} <= set(BLOCKS)


def used_names(tree: ast.Module) -> set[str]:
    """Attributes of `us`, the package."""
    return {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "us"
    }


def calls(tree: ast.Module):
    """Calls of `us.name(…)`."""
    for node in ast.walk(tree):
        function = node.func if isinstance(node, ast.Call) else None
        if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name) and function.value.id == "us":
            yield function.attr, node


@pytest.mark.parametrize("name", BLOCKS)
def test_python_on_the_pages_uses_names_and_arguments_that_there_are(name):
    tree = ast.parse(BLOCKS[name])
    for used in used_names(tree):
        if used != "TorchSimulator":  # needs PyTorch
            assert hasattr(us, used), used
    for called, call in calls(tree):
        if called == "TorchSimulator":
            continue
        signature = inspect.signature(getattr(us, called))
        if any(isinstance(a, ast.Starred) for a in call.args) or any(k.arg is None for k in call.keywords):
            continue
        try:
            signature.bind(*call.args, **{k.arg: None for k in call.keywords if k.arg})
        except TypeError as error:
            raise AssertionError(f"us.{called}: {error}") from error


def test_every_public_name_is_on_a_page_of_the_docs():
    text = " ".join(text_of(page) for page in PAGES)
    missing = {n for n in us.__all__ if not n.startswith("_") and not re.search(rf"\b{n}\b", text)}
    assert missing == set()


def test_the_reference_is_what_the_signatures_and_docstrings_say():
    """If this fails: `python docs/make_reference.py`."""
    spec = importlib.util.spec_from_file_location("make_reference", DOCS / "make_reference.py")
    maker = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(maker)
    assert (DOCS / "reference.md").read_text(encoding="utf-8") == maker.page()


@pytest.mark.parametrize("name", [n for n in us.__all__ if inspect.isfunction(getattr(us, n))])
def test_every_public_function_stands_in_the_reference(name):
    assert f"### us.{name}\n" in text_of("docs/reference.md")
