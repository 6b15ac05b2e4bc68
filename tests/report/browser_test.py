#!/usr/bin/env python3
"""Looks at the report's pages in headless Chromium, through its DevTools pipe.

usage: browser_test.py REPORT_PAGES [FOLDER]      REPORT_PAGES writes the pages; FOLDER gets screenshots
"""
import base64
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

DESKTOP, NARROW = (1280, 900), (390, 844)
SECTIONS = ['findings', 'plans', 'layers', 'float', 'tensors', 'data', 'samples', 'environment']
TIMEOUT_S = 60

# Texts of one chart that lie on one another, and texts that leave their chart.
CHART_FAULTS = """Array.from(document.querySelectorAll('svg.chart')).flatMap((svg, index) => {
  const frame = svg.getBoundingClientRect(), faults = [];
  const boxes = Array.from(svg.querySelectorAll('text')).map((t) => [t.textContent, t.getBoundingClientRect()]);
  boxes.forEach(([text, box], i) => {
    if (box.left < frame.left - 1 || box.right > frame.right + 1 || box.top < frame.top - 1 ||
        box.bottom > frame.bottom + 1) faults.push(`chart ${index}: '${text}' leaves it`);
    if (box.height > 0 && box.height < 9) faults.push(`chart ${index}: '${text}' is only ${box.height} px high`);
    for (const [other, b] of boxes.slice(0, i)) {
      if (box.left < b.right && b.left < box.right && box.top + 2 < b.bottom && b.top + 2 < box.bottom) {
        faults.push(`chart ${index}: '${text}' lies on '${other}'`);
      }
    }
  });
  return faults;
})"""

# Texts whose contrast to the nearest painted background is below WCAG's 4.5.
CONTRAST_FAULTS = """(() => {
  const numbers = (color) => color.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
      .map((v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
      .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const faults = new Set();
  for (const element of document.querySelectorAll('p, span, strong, td, th, dt, dd, h1, h2, h3, a, code, small, li')) {
    if (!element.textContent.trim() || element.closest('svg')) continue;
    let place = element;
    while (place && (numbers(getComputedStyle(place).backgroundColor)[3] ?? 1) === 0) place = place.parentElement;
    const front = light(numbers(getComputedStyle(element).color));
    const back = light(numbers(getComputedStyle(place ?? document.body).backgroundColor));
    const ratio = (Math.max(front, back) + 0.05) / (Math.min(front, back) + 0.05);
    if (ratio < 4.5) faults.add(`${element.tagName}.${element.className} has a contrast of ${ratio.toFixed(2)}`);
  }
  return Array.from(faults);
})()"""

LAYER_KEYS = "Array.from(document.querySelectorAll('#layer-table tbody tr')).map((r) => r.cells[3].dataset.v ?? null)"
LAYER_NAMES = "Array.from(document.querySelectorAll('#layer-table tbody tr')).map((r) => r.cells[0].textContent)"


class Browser:
    """One Chromium with one tab, spoken to by the DevTools protocol on file descriptors 3 and 4."""

    def __init__(self, program, profile):
        to_read, self._to = os.pipe()
        self._from, to_write = os.pipe()
        # Copies far from 3 and 4, so that putting one there does not close the other.
        import fcntl
        far = [fcntl.fcntl(fd, fcntl.F_DUPFD, 100) for fd in (to_read, to_write)]

        def place_pipes():
            os.dup2(far[0], 3)
            os.dup2(far[1], 4)

        self._process = subprocess.Popen(
            [program, '--headless=new', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--no-first-run',
             '--disable-extensions', '--disable-background-networking', '--hide-scrollbars',
             f'--user-data-dir={profile}', '--remote-debugging-pipe', 'about:blank'],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=place_pipes,
            close_fds=False)
        for fd in (to_read, to_write, *far):
            os.close(fd)
        self._buffer, self._id, self._session = b'', 0, None
        self.complaints, self.requests, self._loaded = [], [], False
        target = self.call('Target.createTarget', url='about:blank')['targetId']
        self._session = self.call('Target.attachToTarget', targetId=target, flatten=True)['sessionId']
        for domain in ('Page', 'Runtime', 'Log', 'Network'):
            self.call(domain + '.enable')

    def close(self):
        try:
            self._session = None
            self.call('Browser.close')
        finally:
            os.close(self._to)
            os.close(self._from)
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def _receive(self):
        import select
        while b'\0' not in self._buffer:
            if not select.select([self._from], [], [], TIMEOUT_S)[0]:
                raise TimeoutError('Chromium does not answer')
            piece = os.read(self._from, 1 << 20)
            if not piece:
                raise EOFError('Chromium ended; does it start at all? try: chromium --headless --no-sandbox --dump-dom about:blank')
            self._buffer += piece
        message, self._buffer = self._buffer.split(b'\0', 1)
        return json.loads(message)

    def _note(self, message):
        method, params = message.get('method'), message.get('params', {})
        if method == 'Runtime.exceptionThrown':
            self.complaints.append(params['exceptionDetails'].get('exception', {}).get('description', 'exception'))
        elif method == 'Runtime.consoleAPICalled' and params['type'] in ('error', 'warning', 'assert'):
            self.complaints.append(str(params['args']))
        elif method == 'Log.entryAdded' and params['entry']['level'] in ('error', 'warning'):
            self.complaints.append(params['entry']['text'])
        elif method == 'Network.requestWillBeSent':
            self.requests.append(params['request']['url'])
        elif method == 'Page.javascriptDialogOpening':
            self.complaints.append('a dialog opened')
        elif method == 'Page.loadEventFired':
            self._loaded = True

    def call(self, method, **params):
        self._id += 1
        message = {'id': self._id, 'method': method, 'params': params}
        if self._session:
            message['sessionId'] = self._session
        data = json.dumps(message).encode() + b'\0'
        while data:
            data = data[os.write(self._to, data):]
        while True:
            answer = self._receive()
            if answer.get('id') == self._id:
                if 'error' in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer['result']
            self._note(answer)

    def open(self, path, size, dark=False, scripts=True):
        self.call('Emulation.setDeviceMetricsOverride', width=size[0], height=size[1], deviceScaleFactor=1,
                  mobile=size == NARROW)
        self.call('Emulation.setEmulatedMedia',
                  features=[{'name': 'prefers-color-scheme', 'value': 'dark' if dark else 'light'}])
        self.call('Emulation.setScriptExecutionDisabled', value=not scripts)
        self._loaded = False
        self.call('Page.navigate', url='file://' + path)
        while not self._loaded:
            self._note(self._receive())

    def evaluate(self, expression):
        answer = self.call('Runtime.evaluate', expression=expression, returnByValue=True, awaitPromise=True)
        if 'exceptionDetails' in answer:
            raise RuntimeError(f"{expression[:80]}: {answer['exceptionDetails']}")
        return answer['result'].get('value')

    def screenshot(self, path):
        size = self.evaluate('[document.documentElement.clientWidth, document.documentElement.scrollHeight]')
        clip = {'x': 0, 'y': 0, 'width': size[0], 'height': min(size[1], 12000), 'scale': 1}
        data = self.call('Page.captureScreenshot', format='png', captureBeyondViewport=True, clip=clip)['data']
        with open(path, 'wb') as file:
            file.write(base64.b64decode(data))


class Checks:
    def __init__(self, browser):
        self.browser, self.failures = browser, []

    def that(self, holds, what):
        if not holds:
            self.failures.append(what)
            print('FAILED:', what, file=sys.stderr)

    def equal(self, expression, wanted, what):
        value = self.browser.evaluate(expression)
        self.that(value == wanted, f'{what}: {value!r} instead of {wanted!r}')

    def none(self, expression, what):
        faults = self.browser.evaluate(expression)
        self.that(not faults, f'{what}: {faults[:5]} ({len(faults)} in all)')

    def layout(self, name):
        self.equal('document.documentElement.scrollWidth - document.documentElement.clientWidth', 0,
                   f'{name}: the page is wider than the window')
        self.none(CHART_FAULTS, f'{name}: texts of charts')
        self.none(CONTRAST_FAULTS, f'{name}: contrast')
        self.none("Array.from(document.images).filter((i) => !(i.complete && i.naturalWidth)).map((i) => i.src.slice(0, 60))",
                  f'{name}: pictures that do not show')


def check_content(checks):
    sections = "Array.from(document.querySelectorAll('main > section')).map((s) => s.id)"
    checks.equal(sections, SECTIONS, 'sections')
    checks.equal("document.querySelectorAll('nav a').length", len(SECTIONS), 'links to the sections')
    checks.none("Array.from(document.querySelectorAll('a')).filter((a) => !document.querySelector(a.getAttribute('href')))"
                ".map((a) => a.outerHTML)", 'links that lead nowhere')
    checks.equal("document.querySelectorAll('#tensors svg').length", 200, 'histograms')
    checks.equal("document.querySelectorAll('#tensors details[open]').length", 0, 'histograms that are open at first')
    checks.equal("document.title.includes('owned') || document.querySelectorAll('[onerror]').length + "
                 "document.querySelectorAll('script').length - 1", 0, 'markup in names became markup')
    checks.equal("document.querySelectorAll('#samples img').length", 7, 'thumbnails')


def check_sorting(checks):
    browser = checks.browser
    names = browser.evaluate(LAYER_NAMES)

    def click(column):
        browser.evaluate(f"document.querySelectorAll('#layer-table th button')[{column}].click()")

    click(3)
    keys = browser.evaluate(LAYER_KEYS)
    figures = [float(key) for key in keys if key is not None]
    checks.that(len(figures) > 150 and figures == sorted(figures), 'a click does not sort upwards')
    checks.that(keys[:len(figures)].count(None) == 0, 'rows without a figure are not last')
    click(3)
    keys = browser.evaluate(LAYER_KEYS)
    checks.that([float(key) for key in keys[:len(figures)]] == sorted(figures, reverse=True),
                'a second click does not sort downwards')
    click(3)
    checks.that(browser.evaluate(LAYER_NAMES) == names, 'a third click does not restore the order')
    click(0)
    sorted_names = browser.evaluate(LAYER_NAMES)
    checks.that(sorted_names != names and sorted(sorted_names) == sorted(names), 'names are not sorted')
    checks.equal("document.querySelector('#layer-table th').getAttribute('aria-sort')", 'ascending', 'aria-sort')
    click(0), click(0)


def check_filter(checks):
    browser = checks.browser

    def filter_by(section, text):
        browser.evaluate(f"(() => {{ const i = document.querySelector('#{section} input'); i.value = {json.dumps(text)};"
                         "i.dispatchEvent(new Event('input')); })()")

    visible = "Array.from(document.querySelectorAll('#layer-table tbody tr')).filter((r) => r.offsetParent !== null)"
    filter_by('layers', 'FEATURES.12/ add')
    checks.equal(visible + ".map((r) => r.cells[0].textContent).every((n) => n.includes('features.12/'))", True, 'filter')
    checks.that(0 < browser.evaluate(visible + '.length') < 4, 'the filter shows too many or none')
    filter_by('layers', '')
    checks.equal(visible + '.length', 200, 'layers after the filter is emptied')
    filter_by('tensors', 'features.7/')
    checks.equal("Array.from(document.querySelectorAll('#tensors details')).filter((d) => d.offsetParent !== null).length",
                 4, 'tensors that the filter shows')
    filter_by('tensors', '')


def look(browser, folder, pictures):
    checks = Checks(browser)
    rich, bare = os.path.join(folder, 'rich.html'), os.path.join(folder, 'bare.html')
    for name, size, dark in (('desktop', DESKTOP, False), ('desktop_dark', DESKTOP, True),
                             ('narrow', NARROW, False), ('narrow_dark', NARROW, True)):
        browser.open(rich, size, dark)
        if pictures:
            browser.screenshot(os.path.join(pictures, name + '.png'))
        check_content(checks)
        checks.layout(name)
        # All the charts at once: some are odd.
        browser.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; "
                         "d.style.contentVisibility = 'visible'; })")
        checks.layout(name + ', all open')
        if pictures:
            browser.screenshot(os.path.join(pictures, name + '_open.png'))
    browser.open(rich, DESKTOP)
    check_sorting(checks)
    check_filter(checks)
    browser.open(rich, DESKTOP, scripts=False)
    check_content(checks)
    checks.equal("document.querySelectorAll('#layer-table tbody tr').length", 200, 'layers without scripts')
    for size in (DESKTOP, NARROW):
        browser.open(bare, size)
        checks.layout('bare')
        checks.equal("Array.from(document.querySelectorAll('main > section')).map((s) => s.id)",
                     ['findings', 'data', 'environment'], 'sections of the bare report')
    if pictures:
        browser.screenshot(os.path.join(pictures, 'bare_narrow.png'))
    checks.that(not browser.complaints, f'the browser complains: {browser.complaints[:5]}')
    outside = [url[:100] for url in browser.requests if not url.startswith(('file:', 'data:'))]
    checks.that(not outside, f'the page asks for {outside}')
    checks.that(len(browser.requests) >= 7, 'the pages were not seen to load')
    return not checks.failures


def main():
    if len(sys.argv) not in (2, 3):
        print(__doc__, file=sys.stderr)
        return 2
    program = next(filter(None, map(shutil.which, ('chromium', 'chromium-browser', 'google-chrome'))), None)
    if program is None:
        print('FAILED: this test needs Chromium; `scripts/setup test` installs it', file=sys.stderr)
        return 1
    start = time.monotonic()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        subprocess.run([sys.argv[1], folder], check=True)
        browser = Browser(program, os.path.join(folder, 'profile'))
        try:
            good = look(browser, folder, sys.argv[2] if len(sys.argv) == 3 else None)
        finally:
            browser.close()
    print(f'{"passed" if good else "failed"} in {time.monotonic() - start:.1f} s')
    return 0 if good else 1


sys.exit(main())
