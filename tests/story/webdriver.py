"""Just enough of the W3C WebDriver protocol to steer headless Chromium: a driver of our own process, one session, pages and clicks.

Nothing waits a fixed time: `until` polls a condition and gives up at a deadline.
"""

import json
import os
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"


class Trouble(Exception):
    """What the driver, or a page that never came, has to say."""


class Browser:
    def __init__(self, patience=60):
        self.patience = patience
        self.profile = tempfile.TemporaryDirectory(prefix="vestal-browser-", ignore_cleanup_errors=True)
        port = free_port()
        self.driver = subprocess.Popen(
            ["chromedriver", f"--port={port}", "--log-level=SEVERE"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "TMPDIR": self.profile.name},
        )
        self.base = f"http://127.0.0.1:{port}"
        self.until(lambda: self.call("GET", "/status")["ready"], "chromedriver")
        arguments = [
            "--headless=new",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--no-sandbox",  # the tests run as root in CI, where Chromium's sandbox refuses to start
            "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
            f"--user-data-dir={self.profile.name}/profile",
        ]
        asked = {"alwaysMatch": {"browserName": "chrome", "goog:chromeOptions": {"args": arguments}}}
        session = self.call("POST", "/session", {"capabilities": asked})
        self.base += f"/session/{session['sessionId']}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            self.call("DELETE", "")
        except (OSError, Trouble):
            pass
        self.driver.terminate()
        self.driver.wait()
        self.profile.cleanup()

    def call(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        asked = urllib.request.Request(self.base + path, data, {"Content-Type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(asked, timeout=self.patience) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as refused:
            raise Trouble(json.load(refused)["value"]["message"].splitlines()[0]) from None

    def open(self, url):
        """Goes to a page; one that cannot be reached is where the browser is all the same, as in the address bar."""
        try:
            self.call("POST", "/url", {"url": url})
        except Trouble as trouble:
            if "ERR_CONNECTION_REFUSED" not in str(trouble):
                raise

    @property
    def url(self):
        return self.call("GET", "/url")

    def all(self, selector):
        found = self.call("POST", "/elements", {"using": "css selector", "value": selector})
        return [element[ELEMENT] for element in found]

    def text(self, selector):
        """The text of the first such element, or None."""
        found = self.all(selector)
        return self.call("GET", f"/element/{found[0]}/text") if found else None

    def type(self, selector, text):
        self.call("POST", f"/element/{self.all(selector)[0]}/value", {"text": text})

    def click(self, selector):
        """Clicks, and is done when the page has gone: the next look finds the next page."""
        element = self.all(selector)[0]
        try:
            self.call("POST", f"/element/{element}/click", {})
        except Trouble as trouble:
            if "ERR_CONNECTION_REFUSED" not in str(trouble):
                raise
        self.until(lambda: self.gone(element), f"the page after {selector}")

    def gone(self, element):
        try:
            self.call("GET", f"/element/{element}/name")
        except Trouble:
            return True
        return False

    def until(self, condition, what):
        """The first true answer of a condition; pages in the middle of a change count as not yet."""
        deadline = time.monotonic() + self.patience
        trouble = None
        while time.monotonic() < deadline:
            try:
                answer = condition()
                if answer:
                    return answer
            except (OSError, Trouble) as error:
                trouble = error
            time.sleep(0.05)
        raise Trouble(f"waited {self.patience} s for {what}" + (f": {trouble}" if trouble else ""))


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]
