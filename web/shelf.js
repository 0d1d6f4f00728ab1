/*
 * The shelf: shows what can be sold, live, and buys.
 *
 * The server pushes frames (the whole state of one SKU); they are collected and drawn once per animation frame, and only
 * what differs is written to the page. Nothing here decides about stock: a purchase is a reservation, and the server
 * says who got the unit.
 */

const CARDS_MAX = 60;
const PAGE_ROWS = 1000;
const PAGES_MAX = 20;
const BOXES_MAX = 14;
const BOXES_EXACT = 5; /* up to here one box is one unit */
const FLASH_MS_MIN = 1000;
const BUSY_RATE = 100;   /* changes a second above which flashes grow faint and drawing takes its time */
const BUSY_DRAW_MS = 80;
const BUY_ATTEMPTS = 4;
const JUST_GONE_MS = 3000; /* a click this soon after the last unit went was meant for that unit */
const FASTER = 'Sold out: someone was faster.';
const SAID_MS = 9000;
const HIDDEN_MS = 30000; /* a page that nobody sees gives its connection back: browsers allow six per server */
const RATE_MS = 500;
const RATE_SLOTS = 60;

const byId = (id) => document.getElementById(id);
const page = {
  shelf: byId('shelf'), template: byId('card'), empty: byId('empty'), commands: byId('commands'), say: byId('say'),
  query: byId('q'), find: byId('find'), matches: byId('matches'), link: byId('link'), linkText: byId('link-text'),
  changes: byId('changes'), rate: byId('rate'), spark: byId('spark'), out: byId('out'), shown: byId('shown'),
};
const calm = matchMedia('(prefers-reduced-motion: reduce)');
const plain = new Intl.NumberFormat(document.documentElement.lang);

/* ---- The catalogue: which products exist, the most wanted first ---- */

const catalogue = { items: [], whole: false };

async function catalogueRead() {
  const items = [];
  let after = null;
  for (let n = 0; n < PAGES_MAX; n++) {
    const query = new URLSearchParams({ limit: PAGE_ROWS });
    if (after !== null) {
      query.set('after', after);
    }
    const answer = await fetch(`/v1/items?${query}`, { headers: { Accept: 'application/json' } });
    if (!answer.ok) {
      throw new Error(`items: ${answer.status}`);
    }
    const { data, page: { next } } = await answer.json();
    items.push(...data);
    after = next;
    if (after === null) {
      break;
    }
  }
  return { items: items.map(itemOf).sort((a, b) => b.demand - a.demand), whole: after === null };
}

/* `attributes.demand` (orders that ask for it) orders the shelf; without it the order of the list stays. */
function itemOf({ sku, name, attributes }) {
  const demand = Number.isFinite(attributes?.demand) ? attributes.demand : 0;
  return { sku, name: readable(name), demand, text: `${sku}\n${name}`.toLowerCase() };
}

/* Old systems shout. A name in capitals only is shown as a sentence. */
function readable(name) {
  const shouted = name.length > 4 && name === name.toUpperCase() && name !== name.toLowerCase();
  return shouted ? name[0] + name.slice(1).toLowerCase() : name;
}

async function catalogueFollow() {
  let wait_ms = 1000;
  for (;;) {
    try {
      const fresh = await catalogueRead();
      const same = fresh.items.length === catalogue.items.length
        && fresh.items.every((item, i) => item.sku === catalogue.items[i].sku && item.name === catalogue.items[i].name);
      if (!same || fresh.whole !== catalogue.whole) {
        Object.assign(catalogue, fresh);
        choose();
        wait_ms = 1000;
      }
      page.empty.hidden = catalogue.items.length > 0;
      page.find.hidden = catalogue.items.length === 0;
    } catch {
      /* The stream tells about the lost connection; the list is asked for again. */
    }
    await sleep(wait_ms);
    wait_ms = Math.min(wait_ms * 1.6, catalogue.items.length === 0 ? 2000 : 60000);
  }
}

/* ---- The cards ---- */

const cards = new Map(); /* by SKU: every card ever shown */
let shown = [];          /* the cards on the page, in order */

async function choose() {
  const wanted = page.query.value.trim().toLowerCase();
  const found = wanted === '' ? catalogue.items : catalogue.items.filter((item) => item.text.includes(wanted));
  if (found.length === 0 && wanted !== '' && !catalogue.whole) {
    await chooseUnlisted(page.query.value.trim());
    return;
  }
  show(found.slice(0, CARDS_MAX));
  page.matches.textContent = matchesText(wanted, found.length);
}

function matchesText(wanted, count) {
  const first = Math.min(CARDS_MAX, count);
  if (wanted === '') {
    const which = catalogue.items[0]?.demand > 0 ? `The ${first} most wanted` : `The first ${first}`;
    return count > first ? `${which} of ${plain.format(count)} products` : '';
  }
  if (count === 0) {
    return 'No product matches.';
  }
  return count > first ? `${first} of ${plain.format(count)} matches` : `${count} ${count === 1 ? 'match' : 'matches'}`;
}

/* A catalogue too large to list here can still be asked for one SKU. */
async function chooseUnlisted(sku) {
  const answer = await fetch(`/v1/items/${encodeURIComponent(sku)}`);
  const found = answer.ok ? [itemOf(await answer.json())] : [];
  show(found);
  page.matches.textContent = matchesText(sku, found.length);
}

function show(items) {
  shown = items.map((item) => cardOf(item));
  page.shelf.replaceChildren(...shown.map((card) => card.root));
  page.shelf.dataset.few = shown.length <= 3;
  streamOpen(shown.map((card) => card.sku));
  countersDraw();
}

function cardOf({ sku, name }) {
  let card = cards.get(sku);
  if (card === undefined) {
    card = cardNew(sku);
    cards.set(sku, card);
  }
  write(card.name, name);
  write(card.product, name);
  return card;
}

function cardNew(sku) {
  const root = page.template.content.firstElementChild.cloneNode(true);
  const part = (name) => root.querySelector(`.${name}`);
  const card = {
    sku, root, name: part('name'), product: part('product'), boxes: part('boxes'), message: part('message'),
    shape: root.querySelector('use'), number: part('number'), unit: part('unit'), buy: part('buy'),
    label: part('label'), outcome: part('outcome'),
    state: null, version: -1, most: BOXES_MAX, boxesShown: 0, flashed_ms: 0, gone_ms: -Infinity, key: null, busy: false, bought: 0,
  };
  part('sku').textContent = sku;
  root.dataset.sku = sku;
  root.style.setProperty('--hue', hueOf(sku));
  card.boxes.append(...Array.from({ length: BOXES_MAX }, () => document.createElement('i')));
  card.buy.addEventListener('click', () => buy(card));
  buyDraw(card);
  return card;
}

function hueOf(sku) {
  let hash = 2166136261;
  for (const c of sku) {
    hash = Math.imul(hash ^ c.codePointAt(0), 16777619);
  }
  return (hash >>> 0) % 360;
}

/* The last units are shown one by one; above that the shelf is as full as it is against the most that was seen. */
function boxesOf(card, quantity) {
  card.most = Math.max(card.most, quantity);
  return quantity <= BOXES_EXACT ? quantity : Math.max(BOXES_EXACT + 1, Math.ceil(BOXES_MAX * quantity / card.most));
}

function cardDraw(card, state, now_ms) {
  const before = card.state;
  card.state = state;
  if (before?.status !== state.status) {
    card.root.dataset.status = state.status;
    card.gone_ms = before !== null && state.status === 'out_of_stock' ? now_ms : -Infinity;
    card.shape.setAttribute('href', `#shape-${state.status}`);
    buyDraw(card);
  }
  write(card.message, state.message);
  const counted = state.quantity > 0 && !state.message.includes(state.quantity);
  write(card.number, counted ? plain.format(state.quantity) : '');
  write(card.unit, counted ? 'available' : '');
  boxesDraw(card, boxesOf(card, state.quantity ?? (state.status === 'out_of_stock' ? 0 : BOXES_MAX)));
  flash(card, before, now_ms);
}

function boxesDraw(card, count) {
  const low = Math.min(count, card.boxesShown);
  const high = Math.max(count, card.boxesShown);
  for (let i = low; i < high; i++) {
    card.boxes.children[i].classList.toggle('on', count > card.boxesShown);
  }
  card.boxesShown = count;
}

/* Sold, refilled, gone: a tint that fades. A card that changes all the time is left some rest. */
function flash(card, before, now_ms) {
  const gone = before?.status !== 'out_of_stock' && card.state.status === 'out_of_stock';
  const rested = gone || now_ms - card.flashed_ms > FLASH_MS_MIN;
  if (before === null || before.quantity === card.state.quantity || !rested || calm.matches) {
    return;
  }
  card.flashed_ms = now_ms;
  card.root.dataset.flash = gone ? 'gone' : card.state.quantity < before.quantity ? 'sold' : 'filled';
  const opacity = gone || rates.at(-1) < BUSY_RATE ? 0.9 : 0.5;
  const duration = gone ? 1800 : 900;
  card.root.animate([{ opacity }, { opacity: 0 }], { duration, easing: 'ease-out', pseudoElement: '::after' });
}

function write(node, text) {
  if (node.textContent !== text) {
    node.textContent = text;
  }
}

/* ---- The stream ---- */

const pending = new Map(); /* by SKU: the newest frame not drawn yet */
let source = null;
let reopen = 0;
let drawing = false;
let changes = 0;

function streamOpen(skus) {
  clearTimeout(reopen);
  source?.close();
  source = null;
  pending.clear();
  versionsForget();
  if (skus.length === 0) {
    linkDraw('idle', 'Idle');
    return;
  }
  linkDraw('connecting', 'Connecting');
  source = new EventSource(`/v1/availability/stream?${new URLSearchParams(skus.map((sku) => ['sku', sku]))}`);
  source.addEventListener('open', () => linkDraw('live', 'Live'));
  source.addEventListener('error', () => streamLost(skus));
  source.addEventListener('reset', versionsForget);
  source.addEventListener('availability', (event) => take(JSON.parse(event.data)));
}

/* The browser connects again by itself after a cut; after a refusal it gives up, and we try again later. */
function streamLost(skus) {
  linkDraw('lost', 'Reconnecting');
  if (source.readyState === EventSource.CLOSED) {
    clearTimeout(reopen);
    reopen = setTimeout(() => streamOpen(skus), 2000 + Math.random() * 2000);
  }
}

function streamRest() {
  clearTimeout(streamRest.timer);
  if (document.hidden) {
    streamRest.timer = setTimeout(() => streamOpen([]), HIDDEN_MS);
  } else if (source === null) {
    streamOpen(shown.map((card) => card.sku));
  }
}

/* What comes next replaces everything, whatever its version. */
function versionsForget() {
  for (const card of shown) {
    card.version = -1;
  }
}

function take(state) {
  const card = cards.get(state.sku);
  if (card === undefined || state.version < card.version) {
    return;
  }
  if (card.version >= 0 && state.version > card.version) {
    changes++;
  }
  card.version = state.version;
  pending.set(state.sku, state);
  if (!drawing) {
    drawing = true;
    setTimeout(() => requestAnimationFrame(draw), rates.at(-1) < BUSY_RATE ? 0 : BUSY_DRAW_MS);
  }
}

function draw(now_ms) {
  drawing = false;
  for (const [sku, state] of pending) {
    cardDraw(cards.get(sku), state, now_ms);
  }
  pending.clear();
  countersDraw();
}

/* ---- The counters ---- */

const rates = new Array(RATE_SLOTS).fill(0);
let ratedAt = 0;

function countersDraw() {
  const out = shown.reduce((sum, card) => sum + (card.state?.status === 'out_of_stock' ? 1 : 0), 0);
  write(page.out, plain.format(out));
  write(page.shown, plain.format(shown.length));
  write(page.changes, plain.format(changes));
}

function rateDraw() {
  rates.push((changes - ratedAt) * 1000 / RATE_MS);
  rates.shift();
  ratedAt = changes;
  write(page.rate, plain.format(Math.round((rates.at(-1) + rates.at(-2)) / 2)));
  const top = Math.max(10, ...rates);
  const points = rates.map((rate, i) => `${i + 1} ${(19 - 17 * rate / top).toFixed(1)}`);
  const path = `M0 20 L${points.join(' ')} L60 20Z`;
  if (page.spark.getAttribute('d') !== path) {
    page.spark.setAttribute('d', path);
  }
}

function linkDraw(state, text) {
  page.link.dataset.link = state;
  write(page.linkText, text);
}

/* ---- Buying ---- */

async function buy(card) {
  if (card.busy || card.state === null) {
    return;
  }
  if (card.state.status === 'out_of_stock' && card.key === null) {
    if (performance.now() - card.gone_ms < JUST_GONE_MS) {
      outcomeDraw(card, { kind: 'refused', text: FASTER });
    }
    return;
  }
  card.key ??= crypto.randomUUID(); /* one intention, one key: a retry cannot buy twice */
  card.busy = true;
  buyDraw(card);
  const outcome = await purchase(card);
  card.busy = false;
  if (outcome.kind !== 'unknown') {
    card.key = null;
  }
  buyDraw(card);
  outcomeDraw(card, outcome);
}

/* A reservation, then its commit. Returns what to tell the shopper. */
async function purchase(card) {
  const body = { lines: [{ sku: card.sku, quantity: 1 }], reference: 'shelf' };
  const held = await post('/v1/reservations', card.key, body);
  if (held.status === 201) {
    const done = await post(`/v1/reservations/${held.body.id}/commit`, `${card.key}-commit`, {});
    return done.status === 200 ? { kind: 'yours', id: held.body.id } : problemOf(done);
  }
  return problemOf(held);
}

function problemOf({ status, body }) {
  if (status === 0 || status >= 500) {
    return { kind: 'unknown', text: 'No clear answer. Press Buy again: it is the same order, not a second one.' };
  }
  if (body?.code === 'insufficient_stock') {
    return { kind: 'refused', text: FASTER };
  }
  return { kind: 'refused', text: body?.detail ?? body?.title ?? `Not bought (${status}).` };
}

/* Asks again with the same key when the server is busy or gone; status 0: no answer at all. */
async function post(path, key, body) {
  let last = { status: 0, body: null };
  for (let attempt = 0; attempt < BUY_ATTEMPTS; attempt++) {
    try {
      const answer = await fetch(path, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json', 'Idempotency-Key': `"${key}"` },
        body: JSON.stringify(body),
      });
      last = { status: answer.status, body: await answer.json() };
      if (answer.status < 500 && last.body.code !== 'idempotency_key_in_flight') {
        return last;
      }
    } catch {
      last = { status: 0, body: null };
    }
    await sleep(250 * 2 ** attempt);
  }
  return last;
}

function buyDraw(card) {
  const out = card.state === null || (card.state.status === 'out_of_stock' && card.key === null);
  write(card.label, card.busy ? 'Buying…' : out && card.state !== null ? 'Sold out' : 'Buy');
  card.buy.setAttribute('aria-disabled', String(out || card.busy));
  card.buy.setAttribute('aria-busy', String(card.busy));
}

function outcomeDraw(card, { kind, id, text }) {
  card.root.dataset.outcome = kind;
  card.outcome.dataset.kind = kind;
  if (kind !== 'yours') {
    card.outcome.replaceChildren(text);
    say(`${card.name.textContent}: ${text}`);
    return;
  }
  card.bought++;
  const order = document.createElement('a');
  order.href = `/v1/reservations/${id}`;
  order.textContent = `order ${id.slice(0, 13)}…`;
  card.outcome.replaceChildren('Yours: ', order, card.bought > 1 ? ` · ${card.bought} in all` : '');
  say(`${card.name.textContent}: yours, order ${id.slice(0, 13)}…`);
}

/* The one live region: read out when it changes, and gone again after a while. */
function say(text) {
  clearTimeout(say.timer);
  page.say.textContent = text;
  say.timer = setTimeout(() => page.say.replaceChildren(), SAID_MS);
}

function sleep(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/* ---- Start ---- */

function commandsText() {
  const put = (path, body, extra = '') =>
    `curl -X PUT ${location.origin}${path} ${extra}\\\n  -H 'Content-Type: application/json' -d '${JSON.stringify(body)}'`;
  return [
    put('/v1/items/MUG-1', { name: 'Blue mug' }),
    put('/v1/locations/main', { name: 'Main store' }),
    put('/v1/levels/MUG-1/main', { on_hand: 5 }, "-H 'If-None-Match: *' "),
  ].join('\n');
}

function findSoon() {
  clearTimeout(findSoon.timer);
  findSoon.timer = setTimeout(() => {
    const wanted = page.query.value.trim();
    history.replaceState(null, '', wanted === '' ? '/' : `/?${new URLSearchParams({ q: wanted })}`);
    choose();
  }, 200);
}

page.commands.textContent = commandsText();
page.query.value = new URLSearchParams(location.search).get('q') ?? '';
page.query.addEventListener('input', findSoon);
page.find.addEventListener('submit', (event) => {
  event.preventDefault();
  findSoon();
});
document.addEventListener('visibilitychange', streamRest);
setInterval(rateDraw, RATE_MS);
catalogueFollow();
