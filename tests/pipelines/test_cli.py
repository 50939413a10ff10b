"""The manners of the command line: exit status, one error line, one JSON object, help with an example."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import jsonschema
import polars as pl
import pytest
import typer
import yaml

import pipelines
from models.errors import InfeasibleError, SolverError
from pipelines import shell
from pipelines.cli import app
from pipelines.jobs import check
from pipelines.progress import NOT_OF, USUAL, progress
from targeting.evaluation import walk_forward

COMMANDS = (
    "demo",
    "simulate",
    "check",
    "train",
    "score",
    "plan",
    "run",
    "assign",
    "export",
    "evaluate",
    "backtest",
    "products",
    "register",
    "replay",
    "app",
    "schema",
)


def test_the_documented_commands_are_there():
    assert sorted(command.name or command.callback.__name__ for command in app.registered_commands) == sorted(
        COMMANDS
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_help_shows_an_example(cli, command):
    code, out, err = cli(command, "--help")
    assert (code, err) == (0, "")
    assert "Example: targeting" in " ".join(out.split())


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_json(cli, command):
    assert "--json" in cli(command, "--help")[1]


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("fly",),
        ("train",),
        ("check", "--no-such-option"),
        ("simulate", "--out", "x", "--users", "0"),
        ("simulate", "--out", "x", "--users", "many"),
        ("plan", "--campaign", "c.yaml", "--out", "p"),
        ("plan", "--campaign", "c.yaml", "--out", "p", "--data", "d"),
        ("plan", "--campaign", "c.yaml", "--out", "p", "--scores", "s", "--curves", "c"),
        ("plan", "--campaign", "c.yaml", "--out", "p", "--delivery", "d", "--curves", "c"),
        ("score", "--data", "d", "--model", "m", "--out", "o", "--engine", "abacus"),
    ],
)
def test_wrong_usage_is_status_2_with_one_line(cli, arguments):
    code, _, err = cli(*arguments)
    assert code == 2
    assert len(err.strip().splitlines()) <= 1


def test_an_infeasible_brief_is_status_3(cli, monkeypatch):
    def refuse(name):
        raise InfeasibleError("a and b\ncannot hold together", conflict=("a", "b"))

    monkeypatch.setattr("pipelines.config.json_schema.find_schema", refuse)
    code, out, err = cli("schema", "campaign")
    assert (code, out) == (3, "")
    assert err == "targeting: a and b cannot hold together\n"


@pytest.mark.parametrize("error", [SolverError("solver stopped"), ZeroDivisionError("division by zero")])
def test_our_own_faults_are_status_4_with_one_line(cli, monkeypatch, error):
    def fail(name):
        raise error

    monkeypatch.setattr("pipelines.config.json_schema.find_schema", fail)
    code, out, err = cli("schema", "campaign")
    assert (code, out) == (4, "")
    assert len(err.splitlines()) == 1
    assert str(error) in err


def test_the_traceback_is_one_variable_away(cli, monkeypatch):
    def fail(name):
        raise ZeroDivisionError("division by postgresql://me:open-sesame@host/db")

    monkeypatch.setattr("pipelines.config.json_schema.find_schema", fail)
    assert "TARGETING_DEBUG=1" in cli("schema", "campaign")[2]
    monkeypatch.setenv("TARGETING_DEBUG", "1")
    traced = cli("schema", "campaign")[2]
    assert "Traceback" in traced
    assert "open-sesame" not in traced


def test_ctrl_c_is_status_130(cli, monkeypatch):
    def interrupt(name):
        raise KeyboardInterrupt

    monkeypatch.setattr("pipelines.config.json_schema.find_schema", interrupt)
    code, out, err = cli("schema", "campaign")
    assert (code, out) == (130, "")
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize(
    "name", ["campaign", "train", "score", "plan", "run", "simulate", "evaluate", "backtest", "demo"]
)
def test_schemas_are_json_schemas(cli, name):
    code, out, _ = cli("schema", name)
    assert code == 0
    jsonschema.Draft202012Validator.check_schema(json.loads(out))


def test_the_simulated_brief_satisfies_the_schema_and_an_odd_one_does_not(cli, data_dir):
    schema = json.loads(cli("schema", "campaign")[1])
    brief = yaml.safe_load((data_dir / "campaign.yaml").read_text())
    jsonschema.validate(brief, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**brief, "budget": 3}, schema)


def test_settings_may_leave_keys_out_as_the_schema_says(cli):
    schema = json.loads(cli("schema", "train")[1])
    jsonschema.validate({"seed": 3}, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"sead": 3}, schema)


def test_an_unknown_schema_names_the_nearest(cli):
    code, _, err = cli("schema", "campain")
    assert code == 1
    assert 'did you mean "campaign"' in err


def test_simulate_prints_one_json_object_and_is_repeatable(cli, tmp_path):
    code, out, err = cli("simulate", "--out", "one", "--users", "400", "--seed", "3", "--json")
    assert (code, err) == (0, "")
    told = json.loads(out)
    assert told["users"] == 400
    assert cli("simulate", "--out", "two", "--users", "400", "--seed", "3")[0] == 0
    for name in ("users", "exposures", "orders"):
        assert Path("one", f"{name}.parquet").read_bytes() == Path("two", f"{name}.parquet").read_bytes()


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (
            OSError(28, "No space left on device"),
            1,
            "a file: cannot be used: No space left",
        ),
        (
            pl.exceptions.ComputeError("parquet: IO error: (os error 28)"),
            1,
            "a file: cannot be used: No space",
        ),
        (MemoryError(), 1, "out of memory"),
        (pl.exceptions.ComputeError("division"), 4, "internal error, ComputeError: division"),
        (ValueError("os error 28"), 4, "internal error, ValueError"),
    ],
)
def test_what_the_machine_refuses_is_no_fault_of_ours(cli, monkeypatch, error, code, told):
    def refused(*_):
        raise error

    monkeypatch.setattr(check, "check", refused)
    ended, out, err = cli("check", "data")
    assert (ended, out) == (code, "")
    assert err.startswith(f"targeting: {told}")


def test_check_says_what_the_data_hold(cli, data_dir):
    code, out, err = cli("check", data_dir, "--json")
    assert (code, err) == (0, "")
    assert json.loads(out)["ok"]
    code, out, err = cli("check", data_dir)
    assert code == 0
    assert "users: 1500 good" in out


def test_a_pipe_hears_nothing_of_progress(capsys):
    with progress("work") as tell:
        tell("stage one")
    assert capsys.readouterr() == ("", "")


def test_json_has_null_for_a_number_that_json_cannot_write(capsys):
    shell.emit({"gap": float("inf"), "inside": [{"low": float("nan")}]}, as_json=True, headline="")
    assert capsys.readouterr().out == '{"gap": null, "inside": [{"low": null}]}\n'


def test_a_warning_of_our_own_loggers_is_no_line_on_stderr():
    says = "import logging; logging.getLogger('targeting.report').warning('no frontier is shown')"
    code = f"from pipelines.shell import silence_libraries; silence_libraries(); {says}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")


def test_a_terminal_sees_the_stage(monkeypatch, capsys):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    with progress("work") as tell:
        tell("stage one")
    out, err = capsys.readouterr()
    assert out == ""
    assert "stage one" in err


def test_a_terminal_sees_the_step_and_the_time_that_is_left(monkeypatch, capsys):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "200")
    with progress("run") as tell:
        tell("reading")
        time.sleep(0.3)
        tell("learning from the logs")
        time.sleep(0.3)
    shown = re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", capsys.readouterr().err)
    assert "step 1 of 7" in shown
    assert re.search(r"learning from the logs step 2 of 7 0:00:00 \d+%, about 0:0[1-6] left", shown), shown


SHORT = {"check", "simulate"}
"""Commands whose time is one step's."""


def test_every_step_of_every_longer_command_is_listed_with_its_share():
    """So the share done and the time left are told for all of them, by one mechanism."""
    folder, walk = Path(pipelines.__file__).parent, Path(walk_forward.__file__)
    shells = "".join(path.read_text() for path in folder.glob("cli*.py"))
    assert set(re.findall(r'progress\("(\w+)"', shells)) - SHORT == set(USUAL)
    jobs = "".join(
        path.read_text() for path in (*folder.glob("jobs/*.py"), folder / "engines/local.py", walk)
    )
    told = [stage for steps in USUAL.values() for stage in steps]
    assert not [stage for stage in told if f'tell("{stage}")' not in jobs and f'tell(f"{stage} ' not in jobs]
    unlisted = {stage for stage in re.findall(r'tell\("([^"]+)"\)', jobs) if stage not in told}
    assert unlisted == set()
    for steps in USUAL.values():
        assert list(steps.values()) == sorted(steps.values())
    assert {step for steps in NOT_OF.values() for step in steps} <= set(USUAL["plan"])


def test_an_end_that_is_no_closed_pipe_keeps_its_status():
    other = typer.Typer()

    @other.command()
    def ends() -> None:
        sys.exit(3)

    with pytest.raises(SystemExit) as end:
        shell.execute(other, [])
    assert end.value.code == 3


def test_python_dash_m_is_the_same_command(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "pipelines", "schema", "nothing"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("targeting: schema nothing: not known")


def test_a_terminal_without_chinese_letters_gets_them_escaped(tmp_path):
    (tmp_path / "report.csv").write_text("日期,人群,投放位置,花费\n2020-11-11,a,live,3\n", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pipelines", "check", "report.csv"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONIOENCODING": "latin-1", "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 1
    assert b"found: \\u65e5\\u671f" in done.stdout
    assert len(done.stderr.splitlines()) == 1


def test_help_imports_nothing_heavy():
    code = (
        "import sys; from pipelines.cli import app; from pipelines.shell import execute;"
        "execute(app, ['--help']);"
        "names = {'polars', 'mlflow', 'cvxpy', 'lightgbm', 'sklearn', 'pandas', 'streamlit'};"
        "heavy = names & set(sys.modules);"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_an_interrupted_job_leaves_no_half_written_output(tmp_path):
    command = [sys.executable, "-m", "pipelines", "simulate", "--out", "data", "--users", "300000"]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True, env=dict(os.environ))
    time.sleep(4)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert len(err.strip().splitlines()) <= 1
    assert list(tmp_path.iterdir()) == []


def test_an_error_is_told_in_the_language_that_was_asked_for(cli, own_folder):
    (own_folder / "curves.csv").write_text("segment,placement,top,half_spend_cny,slope\na,video,9,1,1\n")
    (own_folder / "brief.yaml").write_text("campaign_id: c\nbudget_cny: -1\nplacements: [video]\n")
    asked = ("plan", "--campaign", "brief.yaml", "--curves", "curves.csv", "--out", "plan")
    code, out, err = cli(*asked, "--lang", "zh")
    assert (code, out) == (1, "")
    assert err.startswith("targeting: 投放需求或设置有误，请修改：")
    assert "brief.yaml" in err
    assert "budget_cny" in err
    assert cli(*asked)[2].isascii()
    (own_folder / "brief.yaml").write_text(
        "campaign_id: c\nbudget_cny: 5\nplacements: [video]\nconstraints:\n"
        "- {kind: bounds, name: much, placement: video, min_cny: 4}\n"
        "- {kind: bounds, name: little, placement: video, max_cny: 1}\n"
    )
    code, out, err = cli(*asked, "--lang=zh")
    assert (code, out) == (3, "")
    assert err.startswith("targeting: 没有计划能同时满足“much”、“little”；放宽其中一条：")


def test_an_unknown_language_is_wrong_usage_and_every_command_takes_a_known_one(cli, own_folder):
    assert cli("schema", "campaign", "--lang", "fr")[0] == 2
    assert cli("schema", "campaign", "--lang", "zh")[0] == 0
    code, _, err = cli("export", "--plan", "nowhere", "--format", "csv", "--out", "x", "--lang", "zh")
    assert code == 1
    assert err.strip().endswith("nowhere：没有这个目录；应为 `targeting plan` 写出的目录")
    assert cli("--lang", "zh", "check", "nowhere.csv")[2].startswith("targeting: 输入数据有误")


def test_files_are_named_in_utf8_whatever_the_locale():
    code = "import sys; from pipelines import cli; cli._in_utf8(); print(sys.getfilesystemencoding())"
    old = {**os.environ, "LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=old)
    assert (done.stdout, done.stderr) == ("utf-8\n", "")
