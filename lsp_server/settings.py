"""The settings, once: typed here, documented here, generated elsewhere.

Every feature has a small frozen dataclass of its own and receives nothing else. The editor's JSON
names are the camelCase of the field names: `max_tokens` is `sopilka.completion.maxTokens`.
`python -m lsp_server.settings --write` generates the JSON schema, docs/settings.md and the
configuration part of the VS Code extension from this file.
"""

from __future__ import annotations

import difflib
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import Field, dataclass, field, fields, replace
from typing import Any, Literal, get_args, get_origin, get_type_hints

from lsp_server.setting_secrets import secrets_in

SECTION = "sopilka"

# Groups below the section that belong to an editor's client (how to start the server, tracing):
# the server neither reads them nor complains about them.
CLIENT_GROUPS = ("server", "client", "trace")


def setting(
    default: Any, doc: str, *, minimum: float | None = None, maximum: float | None = None
) -> Any:
    """A field with its documentation and, for numbers, the range that is accepted."""
    return field(default=default, metadata={"doc": doc, "minimum": minimum, "maximum": maximum})


@dataclass(frozen=True, slots=True)
class CompletionSettings:
    enable: bool = setting(True, "Offer completions.")
    max_tokens: int = setting(
        64, "The most tokens that one suggestion may have.", minimum=1, maximum=512
    )
    debounce_ms: int = setting(
        0,
        "Wait this long before an automatic request starts, in milliseconds. "
        "Editors wait by themselves, so this adds to their delay. With 0 the server waits only "
        "where the model is slower than you type.",
        minimum=0,
        maximum=5000,
    )
    min_confidence: float = setting(
        0.1,
        "Show no automatic suggestion whose estimated chance to be right is below this (0 to 1). "
        "A suggestion that you ask for by a key is shown regardless.",
        minimum=0,
        maximum=1,
    )
    learn: bool = setting(
        True,
        "Learn from what you keep how sure a suggestion has to be. Four numbers are kept for it in "
        "your cache folder, and nothing of any text.",
    )
    multiline: Literal["auto", "never", "always"] = setting(
        "auto",
        "Whether a suggestion may have several lines: `auto` where an empty block begins, "
        "`never`, or `always`.",
    )
    in_comments: bool = setting(True, "Suggest inside comments without being asked.")
    in_strings: bool = setting(True, "Suggest inside strings without being asked.")
    after_deletion: bool = setting(True, "Suggest after text was deleted, without being asked.")
    check_names: bool = setting(
        True,
        "Hold back what names something that nothing in scope, in the imports or in the repository "
        "knows.",
    )
    candidates: int = setting(
        3,
        "How many suggestions to make when you ask by a key.",
        minimum=1,
        maximum=8,
    )
    prefetch: bool = setting(
        True, "While a suggestion is shown, compute what would follow it, for when it is accepted."
    )
    disabled_languages: tuple[str, ...] = setting(
        (), "Language ids, as your editor names them, in which nothing is suggested."
    )


@dataclass(frozen=True, slots=True)
class IndexSettings:
    enable: bool = setting(
        True, "Index the workspace folders. When off, only open documents are known."
    )
    max_file_kb: int = setting(
        512, "Skip files larger than this, in kilobytes.", minimum=1, maximum=65536
    )
    exclude: tuple[str, ...] = setting(
        (), "Further patterns to skip, written as in a `.gitignore` at the workspace's root."
    )
    workers: int = setting(
        0, "Processes that parse while the index is built; 0 chooses.", minimum=0, maximum=64
    )
    max_memory_mb: int = setting(
        1000,
        "The most memory that the index may take, in megabytes, open documents apart. Files beyond "
        "it are left out, and the status says so.",
        minimum=16,
        maximum=1_000_000,
    )
    cache_folder: str = setting(
        "",
        "The folder where what was read of files is kept from one start to the next, readable for "
        "you alone; empty for `sopilka` in the cache folder of your system.",
    )
    cache_mb: int = setting(
        1000,
        "The most that this folder may take, in megabytes; what was not used for longest goes "
        "first. 0 keeps nothing.",
        minimum=0,
        maximum=1_000_000,
    )


@dataclass(frozen=True, slots=True)
class ContextSettings:
    max_tokens: int = setting(
        2048,
        "The most tokens of other code that go into one prompt; "
        "a model with a short context gets fewer.",
        minimum=0,
        maximum=65536,
    )
    deadline_ms: int = setting(
        30,
        "Stop looking for further context after this time, in milliseconds.",
        minimum=1,
        maximum=10000,
    )


@dataclass(frozen=True, slots=True)
class MemorySettings:
    enable: bool = setting(
        True, "Let the repository's own text propose how a line goes on (repository memory)."
    )
    max_tokens: int = setting(
        4_000_000,
        "The most tokens that the repository memory may hold.",
        minimum=0,
        maximum=100_000_000,
    )


@dataclass(frozen=True, slots=True)
class EngineSettings:
    model: str = setting(
        "",
        "The name of an imported model (`lsp-server model list`), or `default` for the one that "
        "ships with the server; empty for what `lsp-server model use` chose.",
    )
    bundle: str = setting(
        "", "The folder of a model's bundle, wherever it is; it goes before `engine.model`."
    )
    models_folder: str = setting(
        "",
        "The folder of imported models; empty for `sopilka/models` in your system's folder for "
        "data. The environment variable `SOPILKA_MODELS` goes before it.",
    )
    threads: int = setting(
        0,
        "Threads that compute; 0 for as many as the machine has cores, four at most.",
        minimum=0,
        maximum=256,
    )
    shared: bool = setting(
        True,
        "Let one process hold the model for all editors. When off, each server loads its own.",
    )
    idle_minutes: int = setting(
        10,
        "Minutes after which the shared process ends when no editor is connected.",
        minimum=1,
        maximum=10_000,
    )
    cache_megabytes: int = setting(
        256,
        "The most memory for the model's cache of keys and values, in megabytes. "
        "Less of it means that more is computed again.",
        minimum=1,
        maximum=1_000_000,
    )
    keep_cache: bool = setting(
        False,
        "Keep up to 64 MB of that cache on disk when the shared process ends, in your cache "
        "folder, so that the first suggestion of the next day is fast. It is made from your code.",
    )
    small_cache: bool = setting(
        False,
        "Keep keys and values in 8 bits: more than three times as many fit, at some loss of "
        "precision.",
    )


@dataclass(frozen=True, slots=True)
class RemoteSettings:
    kind: Literal["off", "infill", "completions", "chat"] = setting(
        "off",
        "Let a server elsewhere write the suggestions: text of your files is then sent to it. "
        "`infill` is what llama.cpp's server offers, `completions` and `chat` are OpenAI's "
        "interfaces, as vLLM, SGLang, llama.cpp, Ollama and LM Studio offer them. With `off` "
        "nothing is sent anywhere.",
    )
    url: str = setting(
        "", "Where the server is, such as `http://127.0.0.1:8080` or `https://models.example/v1`."
    )
    model: str = setting("", "The name of the model, as the server knows it.")
    template: Literal[
        "auto", "qwen", "starcoder", "codellama", "deepseek", "codestral", "suffix", "prefix"
    ] = setting(
        "auto",
        "How the model wants a hole in a text to be written, for `completions`. `auto` tells it by "
        "the model's name, `suffix` leaves it to the server, `prefix` leaves the text behind the "
        "cursor out.",
    )
    context: int = setting(
        8192,
        "Tokens that a prompt and its answer may have together; one is counted for each three "
        "bytes of text.",
        minimum=256,
        maximum=1_000_000,
    )
    key_variable: str = setting(
        "",
        "The name of the environment variable that holds the server's key. The key itself never "
        "belongs into settings.",
    )
    ca_file: str = setting(
        "", "A file of certificates (PEM) whose authority is trusted beside those of your system."
    )
    use_proxy: bool = setting(
        False, "Use the proxy that the environment names (`https_proxy`, `no_proxy`)."
    )
    connect_seconds: float = setting(
        5, "Give up when there is no connection after this time.", minimum=0.1, maximum=120
    )
    first_seconds: float = setting(
        20, "Give up when no text has come after this time.", minimum=0.1, maximum=600
    )
    total_seconds: float = setting(
        60, "Give up when the answer has not ended after this time.", minimum=0.1, maximum=3600
    )
    retries: int = setting(
        2,
        "How often a request is sent again while the server is busy and nothing has come back.",
        minimum=0,
        maximum=5,
    )


@dataclass(frozen=True, slots=True)
class NavigationSettings:
    hover: bool = setting(True, "Show signature and documentation of the name under the pointer.")
    definition: bool = setting(True, "Go to definition.")
    references: bool = setting(True, "Find references.")
    document_symbol: bool = setting(True, "The outline of a document.")
    workspace_symbol: bool = setting(True, "Search for symbols in the workspace.")
    document_highlight: bool = setting(True, "Highlight other uses of the name at the cursor.")
    folding_range: bool = setting(True, "Fold blocks, comments and imports.")
    selection_range: bool = setting(True, "Widen the selection by syntax.")


@dataclass(frozen=True, slots=True)
class NextEditSettings:
    enable: bool = setting(
        True, "Say where to edit next after a rename, a new parameter or a repeated edit."
    )


@dataclass(frozen=True, slots=True)
class Settings:
    completion: CompletionSettings = CompletionSettings()
    next_edit: NextEditSettings = NextEditSettings()
    index: IndexSettings = IndexSettings()
    context: ContextSettings = ContextSettings()
    memory: MemorySettings = MemorySettings()
    engine: EngineSettings = EngineSettings()
    remote: RemoteSettings = RemoteSettings()
    # Each can be off: many users have a language's own server beside this one.
    navigation: NavigationSettings = NavigationSettings()


@dataclass(frozen=True, slots=True)
class Problem:
    """A setting that was not taken over, and why, in words for the user."""

    key: str
    message: str


def from_client(
    value: Any, last_good: Settings, own: Settings | None = None
) -> tuple[Settings, tuple[Problem, ...]]:
    """Reads what an editor sent; keeps the last good value of whatever cannot be used.

    A key that is not sent has its value in `own`, which are the user's own settings for all
    editors, and else its default; so has a text that is sent empty. Accepted are the section's
    value, an object that holds the section (`{"sopilka": {...}}`), nested objects and dotted keys
    (`"completion.enable"`).
    """
    own = own or Settings()
    if value is None:
        return own, ()
    if not isinstance(value, Mapping):
        return last_good, (Problem(SECTION, f"must be an object, not {_kind_of(value)}"),)
    if SECTION in value:
        return from_client(value[SECTION], last_good, own)
    sent = dict(_flatten(value))
    known = {spec.key: spec for spec in specs()}
    problems, accepted = [], {}
    refused = secrets_in(sent, known)
    for key, raw in sent.items():
        if key.split(".")[0] in CLIENT_GROUPS or key in refused:
            continue
        if key not in known:
            problems.append(Problem(f"{SECTION}.{key}", _unknown(key, tuple(known))))
            continue
        # Some editors send every setting; an empty text is what they have where nothing is chosen.
        if raw == "" and known[key].default == "":
            continue
        try:
            accepted[key] = known[key].parse(raw)
        except ValueError as error:
            problems.append(Problem(f"{SECTION}.{key}", str(error)))
            accepted[key] = known[key].value_in(last_good)
    problems += [Problem(f"{SECTION}.{key}", message) for key, message in refused.items()]
    settings = _build(accepted, own)
    # Settings with a key in them are not half used: nothing is sent until it is gone.
    return replace(settings, remote=RemoteSettings()) if refused else settings, tuple(problems)


@dataclass(frozen=True, slots=True)
class Spec:
    """One setting: where it lives, its type, its limits and its documentation."""

    group: str
    name: str
    type: Any
    default: Any
    doc: str
    minimum: float | None
    maximum: float | None

    @property
    def key(self) -> str:
        """The name below the section, as editors write it: `completion.maxTokens`."""
        return f"{camel_case(self.group)}.{camel_case(self.name)}"

    def value_in(self, settings: Settings) -> Any:
        return getattr(getattr(settings, self.group), self.name)

    def parse(self, raw: Any) -> Any:
        """The typed value of a JSON value; ValueError says what would be right."""
        if raw is None:
            return self.default
        if get_origin(self.type) is Literal:
            choices = get_args(self.type)
            if raw not in choices:
                wanted = ", ".join(f'"{choice}"' for choice in choices)
                raise ValueError(f"must be one of {wanted}, not {_shown(raw)}")
            return raw
        if self.type is bool:
            if not isinstance(raw, bool):
                raise ValueError(f"must be true or false, not {_shown(raw)}")
            return raw
        if self.type is str:
            if not isinstance(raw, str):
                raise ValueError(f"must be a string, not {_shown(raw)}")
            return raw
        if self.type in (int, float):
            return self._number(raw)
        if not isinstance(raw, list | tuple) or not all(isinstance(item, str) for item in raw):
            raise ValueError(f"must be a list of strings, not {_shown(raw)}")
        return tuple(raw)

    def _number(self, raw: Any) -> int | float:
        whole = self.type is int
        wanted = "a whole number" if whole else "a number"
        if isinstance(raw, bool) or not isinstance(raw, int | float):
            raise ValueError(f"must be {wanted}, not {_shown(raw)}")
        if whole and raw != raw // 1:
            raise ValueError(f"must be {wanted}, not {_shown(raw)}")
        low, high = self.minimum, self.maximum
        # Written so that a NaN, which compares false with everything, is out of range too.
        if low is not None and high is not None and not low <= raw <= high:
            raise ValueError(f"must be from {low:.10g} to {high:.10g}, not {_shown(raw)}")
        return int(raw) if whole else float(raw)


def specs() -> Iterator[Spec]:
    """All settings in the order in which they are written above."""
    for group, group_type in get_type_hints(Settings).items():
        types = get_type_hints(group_type)
        for item in fields(group_type):
            yield _spec(group, item, types[item.name])


def _spec(group: str, item: Field[Any], kind: Any) -> Spec:
    meta = item.metadata
    return Spec(group, item.name, kind, item.default, meta["doc"], meta["minimum"], meta["maximum"])


def camel_case(name: str) -> str:
    return re.sub(r"_(\w)", lambda match: match.group(1).upper(), name)


def _build(values: Mapping[str, Any], settings: Settings) -> Settings:
    for spec in specs():
        if spec.key in values:
            group = replace(getattr(settings, spec.group), **{spec.name: values[spec.key]})
            settings = replace(settings, **{spec.group: group})
    return settings


def _flatten(
    value: Mapping[str, Any], prefix: str = "", depth: int = 0
) -> Iterator[tuple[str, Any]]:
    for name, item in value.items():
        key = f"{prefix}{name}"
        if isinstance(item, Mapping) and depth < 4:
            yield from _flatten(item, f"{key}.", depth + 1)
        else:
            yield key, item


def _unknown(key: str, known: tuple[str, ...]) -> str:
    # Names are compared without their group, which alone would make all of a group alike.
    group = key.rpartition(".")[0]
    own_group_last = sorted(known, key=lambda other: other.startswith(f"{group}."))
    by_name = {other.rpartition(".")[2]: other for other in own_group_last}
    near = difflib.get_close_matches(key.rpartition(".")[2], by_name, n=1, cutoff=0.7)
    return "is not a setting" + (f"; did you mean {SECTION}.{by_name[near[0]]}?" if near else "")


def _shown(raw: Any) -> str:
    text = repr(raw)
    return text if len(text) <= 40 else f"{text[:37]}..."


def _kind_of(value: Any) -> str:
    return {list: "a list", str: "a string", bool: "a boolean"}.get(type(value), "a number")


if __name__ == "__main__":
    from lsp_server.settings_files import main

    sys.exit(main(sys.argv[1:]))
