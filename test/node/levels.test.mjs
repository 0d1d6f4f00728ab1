/* Levels: absolute sets, adjustments, receipts, transfers, and the log of movements. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { api, assertProblem, finish, startServer } from './harness.mjs';

let server;
let client;

before(async () => {
  server = await startServer();
  client = await api(server);
  await client.stock({ MUG: { leeds: 10, york: 4 }, CUP: { leeds: 7 } });
});

after(async () => {
  client.close();
  await finish(server);
});

const adjust = (lines, options) => client.post('/v1/adjustments', { lines, reason: 'count' }, options);

test('a level shows all quantities, what is available, and its version as ETag', async () => {
  const answer = await client.get('/v1/levels/MUG/leeds', { status: 200 });
  const { on_hand, reserved, committed, damaged, quality_control, safety_stock, incoming, available, version } = answer.json;
  assert.deepEqual({ on_hand, reserved, committed, damaged, quality_control, safety_stock, incoming, available },
    { on_hand: 10, reserved: 0, committed: 0, damaged: 0, quality_control: 0, safety_stock: 0, incoming: 0, available: 10 });
  assert.equal(answer.headers.etag, `"${version}"`);
});

test('the levels of an item are listed with their sum', async () => {
  const { json } = await client.get('/v1/levels/MUG', { status: 200 });
  assert.deepEqual(json.levels.map(({ location, on_hand }) => [location, on_hand]), [['leeds', 10], ['york', 4]]);
  assert.equal(json.available, 14);
});

test('a set needs a precondition, and the right version', async () => {
  const { version } = await client.level('CUP', 'leeds');
  const before = await client.state(['CUP']);
  assertProblem(await client.put('/v1/levels/CUP/leeds', { on_hand: 1 }), 428, 'precondition_required');
  const stale = await client.put('/v1/levels/CUP/leeds', { on_hand: 1 }, { headers: { 'If-Match': `"${version + 1}"` } });
  assertProblem(stale, 412, 'version_mismatch');
  assert.equal(stale.json.version, version, 'the refusal names the present version');
  const weak = await client.put('/v1/levels/CUP/leeds', { on_hand: 1 }, { headers: { 'If-Match': `W/"${version}"` } });
  assertProblem(weak, 412, 'version_mismatch');
  const exists = await client.put('/v1/levels/CUP/leeds', { on_hand: 1 }, { headers: { 'If-None-Match': '*' } });
  assertProblem(exists, 412, 'version_mismatch');
  assert.deepEqual(await client.state(['CUP']), before);

  const headers = { 'If-Match': `"${version}"` };
  const done = await client.put('/v1/levels/CUP/leeds', { on_hand: 9, safety_stock: 2 }, { headers, status: 200 });
  assert.equal(done.json.available, 7);
  assert.equal(done.json.version, version + 1);
  assert.equal(done.headers.etag, `"${version + 1}"`);
  assertProblem(await client.put('/v1/levels/CUP/leeds', { on_hand: 1 }, { headers }), 412, 'version_mismatch');
});

test('If-Match with a star sets whatever version there is, but creates nothing', async () => {
  await client.put('/v1/levels/CUP/leeds', { damaged: 1 }, { headers: { 'If-Match': '*' }, status: 200 });
  assert.equal((await client.level('CUP', 'leeds')).damaged, 1);
  const none = await client.put('/v1/levels/CUP/york', { on_hand: 1 }, { headers: { 'If-Match': '*' } });
  assertProblem(none, 412, 'version_mismatch');
});

test('only one of two who read the same version can set', async () => {
  const { version } = await client.level('MUG', 'york');
  const headers = { 'If-Match': `"${version}"` };
  const answers = await Promise.all([5, 6, 7, 8].map((on_hand) => client.put('/v1/levels/MUG/york', { on_hand }, { headers })));
  assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 412, 412, 412]);
  const winner = answers.find(({ status }) => status === 200);
  assert.equal((await client.level('MUG', 'york')).on_hand, winner.json.on_hand);
});

test('a set names an item and a location that exist', async () => {
  const headers = { 'If-None-Match': '*' };
  const item = await client.put('/v1/levels/NONE/leeds', { on_hand: 1 }, { headers });
  assert.ok(['404 not_found', '422 unknown_item'].includes(`${item.status} ${item.json.code}`), item.text);
  const location = await client.put('/v1/levels/MUG/none', { on_hand: 1 }, { headers });
  assert.ok(['404 not_found', '422 unknown_location'].includes(`${location.status} ${location.json.code}`), location.text);
});

test('an adjustment changes every line or none', async () => {
  const before = await client.level('MUG', 'leeds');
  const done = await adjust([
    { sku: 'MUG', location: 'leeds', quantity: 'on_hand', delta: 5 },
    { sku: 'MUG', location: 'leeds', quantity: 'damaged', delta: 2 },
  ], { status: 201 });
  assert.equal(typeof done.json.seq, 'number');
  const now = await client.level('MUG', 'leeds');
  assert.equal(now.on_hand, before.on_hand + 5);
  assert.equal(now.available, before.available + 3);

  const state = await client.state(['MUG', 'CUP']);
  const refused = await adjust([
    { sku: 'CUP', location: 'leeds', quantity: 'on_hand', delta: 1 },
    { sku: 'MUG', location: 'leeds', quantity: 'on_hand', delta: -1000 },
  ]);
  assertProblem(refused, 409, 'negative_quantity');
  assert.equal(refused.json.shortfalls[0].sku, 'MUG');
  assert.deepEqual(await client.state(['MUG', 'CUP']), state);
});

test('an adjustment names the item or the location that is not defined', async () => {
  const state = await client.state(['MUG']);
  assertProblem(await adjust([{ sku: 'NONE', location: 'leeds', quantity: 'on_hand', delta: 1 }]), 422, 'unknown_item');
  assertProblem(await adjust([{ sku: 'MUG', location: 'none', quantity: 'on_hand', delta: 1 }]), 422, 'unknown_location');
  assert.deepEqual(await client.state(['MUG']), state);
});

test('reserved and committed belong to reservations: no adjustment touches them', async () => {
  for (const quantity of ['reserved', 'committed', 'available', 'nonsense']) {
    assertProblem(await adjust([{ sku: 'MUG', location: 'leeds', quantity, delta: 1 }]), 422, 'invalid');
  }
});

test('a quantity never passes its ceiling', async () => {
  const { version } = await client.level('CUP', 'leeds');
  const headers = { 'If-Match': `"${version}"` };
  await client.put('/v1/levels/CUP/leeds', { incoming: 1000000000000 }, { headers, status: 200 });
  const state = await client.state(['CUP']);
  const over = await adjust([{ sku: 'CUP', location: 'leeds', quantity: 'incoming', delta: 1 }]);
  assertProblem(over, 409, 'quantity_overflow');
  assertProblem(await client.put('/v1/levels/CUP/leeds', { incoming: 1000000000001 }, { headers: { 'If-Match': '*' } }), 422, 'invalid');
  assert.deepEqual(await client.state(['CUP']), state);
});

test('a receipt raises what is on hand', async () => {
  const before = await client.level('MUG', 'leeds');
  await client.post('/v1/receipts', { lines: [{ sku: 'MUG', location: 'leeds', quantity: 24 }], reference: 'PO-1' }, { status: 201 });
  assert.equal((await client.level('MUG', 'leeds')).on_hand, before.on_hand + 24);
});

test('a transfer moves available units and loses none', async () => {
  const from = await client.level('MUG', 'leeds');
  const to = await client.level('MUG', 'york');
  await client.post('/v1/transfers', { from: 'leeds', to: 'york', lines: [{ sku: 'MUG', quantity: 3 }] }, { status: 201 });
  assert.equal((await client.level('MUG', 'leeds')).on_hand, from.on_hand - 3);
  assert.equal((await client.level('MUG', 'york')).on_hand, to.on_hand + 3);

  const state = await client.state(['MUG']);
  const short = await client.post('/v1/transfers', { from: 'leeds', to: 'york', lines: [{ sku: 'MUG', quantity: 100000 }] });
  assertProblem(short, 409, 'insufficient_stock');
  const [line] = short.json.shortfalls;
  assert.deepEqual([line.sku, line.requested, line.available], ['MUG', 100000, from.available - 3]);
  assertProblem(await client.post('/v1/transfers', { from: 'leeds', to: 'leeds', lines: [{ sku: 'MUG', quantity: 1 }] }), 422, 'invalid');
  assert.deepEqual(await client.state(['MUG']), state);
});

test('the log of movements is gapless, filtered and paged, and folds to the levels', async () => {
  const all = await client.walk('/v1/movements');
  assert.deepEqual(all.map(({ seq }) => seq), all.map((_, i) => i + 1), 'no gap from 1 on');
  assert.deepEqual(await client.walk('/v1/movements', 3), all, 'small pages hold the same');
  const mine = await client.walk('/v1/movements?sku=MUG&location=york', 2);
  assert.deepEqual(mine, all.filter(({ sku, location }) => sku === 'MUG' && location === 'york'));

  const folded = new Map();
  for (const { sku, location, delta, after: stand, version } of all) {
    const key = `${sku} ${location}`;
    const level = folded.get(key) ?? { version: 0, quantities: {} };
    level.version++;
    for (const [name, units] of Object.entries(delta)) {
      level.quantities[name] = (level.quantities[name] ?? 0) + units;
    }
    assert.equal(version, level.version);
    for (const [name, units] of Object.entries(level.quantities)) {
      assert.equal(stand[name], units, `${key} ${name} after ${version}`);
    }
    folded.set(key, level);
  }
  for (const [key, { version, quantities }] of folded) {
    const level = await client.level(...key.split(' '));
    assert.equal(level.version, version);
    for (const [name, units] of Object.entries(quantities)) {
      assert.equal(level[name], units);
    }
  }
});

test('a movement keeps reason and reference', async () => {
  const body = { lines: [{ sku: 'MUG', location: 'leeds', quantity: 'on_hand', delta: -1 }], reason: 'broken "in" the aisle ☃', reference: 'T-7' };
  const { json } = await client.post('/v1/adjustments', body, { status: 201 });
  const page = await client.get(`/v1/movements?sku=MUG&limit=1000`, { status: 200 });
  const last = page.json.data.find(({ seq }) => seq === json.seq);
  assert.deepEqual([last.reason, last.reference, last.kind], [body.reason, 'T-7', 'adjust']);
});
