"""docs/first-steps.md, pasted into a shell at the top of the tree as it stands."""
import os
import re
import subprocess
import uuid

import pytest

from conftest import INSTANCE, TREE

PAGE = TREE / "docs" / "first-steps.md"


def blocks():
    return re.findall(r"^```sh\n(.*?)^```$", PAGE.read_text(), re.M | re.S)


@pytest.fixture(scope="module")
def outputs(instance):
    """What each block printed, one shell for all of them; $course at the end"""
    del instance
    mark = f"--{uuid.uuid4().hex}--"
    script = "set -euo pipefail\n" + "".join(f"{block}\necho '{mark}'\n" for block in blocks())
    done = subprocess.run(["bash", "-c", script + 'printf "%s" "$course"'], capture_output=True, text=True, timeout=120,
                          cwd=TREE, check=False, env={**os.environ, "LECTERN_INSTANCE": str(INSTANCE)})
    assert done.returncode == 0, done.stdout + done.stderr
    return [part.strip() for part in done.stdout.split(mark)]


def test_there_is_a_block_for_every_step(outputs):
    assert len(blocks()) == 6 and len(outputs) == 7
    assert not re.search(r"^```(?!sh$|$)", PAGE.read_text(), re.M), "a block that this test does not run"


def test_what_the_steps_print(outputs, api):
    quiet, publish, enrolled, announced, read, _, course = outputs
    assert quiet == ""
    assert publish == '"published"'
    assert re.search(r'"line": 2,.*"action": "enrol"', enrolled, re.S) and enrolled.endswith("\n1")
    notice = re.fullmatch(r'"([0-9a-f-]{36})"', announced).group(1)
    assert read == '"Welcome"'
    found = api("admin").get(f"/api/v1/announcements/{notice}").json()["data"]
    assert (found["course_id"], found["title"]) == (course, "Welcome")
    people = api("admin").get(f"/api/v1/courses/{course}/enrollments").json()["data"]
    assert [p["source"] for p in people] == ["import"]


def test_the_bigger_school(outputs, accounts, new_client):
    assert outputs[5]
    answer = new_client("scale").post("/api/v1/auth/login", json={
        "email": "admin@scale-1.lectern.example", "password": accounts("admin")["password"]})
    assert answer.status_code == 200, answer.text
    token = "Bearer " + answer.json()["data"]["access_token"]
    people = new_client("scale").get("/api/v1/org/users", params={"role": "student", "count": "exact", "limit": 1},
                                     headers={"authorization": token})
    assert people.json()["page"]["total"] == 1000


def test_nothing_is_left_behind(outputs):
    assert outputs and not (TREE / "class.csv").exists()
