/* The shelf page in a real browser. */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { chromium } from 'playwright-core';
import { api, finish, killServer, startServer, temporaryDirectory } from './harness.mjs';

const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';
const FLAGS = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync'];
const AXE = fs.readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
/* Screenshots stay when a place for them is named. */
const pictures = process.env.SHELF_PICTURES ?? temporaryDirectory();

let server;
let client;
let browser;

before(async () => {
  server = await startServer();
  client = await api(server);
  browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
});

after(async () => {
  await browser.close();
  client.close();
  await finish(server);
});

/* A page that fails the test when the browser complains. */
async function open(target = '/', options = {}, from = server) {
  const context = await browser.newContext({ viewport: { width: 1360, height: 900 }, ...options });
  const page = await context.newPage();
  const complaints = [];
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('console', (message) => {
    if (message.type() === 'error') {
      complaints.push(`${message.text()} ${message.location().url}`);
    }
  });
  await page.goto(from.url + target);
  page.complaints = complaints;
  return page;
}

const card = (page, sku) => page.locator(`.card[data-sku="${sku}"]`);
/* How long a page may take on a machine that is busy with other things; a page that works takes milliseconds. */
const PATIENCE_MS = 60000;
const message = (page, sku, text) => card(page, sku).locator('.message', { hasText: text }).waitFor({ timeout: PATIENCE_MS });
const number = (page, sku, text) => card(page, sku).locator('.number', { hasText: new RegExp(`^${text}$`) }).waitFor({ timeout: PATIENCE_MS });
const live = (page) => page.locator('#link[data-link="live"]').waitFor({ timeout: PATIENCE_MS });

/* The document's own marks, from the accessible names of what is on the page. */
async function violations(page) {
  await page.evaluate(AXE);
  const { violations: found } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ['violations'] }));
  return found.map(({ id, nodes }) => `${id}: ${nodes.map(({ html, failureSummary }) => `${html.slice(0, 160)} ${failureSummary}`).join(' | ').slice(0, 900)}`);
}

const snap = (page, name) => page.screenshot({ path: path.join(pictures, `${name}.png`) });

test('an empty server says how to put something on the shelf, and shows it when it is there', async () => {
  const page = await open();
  await page.locator('#empty').waitFor();
  assert.deepEqual(await violations(page), []);
  await snap(page, 'empty');
  const commands = await page.locator('#commands').innerText();
  assert.equal(commands.match(/curl -X PUT/g).length, 3);
  assert.ok(commands.includes(server.url));
  await client.stock({ 'MUG-1': { main: 5 } });
  await message(page, 'MUG-1', 'Only 5 left');
  assert.equal(await page.locator('#empty').isVisible(), false);
  assert.deepEqual(page.complaints, []);
  await page.context().close();
});

test('what a second client buys is seen without a reload', async () => {
  await client.stock({ PLATE: { main: 40 } });
  const page = await open();
  await number(page, 'PLATE', '40');
  await client.reserve([{ sku: 'PLATE', quantity: 3 }], {}, { status: 201 });
  await number(page, 'PLATE', '37');
  await client.reserve([{ sku: 'PLATE', quantity: 35 }], {}, { status: 201 });
  await message(page, 'PLATE', 'Only 2 left');
  await client.reserve([{ sku: 'PLATE', quantity: 2 }], {}, { status: 201 });
  await message(page, 'PLATE', 'Out of stock');
  assert.equal(await card(page, 'PLATE').locator('.buy').getAttribute('aria-disabled'), 'true');
  await client.post('/v1/receipts', { lines: [{ sku: 'PLATE', location: 'main', quantity: 12 }] }, { status: 201 });
  await message(page, 'PLATE', 'In stock');
  assert.ok(Number(await page.locator('#changes').innerText()) >= 4);
  assert.deepEqual(page.complaints, []);
  await page.context().close();
});

test('a click buys: the order exists, is committed, and the shopper is told', async () => {
  await client.stock({ BOWL: { main: 3 } });
  const page = await open('/?q=BOWL');
  await message(page, 'BOWL', 'Only 3 left');
  assert.equal(await page.locator('#say').innerText(), '', 'the live region is there before it speaks');
  await card(page, 'BOWL').getByRole('button', { name: /buy/i }).click();
  await card(page, 'BOWL').locator('.outcome[data-kind="yours"]').waitFor();
  await message(page, 'BOWL', 'Only 2 left');
  assert.match(await page.getByRole('status').innerText(), /yours, order/);
  const href = await card(page, 'BOWL').locator('.outcome a').getAttribute('href');
  const { json } = await client.get(href, { status: 200 });
  assert.deepEqual([json.state, json.reference, json.lines[0].sku], ['committed', 'shelf', 'BOWL']);
  assert.equal((await client.level('BOWL', 'main')).committed, 1);
  await page.context().close();
});

test('the page works by keyboard alone', async () => {
  await client.stock({ JUG: { main: 2 } });
  const page = await open('/?q=JUG');
  await message(page, 'JUG', 'Only 2 left');
  await page.locator('#q').focus();
  await page.keyboard.press('Tab');
  assert.equal(await page.evaluate(() => document.activeElement.className), 'buy');
  await page.keyboard.press('Enter');
  await card(page, 'JUG').locator('.outcome[data-kind="yours"]').waitFor();
  assert.equal(await page.evaluate(() => document.activeElement.className), 'buy', 'the focus stays');
  await page.context().close();
});

test('two windows fight for the last unit: one wins, both show that it is gone', async () => {
  for (let round = 0; round < 3; round++) {
    const sku = `LAST-${round}`;
    await client.stock({ [sku]: { main: 1 } });
    const pages = await Promise.all([open(`/?q=${sku}`), open(`/?q=${sku}`)]);
    await Promise.all(pages.map((page) => message(page, sku, 'Only 1 left')));
    await Promise.all(pages.map((page) => card(page, sku).locator('.buy').evaluate((button) => button.click())));
    await Promise.all(pages.map((page) => message(page, sku, 'Out of stock')));
    const kinds = await Promise.all(pages.map(async (page) => {
      const outcome = card(page, sku).locator('.outcome');
      await outcome.filter({ hasText: /\S/ }).waitFor();
      return outcome.getAttribute('data-kind');
    }));
    assert.deepEqual(kinds.sort(), ['refused', 'yours']);
    const { committed, reserved, available } = await client.level(sku, 'main');
    assert.deepEqual({ committed, reserved, available }, { committed: 1, reserved: 0, available: 0 });
    if (round === 0) {
      await Promise.all(pages.map((page, i) => snap(page, `fight-${i + 1}`)));
      for (const page of pages) {
        assert.deepEqual(await violations(page), []);
      }
    }
    await Promise.all(pages.map((page) => page.context().close()));
  }
});

const THINGS = ['white hanging heart t-light holder', 'regency cakestand 3 tier', 'jumbo bag red retrospot', 'party bunting',
  'lunch bag red retrospot', 'assorted colour bird ornament', 'set of 3 cake tins pantry design', 'pack of 72 retrospot cake cases',
  'lunch bag black skull', 'natural slate heart chalkboard', 'heart of wicker small', 'paper chain kit 50’s christmas'];

async function fill() {
  await client.put('/v1/locations/main', { name: 'Main', priority: 1 });
  const operations = THINGS.flatMap((name, i) => [
    { op: 'define_item', sku: `T-${1000 + i * 37}`, name: name.toUpperCase(), attributes: { demand: 1000 - i } },
    { op: 'set', sku: `T-${1000 + i * 37}`, location: 'main', expected_version: 0, on_hand: [240, 31, 3, 0, 64, 1, 12, 480, 5, 7, 90, 2][i] }]);
  const { json } = await client.post('/v1/batch', { operations }, { status: 200 });
  assert.ok(json.results.every(({ status }) => status === 201), JSON.stringify(json.results));
}

for (const [name, options] of Object.entries({
  desktop: { viewport: { width: 1360, height: 900 }, colorScheme: 'light' },
  dark: { viewport: { width: 1360, height: 900 }, colorScheme: 'dark' },
  phone: { viewport: { width: 390, height: 844 }, colorScheme: 'light', isMobile: true, hasTouch: true, deviceScaleFactor: 2 },
})) {
  test(`axe finds nothing on the ${name}, nothing sticks out, and every target is large enough`, async () => {
    if ((await client.get('/v1/items/T-1000')).status === 404) {
      await fill();
    }
    const page = await open('/', { ...options, reducedMotion: 'reduce' });
    await message(page, 'T-1000', 'In stock');
    await card(page, 'T-1037').locator('.buy').click();
    await card(page, 'T-1037').locator('.outcome[data-kind="yours"]').waitFor();
    assert.deepEqual(await violations(page), []);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    assert.equal(wide, 0, 'no sideways scrolling');
    const small = await page.evaluate(() => [...document.querySelectorAll('a:not(.skip), button, input')].filter((node) => {
      const { width, height } = node.getBoundingClientRect();
      return width > 0 && (width < 24 || height < 24);
    }).map((node) => node.outerHTML.slice(0, 120)));
    assert.deepEqual(small, []);
    await page.evaluate(() => scrollTo(0, 0));
    await snap(page, name);
    assert.deepEqual(page.complaints, []);
    await page.context().close();
  });
}

test('the most wanted come first, and the search finds by name and SKU', async () => {
  const page = await open();
  await message(page, 'T-1000', 'In stock');
  const order = await page.locator('.card').evaluateAll((nodes) => nodes.slice(0, 3).map((node) => node.dataset.sku));
  assert.deepEqual(order, ['T-1000', 'T-1037', 'T-1074']);
  await page.getByLabel('Find a product').fill('lunch bag');
  await page.locator('#matches', { hasText: '2 matches' }).waitFor();
  assert.equal(await page.locator('.card').count(), 2);
  await message(page, 'T-1148', 'In stock');
  await page.getByLabel('Find a product').fill('t-1074');
  await page.locator('#matches', { hasText: '1 match' }).waitFor();
  await client.reserve([{ sku: 'T-1074', quantity: 1 }], {}, { status: 201 });
  await message(page, 'T-1074', 'Only 2 left');
  await page.getByLabel('Find a product').fill('nothing like it');
  await page.locator('#matches', { hasText: 'No product matches.' }).waitFor();
  assert.deepEqual(page.complaints, []);
  await page.context().close();
});

test('many changes a second arrive, and the last one is what the page shows', async () => {
  const page = await open();
  await live(page);
  await message(page, 'T-1000', 'In stock');
  let last;
  for (let round = 0; round < 40; round++) {
    const lines = THINGS.map((_, i) => ({ sku: `T-${1000 + i * 37}`, location: 'main', quantity: 1 + round }));
    last = await client.post('/v1/receipts', { lines }, { status: 201 });
  }
  for (const { sku, available } of last.json.lines) {
    await number(page, sku, available.toLocaleString('en'));
  }
  assert.deepEqual(page.complaints, []);
  await page.context().close();
});

test('a page whose server crashed says so, comes back by itself, and shows the truth', async () => {
  const other = await startServer();
  const c = await api(other);
  await c.stock({ BACK: { main: 9 } });
  const page = await open('/', {}, other);
  await number(page, 'BACK', '9');
  c.close();
  await killServer(other);
  await page.locator('#link[data-link="lost"]', { hasText: 'Reconnecting' }).waitFor();
  const again = await startServer({ data: other.data, args: ['--port', String(other.port)] });
  await live(page);
  const d = await api(again);
  await d.reserve([{ sku: 'BACK', quantity: 2 }], {}, { status: 201 });
  await number(page, 'BACK', '7');
  await page.context().close();
  d.close();
  await finish(again);
});
