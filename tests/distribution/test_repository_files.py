"""The files around the code are valid and agree: workflows, forms, citation, recipe, constraints, versions."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

import overtone
from tests.distribution.conftest import ROOT, project

BIN = Path(sys.executable).parent
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
FORMS = sorted(
    set((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml")) - {ROOT / ".github/ISSUE_TEMPLATE/config.yml"}
)
SCHEMAS = {
    "github-workflows": WORKFLOWS,
    "github-issue-forms": FORMS,
    "github-issue-config": [ROOT / ".github/ISSUE_TEMPLATE/config.yml"],
    "dependabot": [ROOT / ".github/dependabot.yml"],
    "citation-file-format": [ROOT / "CITATION.cff"],
    "readthedocs": [ROOT / ".readthedocs.yaml"],
}
BROKEN = {
    "github-workflows": ("runs-on:", "runs-at:"),
    "github-issue-forms": ("type: textarea", "type: textfield"),
    "github-issue-config": ("about:", "text:"),
    "dependabot": ("interval: monthly", "interval: sometimes"),
    "citation-file-format": ("authors:", "writers:"),
    "readthedocs": ("version: 2", "version: 9"),
}
"""A change of a valid file, by schema, that makes it invalid."""


def checked(schema: str, files: list[Path]) -> subprocess.CompletedProcess[str]:
    command = [str(BIN / "check-jsonschema"), "--builtin-schema", f"vendor.{schema}", *map(str, files)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("schema", SCHEMAS)
def test_files_follow_their_schema_and_a_broken_one_is_refused(schema, tmp_path):
    files = SCHEMAS[schema]
    assert files
    done = checked(schema, files)
    assert done.returncode == 0, done.stdout
    right, wrong = BROKEN[schema]
    text = files[0].read_text(encoding="utf-8")
    assert right in text
    broken = tmp_path / files[0].name
    broken.write_text(text.replace(right, wrong, 1), encoding="utf-8")
    assert checked(schema, [broken]).returncode == 1


def audited(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [str(BIN / "zizmor"), "--offline", "--no-progress", "--persona", "pedantic"]
    command += ["--config", str(ROOT / ".github" / "zizmor.yml"), str(folder)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("right", "wrong", "finding"),
    [
        ("persist-credentials: false", "fetch-depth: 1", "artipacked"),
        ("permissions: {}", "permissions: write-all", "excessive-permissions"),
        ("run: make check", 'run: echo "${{ github.event.pull_request.title }}"', "template-injection"),
    ],
)
def test_workflows_pass_an_audit_that_refuses_unsafe_ones(tmp_path, right, wrong, finding):
    folder = tmp_path / ".github" / "workflows"
    folder.mkdir(parents=True)
    for path in WORKFLOWS:
        (folder / path.name).write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
    clean = audited(tmp_path)
    assert clean.returncode == 0, clean.stdout
    unsafe = folder / "tests.yml"
    text = unsafe.read_text(encoding="utf-8")
    assert right in text
    unsafe.write_text(text.replace(right, wrong), encoding="utf-8")
    refused = audited(tmp_path)
    assert refused.returncode != 0
    assert finding in refused.stdout


def jobs(name: str) -> dict:
    return yaml.safe_load((ROOT / ".github" / "workflows" / name).read_text(encoding="utf-8"))["jobs"]


def test_actions_are_pinned_by_version():
    used = [
        line for path in WORKFLOWS for line in re.findall(r"uses: *(\S+)", path.read_text(encoding="utf-8"))
    ]
    assert len(used) > 10
    assert [line for line in used if not re.fullmatch(r"[\w-]+/[\w-]+@v\d+\.\d+\.\d+", line)] == []


def test_only_publishing_may_ask_for_an_identity_and_it_uploads_what_was_tried():
    release = jobs("release.yml")
    allowed = {name: job["permissions"] for name, job in release.items()}
    assert allowed == {"build": {"contents": "read"}, "smoke": {}, "publish": {"id-token": "write"}}
    assert (release["smoke"]["needs"], release["publish"]["needs"]) == ("build", "smoke")
    assert release["publish"]["environment"]["name"] == "pypi"
    # No step of publishing runs a command or checks out code: it uploads the files of the first job.
    assert all(set(step) <= {"uses", "with"} for step in release["publish"]["steps"])
    for name in ("tests.yml", "docs.yml"):
        assert {str(job["permissions"]) for job in jobs(name).values()} == {str({"contents": "read"})}


def test_the_tested_versions_of_python_are_those_of_the_metadata():
    matrix = jobs("tests.yml")["newest"]["strategy"]["matrix"]
    listed = [re.search(r":: (3\.\d+)$", line) for line in project()["classifiers"]]
    assert matrix["python"] == [match[1] for match in listed if match]
    assert matrix["python"][0] == project()["requires-python"].removeprefix(">=")
    assert [name.split("-")[0] for name in matrix["system"]] == ["ubuntu", "macos", "windows"]


def test_folders_and_targets_that_workflows_name_exist():
    text = (ROOT / ".github/workflows/tests.yml").read_text(encoding="utf-8")
    folders = set(re.findall(r"\btests/[\w/.]+", text))
    assert len(folders) > 5
    assert [name for name in folders if not (ROOT / name).exists()] == []
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = re.findall(r"run: make (\w+)", text)
    assert set(targets) == {"check", "test"}
    assert all(re.search(rf"^{target}:", makefile, re.M) for target in targets)


def test_versions_agree():
    version = project()["version"]
    assert overtone.__version__ == version
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))["version"] == version
    assert recipe()["context"]["version"] == version
    assert set(re.findall(r"overtone-([\d.]+)-py3", (ROOT / "README.md").read_text(encoding="utf-8"))) == {
        version
    }


def recipe() -> dict:
    return yaml.safe_load((ROOT / "packaging/conda/recipe.yaml").read_text(encoding="utf-8"))


def pinned(line: str) -> tuple[str, str]:
    requirement = Requirement(line)
    return requirement.name.lower(), str(requirement.specifier)


def test_the_recipe_has_the_dependencies_of_the_metadata():
    asked = dict(map(pinned, project()["dependencies"] + project()["optional-dependencies"]["reports"]))
    asked["pytorch"] = asked.pop("torch")
    python, *lines = recipe()["requirements"]["run"]
    assert dict(line.split(" ") for line in lines) == asked
    assert python == "python >=${{ python_min }}"
    assert recipe()["context"]["python_min"] == project()["requires-python"].removeprefix(">=")
    build = recipe()["build"]["python"]["entry_points"]
    assert build == [f"{name} = {target}" for name, target in project()["scripts"].items()]


def members(extra: str) -> list[str]:
    """Requirements of an extra, with those of the extras it is made of."""
    lines = []
    for line in project()["optional-dependencies"][extra]:
        requirement = Requirement(line)
        parts = [part for name in sorted(requirement.extras) for part in members(name)]
        lines += parts if requirement.name == "overtone" else [line]
    return lines


def test_the_minimal_constraints_are_the_lower_bounds():
    asked = {pinned(line) for line in project()["dependencies"] + members("all")}
    assert all(specifier.startswith(">=") and "," not in specifier for _, specifier in asked)
    lines = (ROOT / "constraints-minimal.txt").read_text(encoding="utf-8").splitlines()
    stated = {pinned(line) for line in lines if not line.startswith("#")}
    assert stated == {(name, specifier.replace(">=", "==")) for name, specifier in asked}


def test_the_lock_installs_what_the_demo_and_its_page_need():
    lock = {line.partition("==")[0].lower() for line in (ROOT / "requirements.lock").read_text().splitlines()}
    asked = project()["dependencies"] + members("reports") + members("demo") + members("points")
    assert {pinned(line)[0] for line in asked} <= lock


def test_the_lock_of_the_tests_pins_their_group():
    group = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["dependency-groups"]["test"]
    lines = [p.read_text() for p in (ROOT / "requirements.lock", ROOT / "requirements-test.lock")]
    lock = {name.lower() for name in re.findall(r"^([\w.-]+)==", "\n".join(lines), re.M)}
    assert {pinned(line)[0] for line in group} <= lock


def test_documents_of_the_project_point_to_one_repository():
    repository = project()["urls"]["Repository"]
    for name in (
        "SECURITY.md",
        "CITATION.cff",
        "packaging/conda/recipe.yaml",
        ".github/ISSUE_TEMPLATE/config.yml",
    ):
        text = (ROOT / name).read_text(encoding="utf-8")
        assert set(re.findall(r"https://github\.com/[\w-]+/[\w-]+", text)) == {repository}, name
    releasing = (ROOT / "docs/development/releasing.md").read_text(encoding="utf-8")
    assert "overtone-dev/overtone" in releasing
    assert "have to be claimed first" in releasing
