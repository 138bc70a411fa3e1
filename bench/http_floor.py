"""The ceiling of the same server: a Flask app that answers a constant, served by gunicorn as the web process is."""

from __future__ import annotations

from flask import Flask, Response

app = Flask(__name__)


@app.route("/", methods=["GET", "POST"])
def answer() -> Response:
    return Response('{"success": true}', mimetype="application/json")
