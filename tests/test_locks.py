"""The locks: every version pinned with hashes, installers too, one version for all, and no index named."""

import re
import subprocess
from pathlib import Path

import pytest

from models.registry import REQUIREMENTS, pinned
from pipelines import planner_service

ROOT = Path(__file__).parents[1]
LOCKS = [ROOT / name for name in ("requirements/app.lock", "requirements/dev.lock", "models/serving.lock")]
_ENTRY = re.compile(r"^([\w.\-]+)==(\S+)( ; [^\\]+)?((?: \\\n    --hash=sha256:[0-9a-f]{64})+)$", re.M)


DOCS, PLANNER = ROOT / "requirements/docs.lock", ROOT / "pipelines" / planner_service.LOCK


def normal(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(path):
    text = path.read_text(encoding="utf-8")
    found = [(normal(match[1]), match[2]) for match in _ENTRY.finditer(text)]
    assert len(found) == len(dict(found)) == len(re.findall(r"^\S", text, re.M)), "an entry without hashes"
    return dict(found)


def constraints():
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return {normal(name): version for name, _, version in (line.partition("==") for line in lines if line)}


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_every_locked_version_has_hashes_and_is_the_pinned_one(lock):
    found, pinned = pins(lock), constraints()
    assert {"pip", "setuptools"} <= set(found)
    assert {name: version for name, version in found.items() if pinned.get(name, version) != version} == {}


def test_the_docs_add_to_the_locked_environment_and_change_nothing_in_it():
    assert {"sphinx", "myst-parser"} <= set(pins(DOCS))
    assert not set(pins(DOCS)) & set(pins(LOCKS[1]))


@pytest.mark.parametrize("lock", [*LOCKS, DOCS, PLANNER], ids=lambda path: path.name)
def test_no_lock_names_an_index(lock):
    assert not re.search(r"://|--(extra-)?index-url|--find-links", lock.read_text(encoding="utf-8"))


def test_every_pin_is_locked():
    assert set(constraints()) <= set(pins(LOCKS[1]))


def test_what_a_model_names_is_what_is_locked_for_it():
    asked = (ROOT / "requirements/serving.in").read_text(encoding="utf-8").split()
    assert set(asked) == set(REQUIREMENTS)
    assert set(REQUIREMENTS) <= set(pins(LOCKS[2]))


def test_a_served_planner_asks_for_hashes_of_all_that_it_needs():
    asked = (ROOT / "requirements/planner.in").read_text(encoding="utf-8").split()
    assert set(asked) == set(planner_service.REQUIREMENTS)
    assert not set(pins(PLANNER)) & set(pins(LOCKS[2]))
    assert set(pins(PLANNER)) <= set(pins(LOCKS[0]))
    lines = pinned(planner_service.REQUIREMENTS, beside=PLANNER.read_text(encoding="utf-8"))
    assert {line.split("==")[0] for line in lines} == set(pins(PLANNER)) | set(pins(LOCKS[2]))
    assert all("--hash=sha256:" in line for line in lines)


def test_make_installs_nothing_but_what_is_locked():
    installs = [line for line in (ROOT / "Makefile").read_text().splitlines() if "$(PIP) install" in line]
    assert installs
    for line in installs:
        assert "--require-hashes" in line or ("--no-deps" in line and "--no-build-isolation" in line)


@pytest.mark.parametrize(
    ("told", "code", "ended"),
    [
        ("No known vulnerabilities found", 0, 0),
        ("Found 1 known vulnerability in 1 package\njinja 4.0.3 CVE-2024-40711", 1, 1),
        ("requests.exceptions.ConnectionError: Max retries exceeded", 1, 0),
        ("TypeError: of pip-audit itself", 1, 1),
        ("jinja  could not be audited: not found", 0, 1),
    ],
)
def test_the_audit_is_skipped_by_name_only_where_nobody_answered(tmp_path, told, code, ended):
    asked = tmp_path / "python"
    asked.write_text(f"#!/bin/sh\ncase $* in *--version) exit 0;; esac\necho '{told}'\nexit {code}\n")
    asked.chmod(0o755)
    done = subprocess.run([ROOT / ".ci/audit", asked], capture_output=True, text=True)
    assert done.returncode == ended
    assert ("SKIPPED" in done.stdout) == ("ConnectionError" in told)


def test_an_index_without_advisories_has_not_said_that_all_is_well(tmp_path):
    """A mirror that knows no package let the audit end as clean, and nothing was audited."""
    asked = tmp_path / "python"
    asked.write_text(
        "#!/bin/sh\ncase $* in *--version) exit 0;; esac\n"
        "grep '^[A-Za-z0-9]' \"$4\" | sed 's/$/ could not be audited/'\n"
    )
    asked.chmod(0o755)
    done = subprocess.run([ROOT / ".ci/audit", asked], capture_output=True, text=True)
    assert (done.returncode, done.stdout.count("SKIPPED")) == (0, 3), done.stdout
