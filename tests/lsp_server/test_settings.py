"""Settings: typed once, bad ones named, generated files fresh."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsp_server.settings import RemoteSettings, Settings, from_client, specs
from lsp_server.settings_files import generated, schema

ROOT = Path(__file__).resolve().parents[2]


def check_settings(sent: Any, last_good: Settings | None = None) -> str:
    """The settings that differ from the defaults, then the problems, one a line."""
    settings, problems = from_client(sent, last_good or Settings())
    changed = [
        f"{spec.key} = {spec.value_in(settings)!r}"
        for spec in specs()
        if spec.value_in(settings) != spec.default
    ]
    return "\n".join(changed + [f"{problem.key} {problem.message}" for problem in problems])


def test_nested_dotted_and_wrapped_forms_are_the_same() -> None:
    nested = {"completion": {"maxTokens": 9, "disabledLanguages": ["markdown"]}}
    dotted = {"completion.maxTokens": 9, "completion.disabledLanguages": ["markdown"]}
    expected = "completion.maxTokens = 9\ncompletion.disabledLanguages = ('markdown',)"
    for sent in (nested, dotted, {"sopilka": nested}):
        assert check_settings(sent) == expected


@pytest.mark.parametrize("nothing", [None, {}, {"sopilka": None}, {"completion": {}}])
def test_nothing_sent_gives_the_defaults(nothing: Any) -> None:
    assert check_settings(nothing) == ""


@pytest.mark.parametrize(
    ("sent", "problem"),
    [
        (
            {"completion": {"maxTokns": 1}},
            "sopilka.completion.maxTokns is not a setting; "
            "did you mean sopilka.completion.maxTokens?",
        ),
        ({"colour": "red"}, "sopilka.colour is not a setting"),
        (
            {"completion": {"maxTokens": "many"}},
            "sopilka.completion.maxTokens must be a whole number, not 'many'",
        ),
        (
            {"completion": {"maxTokens": 1.5}},
            "sopilka.completion.maxTokens must be a whole number, not 1.5",
        ),
        (
            {"completion": {"maxTokens": 0}},
            "sopilka.completion.maxTokens must be from 1 to 512, not 0",
        ),
        (
            {"completion": {"minConfidence": float("nan")}},
            "sopilka.completion.minConfidence must be from 0 to 1, not nan",
        ),
        (
            {"completion": {"maxTokens": True}},
            "sopilka.completion.maxTokens must be a whole number, not True",
        ),
        ({"completion": {"enable": 1}}, "sopilka.completion.enable must be true or false, not 1"),
        (
            {"completion": {"multiline": "sometimes"}},
            'sopilka.completion.multiline must be one of "auto", "never", "always", '
            "not 'sometimes'",
        ),
        ({"engine": {"bundle": 3}}, "sopilka.engine.bundle must be a string, not 3"),
        (
            {"index": {"exclude": ["a", 1]}},
            "sopilka.index.exclude must be a list of strings, not ['a', 1]",
        ),
        ([], "sopilka must be an object, not a list"),
        ("x" * 99, "sopilka must be an object, not a string"),
    ],
)
def test_a_bad_setting_is_named(sent: Any, problem: str) -> None:
    assert check_settings(sent) == problem


def test_the_last_good_value_of_a_bad_setting_stays() -> None:
    good, _ = from_client({"completion": {"maxTokens": 9, "debounceMs": 5}}, Settings())
    assert check_settings({"completion": {"maxTokens": -1}}, good) == (
        "completion.maxTokens = 9\nsopilka.completion.maxTokens must be from 1 to 512, not -1"
    )
    assert from_client(7, good)[0] == good


def test_groups_of_the_clients_are_left_alone() -> None:
    assert check_settings({"server": {"command": ["x"]}, "trace": {"server": "off"}}) == ""


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([spec.key for spec in specs()] + ["completion", "maxTokens", "x", ""]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=9,
)


@given(json_values)
def test_any_json_gives_settings_within_their_limits(sent: Any) -> None:
    settings, _ = from_client(sent, Settings())
    for spec in specs():
        value = spec.value_in(settings)
        assert spec.parse(list(value) if isinstance(value, tuple) else value) == value


def test_generated_files_are_fresh() -> None:
    for path, text in generated():
        shown = (ROOT / path).read_text(encoding="utf-8")
        assert shown == text, f"{path} is stale: run python -m lsp_server.settings --write"


def test_every_setting_is_in_the_schema_with_a_default_of_its_type() -> None:
    kinds: dict[str, type | tuple[type, ...]] = {
        "boolean": bool,
        "string": str,
        "integer": int,
        "number": (int, float),
        "array": list,
    }
    properties = json.loads(json.dumps(schema()))["properties"]
    assert len(properties) == len(list(specs()))
    for value in properties.values():
        assert isinstance(value["default"], kinds[value["type"]])
        assert value["markdownDescription"].endswith(".")


KEY = "sk-canary-4711"
SERVER = {"kind": "chat", "url": "https://models.example/v1", "keyVariable": "MODELS_KEY"}


@pytest.mark.parametrize(
    "sent",
    [
        {"key": KEY},
        {"apiKey": KEY},
        {"api_key": KEY},
        {"token": KEY},
        {"headers": {"Authorization": f"Bearer {KEY}"}},
        {"keyVariable": KEY},
        {"url": f"https://me:{KEY}@models.example"},
        {"url": f"https://models.example/v1?key={KEY}"},
    ],
)
def test_a_key_in_settings_is_refused_and_nothing_sent(sent: dict[str, Any]) -> None:
    own = from_client({"remote": SERVER}, Settings())[0]
    assert own.remote.kind == "chat"
    settings, problems = from_client({"remote": {**SERVER, **sent}}, own, own)
    assert settings.remote == RemoteSettings(), "the remote model is off, not as it was before"
    (problem,) = problems
    assert "into an environment variable" in problem.message
    assert KEY not in problem.key + problem.message


def test_a_key_under_any_name_is_refused() -> None:
    for sent in ({"remoteKey": KEY}, {"openai": {"apiKey": KEY}}, {"remote.secret": KEY}):
        settings, (problem,) = from_client({**sent, "remote.kind": "chat"}, Settings())
        assert settings.remote.kind == "off"
        assert KEY not in str(problem)


def test_the_name_of_a_variable_is_no_key() -> None:
    assert check_settings({"remote.keyVariable": "OPENAI_API_KEY"}) == (
        "remote.keyVariable = 'OPENAI_API_KEY'"
    )
    assert check_settings({"remote.keyVariable": "", "remote.url": ""}) == ""


def test_no_folder_can_choose_where_text_is_sent() -> None:
    """VS Code does not take a setting of this scope from a workspace."""
    package = json.loads((ROOT / "editor-clients/vscode/package.json").read_text("utf-8"))
    properties = package["contributes"]["configuration"]["properties"]
    scopes = {
        value.get("scope") for key, value in properties.items() if key.startswith("sopilka.remote.")
    }
    assert scopes == {"machine"}
