"""Cells of a real IPython."""

import pytest
from IPython.core.interactiveshell import InteractiveShell

import llmlab
from llmlab import _client

CALL = """
with llmlab.span("ask", kind="llm") as step:
    step.set_model("gpt-4o-mini", "openai")
    step.set_usage(input_tokens=1200, output_tokens=80)
"""
UNPRICED = CALL.replace("gpt-4o-mini", "no-such-model-9")


@pytest.fixture
def shell():
    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance()
    shell.run_cell("import llmlab").raise_error()
    shell.run_cell("%load_ext llmlab").raise_error()
    llmlab.init(exporter="memory")
    yield shell
    InteractiveShell.clear_instance()


def test_a_cell(shell, capsys):
    shell.run_cell(CALL)
    capsys.readouterr()
    shell.run_cell("%%llm_cost\n" + CALL + CALL + "x = 7\n").raise_error()
    assert capsys.readouterr().out == (
        "2 calls  2400 in  160 out  $0.000456\n")
    assert shell.user_ns["x"] == 7
    shell.run_cell("%%llm_cost\n" + UNPRICED)
    assert capsys.readouterr().out == (
        "1 call  1200 in  80 out  $0  and 1 unpriced\n")


def test_a_line(shell, capsys):
    shell.run_cell("def ask():" + CALL.replace("\n", "\n    ") +
                   "\n    return 3\n").raise_error()
    shell.run_cell("%llm_cost ask() + 1").raise_error()
    assert capsys.readouterr().out == (
        "Out[0]: 4\n1 call  1200 in  80 out  $0.000228\n")


def test_a_cell_that_fails_has_cost_too(shell, capsys):
    result = shell.run_cell("%%llm_cost\n" + CALL + "1 / 0")
    assert isinstance(result.error_in_exec, ZeroDivisionError)
    assert "1 call  1200 in  80 out  $0.000228\n" in capsys.readouterr().out


def test_all_cells(shell, capsys):
    shell.run_cell("%llm_cost_all on")
    shell.run_cell("%llm_cost_all")  # twice is once
    shell.run_cell(CALL)
    shell.run_cell("x = 1")
    assert capsys.readouterr().out == "1 call  1200 in  80 out  $0.000228\n"
    shell.run_cell("await __import__('asyncio').sleep(0)\n" + CALL)
    assert capsys.readouterr().out == "1 call  1200 in  80 out  $0.000228\n"
    shell.run_cell("%llm_cost_all off")
    capsys.readouterr()
    shell.run_cell(CALL)
    assert capsys.readouterr().out == ""


def test_init_again_replaces(shell, capsys):
    first = _client.default
    shell.run_cell("%%llm_cost\n" + CALL + "llmlab.init(exporter='memory')\n" +
                   CALL + "None").raise_error()
    assert _client.default is not first
    assert not first.enabled
    assert list(_client._open.values()) == [_client.default]
    assert capsys.readouterr().out == "1 call  1200 in  80 out  $0.000228\n"


def test_off(shell, capsys):
    shell.run_cell("llmlab.init(enabled=False); None")
    shell.run_cell("%%llm_cost\n" + CALL).raise_error()
    assert capsys.readouterr().out == "0 calls  0 in  0 out  $0\n"
