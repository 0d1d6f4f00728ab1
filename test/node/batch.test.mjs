/* Many writes in one request, each decided on its own. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { api, assertProblem, finish, newKey, startServer } from './harness.mjs';

let server;
let client;

before(async () => {
  server = await startServer();
  client = await api(server);
});

after(async () => {
  client.close();
  await finish(server);
});

const batch = (operations, options) => client.post('/v1/batch', { operations }, options);

test('operations are decided in order, each on its own', async () => {
  const { json } = await batch([
    { op: 'define_location', location: 'leeds', name: 'Leeds' },
    { op: 'define_location', location: 'york', name: 'York', priority: 5 },
    { op: 'define_item', sku: 'B-1', name: 'One' },
    { op: 'set', sku: 'B-1', location: 'leeds', expected_version: 0, on_hand: 5 },
    { op: 'receive', lines: [{ sku: 'B-1', location: 'york', quantity: 2 }] },
    { op: 'adjust', lines: [{ sku: 'B-1', location: 'york', quantity: 'on_hand', delta: 1 }], reason: 'found' },
    { op: 'transfer', from: 'york', to: 'leeds', lines: [{ sku: 'B-1', quantity: 1 }] },
    { op: 'reserve', lines: [{ sku: 'B-1', quantity: 6 }] },
    { op: 'reserve', lines: [{ sku: 'B-1', quantity: 99 }] },
    { op: 'reserve', lines: [{ sku: 'NONE', quantity: 1 }] },
    { op: 'set', sku: 'B-1', location: 'leeds', expected_version: 99, on_hand: 5 },
  ], { status: 200 });
  assert.deepEqual(json.results.map(({ status }) => status), [201, 201, 201, 201, 201, 201, 201, 201, 409, 422, 412]);
  assert.equal(json.results[8].body.code, 'insufficient_stock');
  assert.deepEqual(json.results[8].body.shortfalls, [{ sku: 'B-1', requested: 99, available: 2 }]);
  assert.equal(json.results[9].body.code, 'unknown_item');
  assert.equal((await client.level('B-1', 'leeds')).reserved, 6);
});

test('a reservation goes its way by batches', async () => {
  const reserve = { op: 'reserve', lines: [{ sku: 'B-1', quantity: 1 }] };
  const { json: made } = await batch([reserve, reserve], { status: 200 });
  const [a, b] = made.results.map(({ body }) => body.id);
  const { json } = await batch([
    { op: 'extend', id: a, ttl_s: 100 }, { op: 'commit', id: a }, { op: 'fulfill', id: a }, { op: 'return', id: a, to: 'damaged' },
    { op: 'release', id: b }, { op: 'cancel', id: b },
  ], { status: 200 });
  assert.deepEqual(json.results.map(({ status }) => status), [200, 200, 200, 200, 200, 409]);
  assert.equal(json.results[5].body.code, 'wrong_state');
});

test('what comes behind a return sells what was returned', async () => {
  await client.stock({ 'B-2': { leeds: 2 } });
  const reserve = { op: 'reserve', lines: [{ sku: 'B-2', quantity: 1 }] };
  const { json: made } = await batch([reserve, reserve], { status: 200 });
  const [a, b] = made.results.map(({ body }) => body.id);
  for (const op of ['commit', 'fulfill']) {
    await batch([{ op, id: a }, { op, id: b }], { status: 200 });
  }
  const { json } = await batch([{ op: 'return', id: a }, { op: 'return', id: b }, reserve, { op: 'nonsense' }, reserve, reserve], { status: 200 });
  assert.deepEqual(json.results.map(({ status }) => status), [200, 200, 201, 422, 201, 409]);
});

test('a thousand operations are one request', async () => {
  const lines = [{ sku: 'B-1', location: 'leeds', quantity: 1 }];
  const before = (await client.level('B-1', 'leeds')).on_hand;
  const { json } = await batch(Array.from({ length: 1000 }, () => ({ op: 'receive', lines })), { status: 200 });
  assert.ok(json.results.every(({ status }) => status === 201));
  assert.equal((await client.level('B-1', 'leeds')).on_hand, before + 1000);
});

test('a batch that is too long or empty is refused as a whole', async () => {
  const before = await client.state(['B-1']);
  const receive = { op: 'receive', lines: [{ sku: 'B-1', location: 'leeds', quantity: 1 }] };
  assertProblem(await batch(Array.from({ length: 1001 }, () => receive)), 422, 'invalid');
  assertProblem(await batch([]), 422, 'invalid');
  assert.deepEqual(await client.state(['B-1']), before);
});

test('an operation that is not valid is told by its place and does not stop the others', async () => {
  const before = (await client.level('B-1', 'leeds')).on_hand;
  const receive = (quantity) => ({ op: 'receive', lines: [{ sku: 'B-1', location: 'leeds', quantity }] });
  const answer = await batch([receive(1), receive(0), { op: 'nonsense' }, receive(1)]);
  if (answer.status === 200) {
    assert.deepEqual(answer.json.results.map(({ status }) => status), [201, 422, 422, 201]);
    assert.equal((await client.level('B-1', 'leeds')).on_hand, before + 2);
  } else {
    assertProblem(answer, 422, 'invalid');
    assert.equal((await client.level('B-1', 'leeds')).on_hand, before);
  }
});

test('a repeated batch has no second effect', async () => {
  const key = newKey();
  const body = [{ op: 'reserve', lines: [{ sku: 'B-1', quantity: 1 }] }, { op: 'receive', lines: [{ sku: 'B-1', location: 'york', quantity: 3 }] }];
  const first = await batch(body, { key, status: 200 });
  const before = await client.state(['B-1']);
  const again = await batch(body, { key, status: 200 });
  assert.deepEqual(again.json, first.json);
  assert.deepEqual(await client.state(['B-1']), before);
});

test('a key of 251 characters is long enough for the keys of a thousand operations', async () => {
  const receive = { op: 'receive', lines: [{ sku: 'B-1', location: 'leeds', quantity: 1 }] };
  const operations = Array.from({ length: 1000 }, () => receive);
  const key = newKey().padEnd(251, 'k');
  const first = await batch(operations, { key, status: 200 });
  assert.ok(first.json.results.every(({ status }) => status === 201));
  const again = await batch(operations, { key, status: 200 });
  assert.deepEqual(again.json, first.json);
  assert.equal(again.headers['idempotent-replayed'], 'true');
  assertProblem(await batch([receive], { key: 'k'.repeat(252) }), 400, 'idempotency_key_invalid');
});

test('an operation may bring its own key, which works outside of the batch too', async () => {
  const key = newKey();
  const lines = [{ sku: 'B-1', quantity: 1 }];
  const { json } = await batch([{ op: 'reserve', lines, idempotency_key: key }, { op: 'reserve', lines, idempotency_key: key }], { status: 200 });
  const [first, second] = json.results;
  assert.equal(first.status, 201);
  assert.ok(second.status === 409 || second.body.id === first.body.id);
  const outside = await client.reserve(lines, {}, { key, status: 201 });
  assert.equal(outside.json.id, first.body.id);
});

test('an order that would need more than 1,000 parts is refused', async () => {
  const places = Array.from({ length: 11 }, (_, i) => `frag-${i}`);
  const skus = Array.from({ length: 100 }, (_, i) => `FRAG-${i}`);
  await batch([...places.map((location) => ({ op: 'define_location', location, name: location })),
    ...skus.map((sku) => ({ op: 'define_item', sku, name: sku }))], { status: 200 });
  const sets = skus.flatMap((sku) => places.map((location) => ({ op: 'set', sku, location, expected_version: 0, on_hand: 1 })));
  for (let at = 0; at < sets.length; at += 1000) {
    const { json } = await batch(sets.slice(at, at + 1000), { status: 200 });
    assert.ok(json.results.every(({ status }) => status === 201));
  }
  const before = await client.state(skus.slice(0, 3));
  assertProblem(await client.reserve(skus.map((sku) => ({ sku, quantity: 11 }))), 409, 'too_fragmented');
  assert.deepEqual(await client.state(skus.slice(0, 3)), before);
  const { json } = await client.reserve(skus.map((sku) => ({ sku, quantity: 10 })), {}, { status: 201 });
  assert.equal(json.lines.length, 1000);
});

test('the number of locations is bounded, and the refusal is one operation\'s own', async () => {
  const operations = Array.from({ length: 4100 }, (_, i) => ({ op: 'define_location', location: `many-${i}`, name: 'Many' }));
  const results = [];
  for (let at = 0; at < operations.length; at += 1000) {
    results.push(...(await batch(operations.slice(at, at + 1000), { status: 200 })).json.results);
  }
  const refused = results.filter(({ status }) => status !== 201);
  assert.ok(refused.length > 0 && refused.length < 100, `${refused.length} are refused`);
  assert.ok(refused.every(({ status, body }) => status === 409 && body.code === 'limit_reached'));
  assertProblem(await client.put('/v1/locations/one-more', { name: 'One more' }), 409, 'limit_reached');
  assert.equal((await client.get('/v1/locations', { status: 200 })).json.data.length, 4096);
});
