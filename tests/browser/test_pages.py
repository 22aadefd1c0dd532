"""The pages that nginx serves, as a browser sees them under their own policy."""
import json
import pathlib

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

TREE = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture
def document():
    return json.loads((TREE / "docs/api/openapi.json").read_text())


def wait(driver, what, seconds=20):
    return WebDriverWait(driver, seconds, poll_frequency=0.1).until(what)


def quiet(browser):
    assert browser.refused_by_policy() == []
    assert browser.console() == []


def test_the_watch_sees_what_the_policy_refuses(browser):
    """Without this the tests below could not fail"""
    driver = browser.open("/")
    driver.execute_script("var s = document.createElement('script'); s.textContent = 'window.inlineRan = 1';"
                          "document.body.appendChild(s);"
                          "var i = new Image(); i.src = 'https://other.example/x.png';")
    wait(driver, lambda d: len(browser.refused_by_policy()) >= 2)
    assert driver.execute_script("return window.inlineRan") is None
    assert any("Content Security Policy" in entry["message"] for entry in browser.console())


def test_the_start_page_says_that_the_service_answers(browser, instance):
    driver = browser.open("/")
    assert driver.title == "Lectern"
    health = driver.find_element(By.ID, "health")
    wait(driver, lambda d: health.get_attribute("data-state") != "unknown")
    assert health.get_attribute("data-state") == "ok"
    assert "answering" in health.text and "version" in health.text
    assert health.get_attribute("role") == "status"
    assert driver.find_element(By.TAG_NAME, "main").value_of_css_property("max-width") != "none", "no style sheet"
    browser.picture("start")
    links = [a.get_attribute("href") for a in driver.find_elements(By.TAG_NAME, "a")]
    assert instance["base_url"] + "/api/docs" in links
    assert all(link.startswith(instance["base_url"]) for link in links)
    quiet(browser)


def test_the_start_page_when_the_service_is_away(browser):
    driver = browser.driver
    driver.execute_cdp_cmd("Network.enable", {})
    driver.execute_cdp_cmd("Network.setBlockedURLs", {"urls": ["*/api/v1/health*"]})
    try:
        browser.open("/")
        health = driver.find_element(By.ID, "health")
        wait(driver, lambda d: health.get_attribute("data-state") == "down")
        assert "not answering" in health.text
        browser.picture("start-away")
    finally:
        driver.execute_cdp_cmd("Network.setBlockedURLs", {"urls": []})
        browser.console()
    browser.open("/")
    wait(driver, lambda d: d.find_element(By.ID, "health").get_attribute("data-state") == "ok")
    quiet(browser)


def test_the_documentation_lists_every_operation(browser, document):
    driver = browser.open("/api/docs")
    tags = {tag for path in document["paths"].values() for operation in path.values()
            if isinstance(operation, dict) and "operationId" in operation for tag in operation["tags"]}
    wait(driver, lambda d: len(d.find_elements(By.CSS_SELECTOR, ".opblock-tag-section")) == len(tags))
    shown = {e.get_attribute("data-tag") for e in driver.find_elements(By.CSS_SELECTOR, ".opblock-tag")}
    assert shown == tags
    browser.picture("docs")
    for head in driver.find_elements(By.CSS_SELECTOR, ".opblock-tag"):
        driver.execute_script("arguments[0].click()", head)
    expected = {(method.upper(), path) for path, methods in document["paths"].items() for method, operation
                in methods.items() if isinstance(operation, dict) and "operationId" in operation}
    wait(driver, lambda d: len(d.find_elements(By.CSS_SELECTOR, ".opblock")) == len(expected))
    found = {(e.find_element(By.CSS_SELECTOR, ".opblock-summary-method").text,
              e.find_element(By.CSS_SELECTOR, ".opblock-summary-path").get_attribute("data-path"))
             for e in driver.find_elements(By.CSS_SELECTOR, ".opblock")}
    assert found == expected
    assert not driver.find_elements(By.CSS_SELECTOR, ".errors-wrapper"), "the document has errors"
    browser.picture("docs-operations")
    quiet(browser)


def test_an_operation_is_tried_from_the_documentation(browser):
    driver = browser.open("/api/docs")
    wait(driver, lambda d: d.find_elements(By.CSS_SELECTOR, ".opblock-tag"))
    for head in driver.find_elements(By.CSS_SELECTOR, ".opblock-tag"):
        driver.execute_script("arguments[0].click()", head)
    place = "//*[contains(@class, 'opblock-summary-path') and @data-path='/api/v1/health/live']"
    block = wait(driver, lambda d: d.find_elements(
        By.XPATH, place + "/ancestor::*[starts-with(@id, 'operations-')]"))[0]

    def click(selector):
        element = wait(driver, lambda d: block.find_elements(By.CSS_SELECTOR, selector))[0]
        driver.execute_script("arguments[0].click()", element)
    for step in (".opblock-summary-control", ".try-out__btn", ".execute"):
        click(step)
    wait(driver, lambda d: [e for e in block.find_elements(By.CSS_SELECTOR, ".live-responses-table td")
                            if e.text.startswith("200")])
    assert '"up"' in block.find_element(By.CSS_SELECTOR, ".live-responses-table .highlight-code").text
    browser.picture("docs-tried")
    quiet(browser)


@pytest.mark.parametrize("path", ["/nothing-here", "/api/v1/nothing-here"])
def test_a_page_that_is_not_there(browser, path):
    browser.open(path)
    assert browser.refused_by_policy() == []
    browser.picture("absent" + path.replace("/", "-"))
    assert all("404" in entry["message"] for entry in browser.console())
