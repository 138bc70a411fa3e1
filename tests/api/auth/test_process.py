"""A real web process, as it is served."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from cli.accounts import ensure_admin_token
from orchestration.store.database import Database
from settings import ROOT, Settings, load_settings


@pytest.fixture
def settings(database_url: str, redis_url: str, tmp_path: Path) -> Settings:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    return load_settings(attach=False, database_url=database_url, redis_url=redis_url, data_dir=tmp_path, port=port)


@pytest.fixture
def web(settings: Settings, tmp_path: Path, eventually) -> Iterator[str]:
    """The URL of a gunicorn that serves the app."""
    log = (tmp_path / "web.log").open("w")
    bind = f"127.0.0.1:{settings.port}"
    command = [sys.executable, "-m", "gunicorn", "api.wsgi:app", "-b", bind, "--threads", "4", "--no-control-socket"]
    environment = os.environ | {
        "DATABASE_URL": settings.database_url,
        "REDIS_URL": settings.redis_url,
        "PERDURE_DATA_DIR": str(settings.data_dir),
        "PERDURE_PORT": str(settings.port),
    }
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)

    def is_ready() -> bool:
        if process.poll() is not None:
            raise RuntimeError((tmp_path / "web.log").read_text())
        try:
            return requests.get(f"{settings.web_url}/readyz", timeout=5).ok
        except requests.RequestException:
            return False

    try:
        eventually(is_ready, timeout_s=30)
        yield settings.web_url
    finally:
        process.terminate()
        process.wait(20)
        log.close()


def test_sign_in_work_and_sign_out_over_http(web: str, settings: Settings, tmp_path: Path) -> None:
    database = Database(settings.database_url, size=1)
    file = ensure_admin_token(database, settings)
    assert file is not None
    token = file.read_text().strip()
    made = requests.post(f"{web}/auth/code", headers={"Authorization": f"Bearer {token}"}, timeout=5)
    code = made.json()["code"]

    browser = requests.Session()
    assert browser.get(f"{web}/", allow_redirects=False).status_code == 401
    assert browser.post(f"{web}/auth/exchange", json={"code": code}, headers={"Origin": web}, timeout=5).ok
    assert browser.get(f"{web}/auth/me", timeout=5).json()["role"] == "admin"
    assert "Endpoints" in browser.get(f"{web}/api", timeout=5).text
    assert browser.post(f"{web}/auth/sign-out", headers={"Origin": "http://evil.example"}, timeout=5).status_code == 403
    assert browser.post(f"{web}/auth/sign-out", headers={"Origin": web}, timeout=5).ok
    assert browser.get(f"{web}/auth/me", timeout=5).status_code == 401

    bearer = {"Authorization": f"Bearer {token}"}
    made = requests.post(f"{web}/auth/tokens", json={"name": "ci"}, headers=bearer, timeout=5)
    assert made.status_code == 201

    def chunks() -> Iterator[bytes]:
        for _ in range(20):
            yield b" " * 1024 * 1024

    # A body without a length is cut off at the limit too.
    headers = bearer | {"Content-Type": "application/json"}
    try:
        answer = requests.post(f"{web}/auth/tokens", data=chunks(), headers=headers, timeout=10)
        assert answer.status_code == 413, answer.text
    except requests.ConnectionError:
        assert requests.get(f"{web}/healthz", timeout=5).ok

    log = (tmp_path / "web.log").read_text()
    for secret in (token, code, made.json()["token"]):
        assert secret not in log
    database.close()
