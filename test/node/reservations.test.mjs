/* Reservations: what is promised, every transition and every refusal, and the end of a hold. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { api, assertProblem, finish, killServer, sleep, startServer, stopServer, until } from './harness.mjs';

const EXPIRY_LATE_MS_MAX = 1000;
const MACHINE_SLACK_MS = 2000; /* a loaded machine may be late; nothing may be early */

let server;
let client;
let stocked = 0;

before(async () => {
  server = await startServer();
  client = await api(server);
});

after(async () => {
  client.close();
  await finish(server);
});

/* A fresh item with this stock. */
async function item(levels = { leeds: 10 }) {
  const sku = `R-${++stocked}`;
  await client.stock({ [sku]: levels });
  return sku;
}

const act = (id, verb, body, options) => client.post(`/v1/reservations/${id}/${verb}`, body ?? {}, options);
const read = async (id) => (await client.get(`/v1/reservations/${id}`, { status: 200 })).json;

async function held(sku, quantity = 1, more = {}) {
  return (await client.reserve([{ sku, quantity }], more, { status: 201 })).json;
}

test('a reservation is held, committed and fulfilled, and the units go through the quantities', async () => {
  const sku = await item();
  const made = await client.reserve([{ sku, quantity: 4 }], { reference: 'order 1', ttl_s: 60 }, { status: 201 });
  const { id, state, lines, expires_at, created_at } = made.json;
  assert.equal(state, 'held');
  assert.deepEqual(lines.map(({ location, quantity }) => [location, quantity]), [['leeds', 4]]);
  assert.equal(new URL(made.headers.location, server.url).pathname, `/v1/reservations/${id}`);
  assert.equal(Date.parse(expires_at) - Date.parse(created_at), 60000);
  const quantities = async () => {
    const { on_hand, reserved, committed, available } = await client.level(sku, 'leeds');
    return { on_hand, reserved, committed, available };
  };
  assert.deepEqual(await quantities(), { on_hand: 10, reserved: 4, committed: 0, available: 6 });
  assert.equal((await act(id, 'commit', {}, { status: 200 })).json.state, 'committed');
  assert.deepEqual(await quantities(), { on_hand: 10, reserved: 0, committed: 4, available: 6 });
  assert.equal((await act(id, 'fulfill', {}, { status: 200 })).json.state, 'fulfilled');
  assert.deepEqual(await quantities(), { on_hand: 6, reserved: 0, committed: 0, available: 6 });
  const { state: last, reference } = await read(id);
  assert.deepEqual([last, reference], ['fulfilled', 'order 1']);
});

test('release and cancel give the units back', async () => {
  const sku = await item();
  const first = await held(sku, 3);
  assert.equal((await act(first.id, 'release', {}, { status: 200 })).json.state, 'released');
  const second = await held(sku, 5);
  await act(second.id, 'commit', {}, { status: 200 });
  assert.equal((await act(second.id, 'cancel', {}, { status: 200 })).json.state, 'cancelled');
  const level = await client.level(sku, 'leeds');
  assert.deepEqual([level.on_hand, level.available], [10, 10]);
});

test('a part is fulfilled, then the rest; a return is restocked or goes to damaged', async () => {
  const sku = await item();
  const { id } = await held(sku, 6);
  await act(id, 'commit', {}, { status: 200 });
  const part = await act(id, 'fulfill', { lines: [{ sku, quantity: 2 }] }, { status: 200 });
  assert.deepEqual([part.json.state, part.json.lines[0].fulfilled], ['committed', 2]);
  const over = await act(id, 'fulfill', { lines: [{ sku, quantity: 5 }] });
  assertProblem(over, 409, 'quantity_exceeded');
  assert.deepEqual([over.json.shortfalls[0].requested, over.json.shortfalls[0].available], [5, 4]);
  assert.equal((await act(id, 'fulfill', {}, { status: 200 })).json.state, 'fulfilled');

  const back = await act(id, 'return', { lines: [{ sku, quantity: 1 }], to: 'damaged' }, { status: 200 });
  assert.equal(back.json.lines[0].returned, 1);
  assertProblem(await act(id, 'return', { lines: [{ sku, quantity: 6 }] }), 409, 'quantity_exceeded');
  const whole = await act(id, 'return', {}, { status: 200 });
  assert.equal(whole.json.state, 'returned');
  const { on_hand, damaged, available } = await client.level(sku, 'leeds');
  assert.deepEqual({ on_hand, damaged, available }, { on_hand: 10, damaged: 1, available: 9 });
});

test('a transition that was done answers the same again', async () => {
  const sku = await item();
  for (const [verbs, state] of [[['commit'], 'committed'], [['release'], 'released'], [['commit', 'fulfill'], 'fulfilled'],
    [['commit', 'cancel'], 'cancelled'], [['commit', 'fulfill', 'return'], 'returned']]) {
    const { id } = await held(sku);
    for (const verb of verbs) {
      await act(id, verb, {}, { status: 200 });
    }
    const before = await client.state([sku]);
    const again = await act(id, verbs.at(-1), {}, { status: 200 });
    assert.equal(again.json.state, state);
    assert.deepEqual(await client.state([sku]), before, `a second ${verbs.at(-1)} changes nothing`);
  }
});

/* For each state, the verbs that have no arrow from it. */
const REFUSED = {
  held: { by: [], verbs: ['cancel', 'fulfill', 'return'] },
  committed: { by: ['commit'], verbs: ['release', 'extend', 'return'] },
  fulfilled: { by: ['commit', 'fulfill'], verbs: ['commit', 'release', 'cancel', 'extend'] },
  released: { by: ['release'], verbs: ['commit', 'cancel', 'fulfill', 'return', 'extend'] },
  cancelled: { by: ['commit', 'cancel'], verbs: ['commit', 'release', 'fulfill', 'return', 'extend'] },
  returned: { by: ['commit', 'fulfill', 'return'], verbs: ['commit', 'release', 'cancel', 'extend'] },
};
for (const [state, { by, verbs }] of Object.entries(REFUSED)) {
  test(`from ${state} there is no ${verbs.join(', ')}`, async () => {
    const sku = await item();
    const { id } = await held(sku);
    for (const verb of by) {
      await act(id, verb, {}, { status: 200 });
    }
    const before = await client.state([sku]);
    for (const verb of verbs) {
      const answer = await act(id, verb);
      assertProblem(answer, 409, 'wrong_state');
      assert.equal(answer.json.state, state);
    }
    assert.deepEqual(await client.state([sku]), before);
  });
}

test('a refusal names every short line, and nothing is reserved', async () => {
  const [a, b, c] = [await item({ leeds: 5 }), await item({ leeds: 2, york: 1 }), await item({ leeds: 9 })];
  const before = await client.state([a, b, c]);
  const answer = await client.reserve([
    { sku: a, quantity: 6 }, { sku: c, quantity: 1 }, { sku: b, quantity: 2, location: 'york' }]);
  assertProblem(answer, 409, 'insufficient_stock');
  assert.deepEqual(answer.json.shortfalls, [
    { sku: a, requested: 6, available: 5 }, { sku: b, location: 'york', requested: 2, available: 1 }]);
  assert.deepEqual(await client.state([a, b, c]), before);
});

test('an order without locations is taken from one location when one has it all', async () => {
  const [a, b] = [await item({ leeds: 5, york: 5 }), await item({ leeds: 0, york: 5 })];
  const { json } = await client.reserve([{ sku: a, quantity: 2 }, { sku: b, quantity: 2 }], {}, { status: 201 });
  assert.deepEqual(json.lines.map(({ location }) => location), ['york', 'york']);
});

test('an order that no single location has is split', async () => {
  const sku = await item({ leeds: 3, york: 4 });
  const { json } = await client.reserve([{ sku, quantity: 7 }], {}, { status: 201 });
  const taken = Object.fromEntries(json.lines.map(({ location, quantity }) => [location, quantity]));
  assert.deepEqual(taken, { leeds: 3, york: 4 });
});

test('lines with the same SKU and place are one promise', async () => {
  const sku = await item({ leeds: 3 });
  assertProblem(await client.reserve([{ sku, quantity: 2 }, { sku, quantity: 2 }]), 409, 'insufficient_stock');
  await client.reserve([{ sku, quantity: 2 }, { sku, quantity: 1 }], {}, { status: 201 });
  assert.equal((await client.level(sku, 'leeds')).available, 0);
});

test('a line names an item and a location that exist', async () => {
  const sku = await item();
  assertProblem(await client.reserve([{ sku: 'NEVER', quantity: 1 }]), 422, 'unknown_item');
  assertProblem(await client.reserve([{ sku, quantity: 1, location: 'never' }]), 422, 'unknown_location');
});

test('a fulfilment names a line that the reservation has', async () => {
  const [sku, other] = [await item(), await item()];
  const { id } = await held(sku);
  await act(id, 'commit', {}, { status: 200 });
  const answer = await act(id, 'fulfill', { lines: [{ sku: other, quantity: 1 }] });
  assert.equal(answer.status, 422, answer.text);
});

test('every verb on a reservation that does not exist is a 404', async () => {
  for (const verb of ['extend', 'commit', 'release', 'cancel', 'fulfill', 'return']) {
    assertProblem(await act('01900000-0000-7000-8000-000000000000', verb), 404, 'not_found');
  }
});

test('reservations are listed by state and reference, page by page', async () => {
  const sku = await item({ leeds: 100 });
  const ids = [];
  for (let i = 0; i < 7; i++) {
    ids.push((await held(sku, 1, { reference: 'list me' })).id);
  }
  await act(ids[2], 'commit', {}, { status: 200 });
  const rows = await client.walk('/v1/reservations?reference=list%20me', 2);
  assert.deepEqual(rows.map(({ id }) => id), ids);
  const committed = await client.walk('/v1/reservations?reference=list%20me&state=committed', 1);
  assert.deepEqual(committed.map(({ id }) => id), [ids[2]]);
  assertProblem(await client.get('/v1/reservations?state=lost'), 422, 'invalid');
});

/* Waits for the hold to end by itself; checks that it was neither early nor late. */
async function expires(c, { id, expires_at }, seen_from_ms = 0) {
  const due = Date.parse(expires_at);
  for (;;) {
    const asked = Date.now();
    const { state } = (await c.get(`/v1/reservations/${id}`, { status: 200 })).json;
    const answered = Date.now();
    if (state === 'expired') {
      assert.ok(answered >= due, `expired ${due - answered} ms early`);
      return;
    }
    assert.equal(state, 'held');
    assert.ok(asked <= Math.max(due, seen_from_ms) + EXPIRY_LATE_MS_MAX + MACHINE_SLACK_MS, `still held ${asked - due} ms after expires_at`);
    await sleep(10);
  }
}

test('a hold ends at its time, not before, and the units are available again', async () => {
  const sku = await item({ leeds: 2 });
  const hold = await held(sku, 2, { ttl_s: 1 });
  assertProblem(await client.reserve([{ sku, quantity: 1 }]), 409, 'insufficient_stock');
  await expires(client, hold);
  assert.equal((await client.level(sku, 'leeds')).available, 2);
  for (const verb of ['commit', 'extend']) {
    assertProblem(await act(hold.id, verb), 409, 'hold_expired');
  }
  await held(sku, 2);
});

test('while a hold lives nobody else gets its units, however often they ask; then the next one does', async () => {
  const sku = await item({ leeds: 1 });
  const hold = await held(sku, 1, { ttl_s: 2 });
  const due = Date.parse(hold.expires_at);
  let asked = 0;
  for (;;) {
    const answer = await client.reserve([{ sku, quantity: 1 }]);
    const answered = Date.now();
    asked++;
    if (answer.status === 201) {
      assert.ok(answered >= due, `given away ${due - answered} ms early`);
      break;
    }
    assertProblem(answer, 409, 'insufficient_stock');
    assert.ok(answered <= due + EXPIRY_LATE_MS_MAX + MACHINE_SLACK_MS, 'not given back in time');
    await sleep(5);
  }
  assert.ok(asked > 10, `asked ${asked} times`);
  assert.equal((await read(hold.id)).state, 'expired');
});

test('an extended hold lives on', async () => {
  const sku = await item();
  const hold = await held(sku, 1, { ttl_s: 1 });
  const more = (await act(hold.id, 'extend', { ttl_s: 60 }, { status: 200 })).json;
  assert.ok(Date.parse(more.expires_at) > Date.parse(hold.expires_at) + 55000);
  await sleep(2500);
  assert.equal((await read(hold.id)).state, 'held');
});

test('a committed reservation never expires', async () => {
  const sku = await item();
  const hold = await held(sku, 1, { ttl_s: 1 });
  await act(hold.id, 'commit', {}, { status: 200 });
  await sleep(2500);
  assert.equal((await read(hold.id)).state, 'committed');
});

test('holds end at their time across a restart and a crash too', async () => {
  const other = await startServer();
  const first = await api(other);
  await first.stock({ HOLD: { leeds: 10 } });
  const soon = (await first.reserve([{ sku: 'HOLD', quantity: 1 }], { ttl_s: 1 }, { status: 201 })).json;
  const later = (await first.reserve([{ sku: 'HOLD', quantity: 1 }], { ttl_s: 4 }, { status: 201 })).json;
  const long = (await first.reserve([{ sku: 'HOLD', quantity: 1 }], { ttl_s: 600 }, { status: 201 })).json;
  first.close();
  await killServer(other);
  await until(() => Date.now() > Date.parse(soon.expires_at), 'the first hold to be overdue');

  const again = await startServer({ data: other.data });
  const second = await api(again);
  const ready_ms = Date.now();
  await expires(second, soon, ready_ms);
  await expires(second, later, ready_ms);
  assert.equal((await second.get(`/v1/reservations/${long.id}`)).json.state, 'held');
  assert.equal((await second.level('HOLD', 'leeds')).available, 9);
  second.close();
  await stopServer(again);
});
