"""Debian's chromium before a running instance: LECTERN_INSTANCE names its instance.json.

Pictures of what was seen go to LECTERN_SCREENSHOTS, or to pytest's temporary directory.
"""
import base64
import hashlib
import json
import os
import pathlib
import ssl
import subprocess
import urllib.parse

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

TREE = pathlib.Path(__file__).resolve().parents[2]
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--no-proxy-server",
         "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions",
         "--disable-dev-shm-usage", "--window-size=1280,1000")

# Runs before any script of a page: what the policy of its contents refused is kept.
WATCH = """
window.refusedByPolicy = [];
document.addEventListener('securitypolicyviolation', function (e) {
  window.refusedByPolicy.push(e.effectiveDirective + ' ' + e.blockedURI + ' ' + e.sourceFile + ':' + e.lineNumber);
});
"""


@pytest.fixture(scope="session")
def instance():
    path = pathlib.Path(os.environ.get("LECTERN_INSTANCE", TREE / ".lectern" / "instance.json"))
    if not path.is_file():
        pytest.fail(f"no instance: {path} does not exist (deploy/up makes one)")
    return json.loads(path.read_text())


def key_of(base_url):
    """The digest by which chromium is told to trust this server's key, and no other"""
    parts = urllib.parse.urlsplit(base_url)
    pem = ssl.get_server_certificate((parts.hostname, parts.port))
    key = subprocess.run(["openssl", "x509", "-pubkey", "-noout"], input=pem, capture_output=True, text=True,
                         check=True, timeout=20).stdout
    der = subprocess.run(["openssl", "pkey", "-pubin", "-outform", "der"], input=key.encode(), capture_output=True,
                         check=True, timeout=20).stdout
    return base64.b64encode(hashlib.sha256(der).digest()).decode()


class Browser:
    def __init__(self, driver, base_url, pictures):
        self.driver, self.base_url, self.pictures = driver, base_url, pictures

    def open(self, path):
        self.driver.get(self.base_url + path)
        return self.driver

    def console(self):
        """What the browser complains of; taking it empties it"""
        return [entry for entry in self.driver.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]

    def refused_by_policy(self):
        return self.driver.execute_script("return window.refusedByPolicy")

    def picture(self, name):
        path = self.pictures / f"{name}.png"
        assert self.driver.save_screenshot(str(path)) and path.stat().st_size > 5000
        return path


@pytest.fixture(scope="session")
def browser(instance, tmp_path_factory):
    options = Options()
    options.binary_location = "/usr/bin/chromium"
    for flag in FLAGS:
        options.add_argument(flag)
    options.add_argument(f"--user-data-dir={tmp_path_factory.mktemp('chromium')}")
    options.add_argument(f"--ignore-certificate-errors-spki-list={key_of(instance['base_url'])}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(service=Service("/usr/bin/chromedriver"), options=options)
    try:
        driver.set_page_load_timeout(30)
        driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": WATCH})
        wanted = os.environ.get("LECTERN_SCREENSHOTS")
        pictures = pathlib.Path(wanted) if wanted else tmp_path_factory.mktemp("pictures")
        pictures.mkdir(parents=True, exist_ok=True)
        yield Browser(driver, instance["base_url"], pictures)
    finally:
        driver.quit()
