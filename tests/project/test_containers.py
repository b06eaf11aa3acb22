"""Dockerfile and compose.yaml, which nobody builds here: what they name is there, and says what the Procfile says."""

import json
import re
import shlex

import pytest
import yaml

from storefront import BASE_DIR

LINES = (BASE_DIR / "Dockerfile").read_text().replace("\\\n", "").splitlines()
STEPS = [line.split(None, 1) for line in LINES if line and not line.startswith("#")]
SERVICES = yaml.safe_load((BASE_DIR / "compose.yaml").read_text())["services"]
PROCFILE = dict(re.findall(r"(?m)^(\w+): (.*)$", (BASE_DIR / "Procfile").read_text()))
INSTRUCTIONS = {"FROM", "WORKDIR", "ENV", "COPY", "RUN", "USER", "EXPOSE", "CMD"}


def steps(name):
    """What stands behind each instruction of a name."""
    return [rest for instruction, rest in STEPS if instruction == name]


def test_the_image_is_made_of_known_instructions_from_one_base():
    assert {instruction for instruction, _rest in STEPS} == INSTRUCTIONS
    assert STEPS[0][0] == "FROM"
    (base,) = steps("FROM")
    assert re.fullmatch(r"python:3\.1\d-slim", base)


def test_the_image_has_the_python_and_the_packages_of_the_checkout():
    (base,) = steps("FROM")
    tools = (BASE_DIR / "pyproject.toml").read_text()

    assert f'python_version = "{base[7:11]}"' in tools
    assert "pip install" in steps("RUN")[0]
    assert "--require-hashes -r requirements.txt" in steps("RUN")[0]


def test_the_image_copies_what_is_there_and_no_secret():
    ignored = (BASE_DIR / ".dockerignore").read_text().split()

    for copied in steps("COPY"):
        assert (BASE_DIR / shlex.split(copied)[0]).exists()
    assert {".*", "var", "*.env"} <= set(ignored)


def test_what_the_image_runs_is_not_root_and_is_the_web():
    names = [instruction for instruction, _rest in STEPS]

    assert names.index("USER") < names.index("CMD")
    assert shlex.join(json.loads(steps("CMD")[0])) == PROCFILE["web"].removeprefix("exec ")


@pytest.mark.parametrize("name", PROCFILE)
def test_a_process_runs_what_the_procfile_says(name):
    shell, option, command = SERVICES[name]["command"]

    assert (shell, option) == ("sh", "-c")
    assert command.replace("$$", "$") == PROCFILE[name]


def test_there_is_nothing_but_the_processes_and_their_servers():
    assert set(SERVICES) == {*PROCFILE, "postgres", "redis"}


def test_every_variable_is_one_of_the_site():
    ours = {
        *re.findall(r"(?m)^(?:# )?([A-Z_]+)=", (BASE_DIR / ".env.example").read_text()),
        "ENV_FILE",
    }

    for name in PROCFILE:
        assert set(SERVICES[name]["environment"]) <= ours


def test_the_web_is_reached_by_a_proxy_on_the_machine_alone():
    assert SERVICES["web"]["ports"] == ["127.0.0.1:8000:8000"]
    assert SERVICES["api"]["ports"] == ["127.0.0.1:8001:8000"]
    assert not any("ports" in SERVICES[name] for name in SERVICES if name not in ("web", "api"))
