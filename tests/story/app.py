"""The small web app of the story: it shows a person's name, with a token that Vestal keeps fresh.

It is written as people write such apps against HashiCorp Vault with hvac 0.11.2, and knows nothing of Vestal.

Settings come from the environment: VAULT_ADDR and VAULT_TOKEN as always; OAUTH_MOUNT, OAUTH_SERVER and OAUTH_CREDENTIAL say
where the credential lies; SCOPES what to ask for; USERINFO_URL whom to ask for the name; PORT where to listen on 127.0.0.1.
"""

import os
import secrets

import hvac
import requests
from flask import Flask, redirect, request, session

MOUNT = os.environ["OAUTH_MOUNT"]
SERVER = os.environ["OAUTH_SERVER"]
CREDENTIAL = f"{MOUNT}/creds/{os.environ['OAUTH_CREDENTIAL']}"
USERINFO_URL = os.environ["USERINFO_URL"]
SCOPES = os.environ["SCOPES"].split()
PORT = int(os.environ["PORT"])
REDIRECT_URL = f"http://127.0.0.1:{PORT}/auth"

app = Flask(__name__)
app.secret_key = secrets.token_bytes(32)
vault = hvac.Client(url=os.environ["VAULT_ADDR"], token=os.environ["VAULT_TOKEN"])


@app.get("/")
def home():
    credential = vault.read(CREDENTIAL)
    if credential is None:
        return '<h1>Report</h1><form action="/authorize" method="post"><button id="authorize">Authorize</button></form>'
    token = credential["data"]["access_token"]
    answer = requests.get(USERINFO_URL, headers={"Authorization": f"Bearer {token}"}, timeout=30)
    if answer.status_code != 200:
        return f'<h1>Report</h1><p id="error">the provider answered {answer.status_code}</p>', 502
    return f'<h1>Report</h1><p>Hello, <b id="person">{answer.json()["name"]}</b></p>'


@app.post("/authorize")
def authorize():
    session["state"] = secrets.token_urlsafe(16)
    answer = vault.write(
        f"{MOUNT}/auth-code-url",
        server=SERVER,
        redirect_url=REDIRECT_URL,
        scopes=SCOPES,
        state=session["state"],
    )
    return redirect(answer["data"]["url"])


@app.get("/auth")
def auth():
    expected = session.pop("state", None)
    if expected is None or request.args.get("state") != expected:
        return '<p id="error">this answer belongs to no question of ours</p>', 400
    if "code" not in request.args:
        return f'<p id="error">{request.args.get("error", "no code")}</p>', 400
    vault.write(CREDENTIAL, server=SERVER, redirect_url=REDIRECT_URL, code=request.args["code"])
    return redirect("/")


if __name__ == "__main__":
    app.run(host="127.0.0.1", port=PORT)
