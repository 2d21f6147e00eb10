"""A browser without a window that points, draws lassos and moves sliders on a page."""

import io
import shutil
import time

import numpy as np
import pytest

MODELS = "const models = [...Bokeh.documents[0]._all_models.values()];"
VIEWS = """
const found = [];
const walk = (view) => { found.push(view); for (const one of view.child_views ?? []) walk(one) };
for (const root of Bokeh.index.roots) walk(root);
const figures = found.filter((view) => view.model.type == "Figure");
"""


class Browser:
    """Chromium, driven by Selenium."""

    def __init__(self):
        webdriver = pytest.importorskip("selenium.webdriver")
        names = ("chromium", "chromium-browser", "google-chrome")
        binary = next(filter(None, map(shutil.which, names)), None)
        driver = shutil.which("chromedriver")
        if binary is None or driver is None:
            pytest.skip("needs Chromium and its driver: apt-get install chromium chromium-driver")
        options = webdriver.ChromeOptions()
        options.binary_location = binary
        for argument in ("headless=new", "no-sandbox", "disable-gpu", "disable-dev-shm-usage"):
            options.add_argument(f"--{argument}")
        options.add_argument("--window-size=1300,1500")
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        service = webdriver.ChromeService(executable_path=driver)
        self.driver = webdriver.Chrome(options=options, service=service)
        self.driver.set_network_conditions(
            offline=True, latency=0, download_throughput=0, upload_throughput=0
        )

    def open(self, path):
        self.driver.get("about:blank")
        self.driver.get_log("browser")
        self.driver.get(path.as_uri())
        self.wait("return window.Bokeh?.documents?.[0]?.is_idle")

    def run(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def wait(self, script, *arguments):
        """Wait until a script returns something true, and return it."""
        end = time.monotonic() + 20
        while time.monotonic() < end:
            if found := self.run(script, *arguments):
                return found
            time.sleep(0.05)
        raise TimeoutError(script)

    def source(self, name):
        """Return the columns of a source, images as lists of rows."""
        return self.run(
            MODELS + "const data = models.find((m) => m.name == arguments[0]).data;"
            "return Object.fromEntries(Object.entries(data).map(([k, v]) => [k, k == 'image' ?"
            " [...v].map((one) => [one.shape, [...one]]) : [...v]]))",
            name,
        )

    def selected(self):
        script = "return models.find((m) => m.name == 'cells').selected.indices"
        return sorted(self.run(MODELS + script))

    def count(self, kind):
        return self.run(
            MODELS + "return models.filter((m) => m.type == arguments[0]).length", kind
        )

    def properties(self, path):
        """Return a property of all models that have one, such as "title.text"."""
        script = "return models.map((m) => arguments[0].split('.').reduce((a, b) => a?.[b], m))"
        return [one for one in self.run(MODELS + script, path) if one]

    def wait_for_cell(self, cell):
        """Wait until a cell is marked."""
        script = "return models.find((m) => m.name == 'pointed').tags[0] == arguments[0]"
        self.wait(MODELS + script, cell)

    def place(self, figure, x, y):
        """Return where data coordinates of the k-th figure are in the window, px."""
        return self.run(
            VIEWS + "const view = figures.at(arguments[0]);"
            "view.el.scrollIntoView({block: 'center'});"
            "const box = view.canvas.el.getBoundingClientRect(), frame = view.frame;"
            "return [box.left + frame.x_scale.compute(arguments[1]),"
            " box.top + frame.y_scale.compute(arguments[2])]",
            figure, float(x), float(y),
        )  # fmt: skip

    def move(self, *places, drag=False):
        """Move the pointer through places in the window, with the button down if it drags."""
        from selenium.webdriver.common.action_chains import ActionChains

        chain = ActionChains(self.driver, duration=30)
        pointer = chain.w3c_actions.pointer_action
        for k, (x, y) in enumerate(places):
            pointer.move_to_location(round(x), round(y))
            if drag and k == 0:
                pointer.pointer_down()
        if drag:
            pointer.pointer_up()
        chain.perform()

    def lasso(self, figure, *corners):
        places = [self.place(figure, *corner) for corner in (*corners, corners[0])]
        self.move(*places, drag=True)

    def slide(self, title, share):
        """Drag a slider, found by the beginning of its title, to a share of its length."""
        handle, bar = self.run(
            VIEWS + "const view = found.find((v) => v.model.type == 'Slider'"
            " && v.model.title.startsWith(arguments[0]));"
            "view.el.scrollIntoView({block: 'center'});"
            "return ['.noUi-handle', '.noUi-base'].map((name) =>"
            " view.shadow_el.querySelector(name).getBoundingClientRect().toJSON())",
            title,
        )
        y = handle["y"] + handle["height"] / 2
        start = handle["x"] + handle["width"] / 2
        self.move((start, y), (bar["x"] + share * bar["width"], y), drag=True)

    def escape(self):
        from selenium.webdriver.common.action_chains import ActionChains
        from selenium.webdriver.common.keys import Keys

        ActionChains(self.driver).send_keys(Keys.ESCAPE).perform()

    def text(self):
        """Return all text that is shown, that of tooltips included."""
        return self.run(
            "const read = (node) => [...node.childNodes].map((one) => one.nodeType == 3 ?"
            " one.textContent : ['SCRIPT', 'STYLE'].includes(one.tagName) ? '' :"
            " (one.shadowRoot ? read(one.shadowRoot) : '') + read(one)).join('');"
            "return read(document.body)"
        )

    def colour(self, figure, x, y):
        """Return the mean colour of the 3 x 3 screen pixels around data coordinates."""
        import matplotlib.image

        left, top = map(round, self.place(figure, x, y))
        time.sleep(0.2)  # until it is painted
        shot = matplotlib.image.imread(io.BytesIO(self.driver.get_screenshot_as_png()))
        return 255 * np.mean(shot[top - 1 : top + 2, left - 1 : left + 2, :3], axis=(0, 1))

    def errors(self):
        return [one for one in self.driver.get_log("browser") if one["level"] == "SEVERE"]
