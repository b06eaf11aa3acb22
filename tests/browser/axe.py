"""What axe holds against a page: by day, and by night whatever a colour decides."""

from axe_playwright_python.sync_playwright import Axe

from tests.browser.pages import still

SCRIPT = Axe().axe_script
COLOURS = ["color-contrast", "link-in-text-block"]
# Of a long list of staff the first twenty rows: the others are made alike.
RUN = """async (rules) => {
  const where = { include: ["html"], exclude: ["#result_list tbody tr:nth-child(n+21)"] };
  const only = rules ? { runOnly: { type: "rule", values: rules } } : {};
  const { violations } = await axe.run(where, { resultTypes: ["violations"], ...only });
  return violations.map((fault) => [fault.id, fault.impact, fault.nodes[0].html.slice(0, 120)]);
}"""


def faults(page, impacts=()):
    """All that is wrong with a page as it is now, or what is as bad as `impacts`."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(SCRIPT)
    still(page)
    found = page.evaluate(RUN, None)
    page.emulate_media(color_scheme="dark")
    found += [["after dark", *fault] for fault in page.evaluate(RUN, COLOURS)]
    page.emulate_media(color_scheme="light")
    return [fault for fault in found if not impacts or set(impacts).intersection(fault)]
