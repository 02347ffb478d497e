"""The person in front of the browser. Prints one JSON object: {"ok": true, …} or {"ok": false, "error": …}.

  browse.py link URL REDIRECT_PREFIX   opens an authorization link, logs in, consents, and reads what stands in the address
                                       bar when the browser has come back to the redirect URL (nobody need listen there):
                                       {"url": …, "code": …, "state": …}
  browse.py app URL                    opens the app, clicks Authorize, logs in, consents, and reads the name that the app
                                       shows afterwards: {"person": …, "asked": true}; "asked" is false when the app
                                       showed a name at once
  browse.py agree URL                  opens a link of `vestal demo --browser`, signs in as whoever is offered, and reads the page
                                       that the browser ends at: {"page": …}

The person's login is the environment's PERSON_LOGIN, `jane` when unset.
"""

import json
import os
import sys
from urllib.parse import parse_qs, urlsplit

from webdriver import Browser, Trouble

LOGIN = os.environ.get("PERSON_LOGIN", "jane")


def log_in(browser):
    """Through the provider's two pages: who are you, and may it."""
    browser.until(lambda: browser.all("input[name=login]"), "the login page")
    browser.type("input[name=login]", LOGIN)
    browser.type("input[name=password]", "any")
    browser.click("button[type=submit]")
    browser.until(lambda: browser.all("input[name=prompt][value=consent]"), "the consent page")
    browser.click("button[type=submit]")


def follow_link(browser, url, redirect):
    browser.open(url)
    log_in(browser)
    arrived = browser.until(lambda: browser.url.startswith(redirect) and browser.url, "the redirect")
    answer = parse_qs(urlsplit(arrived).query)
    if "code" not in answer:
        raise Trouble(f"came back without a code: {sorted(answer)}")
    return {"url": arrived, "code": answer["code"][0], "state": answer.get("state", [None])[0]}


def use_app(browser, url):
    browser.open(url)
    browser.until(lambda: browser.all("#authorize, #person, #error"), "the app")
    asked = bool(browser.all("#authorize"))
    if asked:
        browser.click("#authorize")
        log_in(browser)
        browser.until(lambda: browser.all("#authorize, #person, #error"), "the app after the login")
    if browser.all("#error"):
        raise Trouble(f"the app says: {browser.text('#error')}")
    person = browser.text("#person")
    if not person:
        raise Trouble("the app shows no name")
    return {"person": person, "asked": asked}


def agree(browser, url):
    browser.open(url)
    browser.until(lambda: browser.all("#allow"), "the demo provider's page")
    browser.click("#allow")
    return {"page": browser.until(lambda: browser.text("body"), "the page after signing in")}


def main(arguments):
    deeds = {"link": (follow_link, 2), "app": (use_app, 1), "agree": (agree, 1)}
    deed, count = deeds.get(arguments[0] if arguments else "", (None, 0))
    if deed is None or len(arguments) != count + 1:
        sys.exit(__doc__)
    try:
        with Browser() as browser:
            result = {"ok": True, **deed(browser, *arguments[1:])}
    except (OSError, Trouble) as error:
        result = {"ok": False, "error": str(error)}
    print(json.dumps(result))
    return 0 if result["ok"] else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
