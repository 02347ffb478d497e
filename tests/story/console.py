"""The console program of the story, as people write it against HashiCorp Vault with hvac, 0.11.2 or the newest.

  console.py furnish      initialises and opens the vault, mounts the engine, writes the server, the policies and a static
                          secret; prints {"shares": …, "root_token": …, "reader": …, "app": …}: two tokens, one that may
                          only read the credential, one that may connect it too
  console.py link         prints {"url": …}: where a person authorises
  console.py connect CODE writes the credential
  console.py read         prints {"access_token": …}, or {"access_token": null} when there is no credential
  console.py unseal SHARE SHARE

Settings come from the environment: VAULT_ADDR, VAULT_TOKEN, and the story's names, see below.
"""

import json
import os
import sys

import hvac


def setting(name):
    return os.environ[name]


def vault():
    return hvac.Client(url=setting("VAULT_ADDR"), token=os.environ.get("VAULT_TOKEN"))


def credential():
    return f"{setting('OAUTH_MOUNT')}/creds/{setting('OAUTH_CREDENTIAL')}"


def furnish():
    client = vault()
    assert not client.sys.is_initialized()
    made = client.sys.initialize(secret_shares=3, secret_threshold=2)
    client.sys.submit_unseal_keys(made["keys_base64"][:2])
    assert not client.sys.is_sealed()
    client.token = made["root_token"]
    assert client.is_authenticated()

    mount = setting("OAUTH_MOUNT")
    client.sys.enable_secrets_engine("oauthapp", path=mount)
    client.write(
        f"{mount}/servers/{setting('OAUTH_SERVER')}",
        provider="custom",
        client_id=setting("CLIENT_ID"),
        client_secret=setting("CLIENT_SECRET"),
        provider_options={"auth_code_url": setting("AUTH_URL"), "token_url": setting("TOKEN_URL")},
    )

    client.sys.enable_secrets_engine("kv", path=setting("KV_MOUNT"), options={"version": "2"})
    secret = {setting("KV_KEY"): setting("KV_VALUE")}
    client.secrets.kv.v2.create_or_update_secret(path=setting("KV_PATH"), secret=secret, mount_point=setting("KV_MOUNT"))
    kept = client.secrets.kv.v2.read_secret_version(path=setting("KV_PATH"), mount_point=setting("KV_MOUNT"))
    assert kept["data"]["data"] == secret

    name = setting("POLICY")
    connect = f'path "{mount}/auth-code-url" {{ capabilities = ["update"] }}\n'
    connect += f'path "{credential()}" {{ capabilities = ["create", "update", "read"] }}\n'
    client.sys.create_or_update_policy(name, f'path "{credential()}" {{ capabilities = ["read"] }}')
    client.sys.create_or_update_policy(f"{name}-connect", connect)
    return {
        "shares": made["keys_base64"],
        "root_token": made["root_token"],
        "reader": token(client, name),
        "app": token(client, f"{name}-connect"),
    }


def token(client, policy):
    create = client.auth.token.create if hasattr(client.auth, "token") else client.create_token
    return create(policies=[policy])["auth"]["client_token"]


def link():
    answer = vault().write(
        f"{setting('OAUTH_MOUNT')}/auth-code-url",
        server=setting("OAUTH_SERVER"),
        redirect_url=setting("REDIRECT_URL"),
        scopes=["openid", "profile"],
        state="12345",
    )
    return {"url": answer["data"]["url"]}


def connect(code):
    vault().write(credential(), server=setting("OAUTH_SERVER"), redirect_url=setting("REDIRECT_URL"), code=code)
    return {}


def read():
    found = vault().read(credential())
    return {"access_token": found and found["data"]["access_token"]}


def unseal(*shares):
    return {"sealed": vault().sys.submit_unseal_keys(list(shares))["sealed"]}


if __name__ == "__main__":
    deeds = {"furnish": furnish, "link": link, "connect": connect, "read": read, "unseal": unseal}
    if len(sys.argv) < 2 or sys.argv[1] not in deeds:
        sys.exit(__doc__)
    print(json.dumps(deeds[sys.argv[1]](*sys.argv[2:])))
