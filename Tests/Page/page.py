"""The page as its readers know it: what it shows, and what one can do with it."""

from pathlib import Path

from host import until

ADDRESS = "http://127.0.0.1:8080/"
RESULTS = Path(__file__).resolve().parents[2] / ".build/results/page"


class Page:
    address = ADDRESS

    def __init__(self, browser):
        self.browser = browser

    def open(self, fragment=""):
        """As if for the first time in this tab."""
        self.browser.open("about:blank")
        self.browser.open(self.address + fragment)

    def sign_in(self, token, fragment=""):
        self.open(fragment)
        self.browser.run("sessionStorage.clear()")
        self.browser.reload()
        self.browser.type(self.wait_for("input[name=token]"), token)
        self.press_button("Open")
        self.wait_until(lambda: self.browser.find("nav"), "signed in")

    def resume(self, token, fragment=""):
        """As after a reload in a tab where somebody signed in."""
        self.open(fragment)
        self.browser.run("sessionStorage.setItem('tunneld.token', arguments[0])", token)
        self.browser.reload()
        self.wait_until(lambda: self.browser.find("nav"), "signed in")

    def go(self, fragment):
        self.browser.run("location.hash = arguments[0]", fragment)

    @property
    def fragment(self):
        return self.browser.run("return location.hash")

    def wait_until(self, condition, what, seconds=15):
        def shown():
            return f"{what}\n--- the page shows:\n{self.text()[:3000]}"

        try:
            return until(condition, seconds, what)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{shown()}") from None

    def wait_for(self, selector, what=None, seconds=15):
        return self.wait_until(lambda: self.browser.find(selector), what or selector, seconds)

    def text(self, selector="body"):
        """What is visible of it."""
        return self.browser.run("return document.querySelector(arguments[0])?.innerText ?? ''", selector)

    def texts(self, selector):
        """Of all that are visible, each on one line."""
        return self.browser.run(
            """return [...document.querySelectorAll(arguments[0])].filter((e) => e.checkVisibility())
                .map((e) => e.innerText.replace(/\\s+/g, ' ').trim())""",
            selector,
        )

    def attribute(self, selector, name):
        """Of the first; "" where it has none."""
        return self.browser.run(
            "return document.querySelector(arguments[0])?.getAttribute(arguments[1]) ?? ''", selector, name
        )

    @property
    def announced(self):
        """What screen readers were told last."""
        return self.browser.run("return document.getElementById('announce').textContent")

    def wait_for_text(self, text, selector="body", seconds=15):
        self.wait_until(lambda: text in self.text(selector), f"{text!r} in {selector}", seconds)

    def press_button(self, name):
        self.browser.click(self.wait_until(lambda: self.browser.named("button", name), f"the button {name!r}"))

    def follow(self, name):
        self.browser.click(self.wait_until(lambda: self.browser.named("link", name), f"the link {name!r}"))

    def fill(self, **fields):
        """The fields of a form by their names."""
        for name, value in fields.items():
            element = self.wait_for(f"form [name={name}]")
            if isinstance(value, bool):
                if self.browser.run("return arguments[0].checked", element) != value:
                    self.browser.click(element)
            else:
                self.browser.type(element, value)

    def fault(self, name):
        """What is said about a field, by what a screen reader finds there."""
        return self.browser.run(
            """const field = document.querySelector(`form [name=${arguments[0]}]`);
            if (field.getAttribute('aria-invalid') !== 'true') return '';
            return field.getAttribute('aria-describedby').split(' ').map((id) => document.getElementById(id))
                .filter((e) => e.classList.contains('fault')).map((e) => e.textContent).join(' ')""",
            name,
        )

    def rows(self):
        """The rows of the list that are in the document, in their order: the texts of their cells."""
        return self.browser.run(
            """return [...document.querySelectorAll('.rows .row:not([hidden])')]
                .sort((a, b) => a.getAttribute('aria-rowindex') - b.getAttribute('aria-rowindex'))
                .map((row) => [...row.children].map((cell) => cell.innerText.replace(/\\s+/g, ' ').trim()))"""
        )

    def names(self):
        return [row[1].split(" ")[0] for row in self.rows()]

    def row(self, name):
        return next((row for row in self.rows() if row[1].split(" ")[0] == name), None)

    def wait_for_row(self, name, state=None):
        self.wait_until(
            lambda: (row := self.row(name)) and (state is None or row[0] == state), f"{name} is listed as {state}"
        )

    def focused(self):
        """The name of what has the focus."""
        return self.browser.run(
            """const e = document.activeElement;
            if (e === document.body) return 'BODY';
            return e.getAttribute('aria-label') || e.labels?.[0]?.textContent || e.textContent.trim() || e.tagName"""
        )

    def screenshot(self, name):
        self.browser.screenshot(RESULTS / f"{name}.png")
