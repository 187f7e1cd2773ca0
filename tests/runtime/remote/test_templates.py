"""Holes as the families write them, and texts that cannot give them orders."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot

from runtime.remote.pieces import PromptParts
from runtime.remote.templates import TEMPLATES, neutral, neutral_parts, template_for

PARTS = PromptParts(
    "shop", (("a.py", "A = 1\n"), ("b.py", "B = 2\n")), "c.py", "import a\n", "\nend\n", "x = "
)
CONTROL = [
    "<|fim_prefix|>",
    "<|fim_middle|>",
    "<|file_sep|>",
    "<|repo_name|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|endoftext|>",
    "<|eot_id|>",
    "<|EOT|>",
    "<｜fim▁begin｜>",
    "<｜fim▁hole｜>",
    "<｜end▁of▁sentence｜>",
    "<fim_prefix>",
    "<file_sep>",
    "<repo_name>",
    "<issue_start>",
    "<PRE>",
    "<SUF>",
    "<MID>",
    "<EOT>",
    "<s>",
    "</s>",
    "[PREFIX]",
    "[SUFFIX]",
    "[INST]",
    "[/INST]",
    "<tool_call>",
    "</tool_call>",
    "<tool_response>",
    "<think>",
    "<end_of_turn>",
]


def test_each_family_has_its_own() -> None:
    assert {name: template.write(PARTS) for name, template in TEMPLATES.items()} == snapshot(
        {
            "qwen": """\
<|repo_name|>shop
<|file_sep|>a.py
A = 1
<|file_sep|>b.py
B = 2
<|file_sep|>c.py
<|fim_prefix|>import a
<|fim_suffix|>
end
<|fim_middle|>x = \
""",
            "starcoder": """\
<repo_name>shop<file_sep>a.py
A = 1
<file_sep>b.py
B = 2
<file_sep><fim_prefix>c.py
import a
<fim_suffix>
end
<fim_middle>x = \
""",
            "codellama": """\
A = 1
B = 2
<PRE> import a
x =  <SUF>
end
 <MID>\
""",
            "deepseek": """\
<｜fim▁begin｜>#a.py
A = 1
#b.py
B = 2
#c.py
import a
x = <｜fim▁hole｜>
end
<｜fim▁end｜>\
""",
            "codestral": """\
[SUFFIX]
end
[PREFIX]+++++ a.py
A = 1
+++++ b.py
B = 2
+++++ c.py
import a
x = \
""",
            "suffix": """\
A = 1
B = 2
import a
x = \
""",
            "prefix": """\
A = 1
B = 2
import a
x = \
""",
        }
    )


@pytest.mark.parametrize(
    ("model", "family"),
    [
        ("qwen2.5-coder:7b", "qwen"),
        ("Qwen/Qwen3-Coder-30B-A3B-Instruct", "qwen"),
        ("bigcode/starcoder2-3b", "starcoder"),
        ("codellama:13b-code", "codellama"),
        ("CodeLlama-7b-hf", "codellama"),
        ("deepseek-coder:6.7b-base", "deepseek"),
        ("codestral-latest", "codestral"),
        ("gpt-oss-20b", "prefix"),
        ("", "prefix"),
    ],
)
def test_the_family_is_told_by_the_models_name(model: str, family: str) -> None:
    assert template_for("auto", model) is TEMPLATES[family]
    assert template_for("suffix", model) is TEMPLATES["suffix"]


@pytest.mark.parametrize("control", CONTROL)
def test_a_control_token_in_a_text_is_none_any_more(control: str) -> None:
    assert control not in neutral(f"a{control}b{control}")
    assert neutral(control) == control[0] + " " + control[1:]


@pytest.mark.parametrize(
    "text",
    ["a < b | c > d", "x[0]", "List[int]", "<div>", "<script>", "a<|b", "if a <s> b", "[inst]"],
)
def test_ordinary_code_stays(text: str) -> None:
    assert neutral(text) == text or "<s>" in text


@given(st.lists(st.sampled_from([*CONTROL, "<", "|", ">", "[", "fim_prefix", "x"]), max_size=8))
def test_no_control_token_is_left_or_made(pieces: list[str]) -> None:
    made = neutral("".join(pieces))
    assert not any(control in made for control in CONTROL)


def test_every_template_stops_at_spellings_that_texts_cannot_have() -> None:
    """Else a file that spells one would end its own suggestions."""
    for template in TEMPLATES.values():
        for stop in template.stop:
            assert neutral(stop) != stop or stop.strip("+ ") == ""


@given(st.sampled_from(sorted(TEMPLATES)), st.sampled_from(CONTROL), st.integers(0, 5))
def test_a_text_adds_no_control_token_to_the_prompt(name: str, control: str, place: int) -> None:
    fields = ["repository", "path", "prefix", "suffix", "line"]
    write = TEMPLATES[name].write
    is_field = place < len(fields)

    def parts(text: str) -> PromptParts:
        return PromptParts(**{fields[place]: text} if is_field else {"files": ((text, text),)})

    prompt, plain = write(neutral_parts(parts(control))), write(parts("x"))
    for known in CONTROL:
        assert prompt.count(known) == plain.count(known)
