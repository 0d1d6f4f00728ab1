/* Items and locations. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { api, assertProblem, finish, startServer } from './harness.mjs';

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

test('an item is created, read and renamed', async () => {
  const made = await client.put('/v1/items/MUG-1', { name: 'Blue mug', attributes: { colour: 'blue', sizes: [1, 2] } }, { status: 201 });
  assert.equal(made.json.sku, 'MUG-1');
  const read = await client.get('/v1/items/MUG-1', { status: 200 });
  assert.equal(read.json.name, 'Blue mug');
  assert.deepEqual(read.json.attributes, { colour: 'blue', sizes: [1, 2] });
  await client.put('/v1/items/MUG-1', { name: 'Green mug' }, { status: 200 });
  const again = await client.get('/v1/items/MUG-1', { status: 200 });
  assert.equal(again.json.name, 'Green mug');
});

test('a SKU may hold any printable character, percent-encoded in the path', async () => {
  for (const sku of ['a/b', '50% off', 'Grüße', '☃', 'a+b&c=d?e#f', "'; DROP TABLE items;--", 'x'.repeat(64)]) {
    await client.put(`/v1/items/${encodeURIComponent(sku)}`, { name: 'Odd' }, { status: 201 });
    const { json } = await client.get(`/v1/items/${encodeURIComponent(sku)}`, { status: 200 });
    assert.equal(json.sku, sku);
  }
});

test('SKUs differ by case', async () => {
  await client.put('/v1/items/case', { name: 'lower' }, { status: 201 });
  await client.put('/v1/items/CASE', { name: 'upper' }, { status: 201 });
  assert.equal((await client.get('/v1/items/case', { status: 200 })).json.name, 'lower');
});

test('what was never defined is not found', async () => {
  assertProblem(await client.get('/v1/items/none'), 404, 'not_found');
  assertProblem(await client.get('/v1/locations/none'), 404, 'not_found');
  assertProblem(await client.get('/v1/levels/none'), 404, 'not_found');
  assertProblem(await client.get('/v1/levels/MUG-1/none'), 404, 'not_found');
  assertProblem(await client.get('/v1/availability/none'), 404, 'not_found');
  assertProblem(await client.get('/v1/reservations/01900000-0000-7000-8000-000000000000'), 404, 'not_found');
  assertProblem(await client.get('/v1/nonsense'), 404, 'not_found');
});

test('a page of items leads to the next, and each item comes exactly once', async () => {
  for (let i = 0; i < 25; i++) {
    await client.put(`/v1/items/page-${String(i).padStart(2, '0')}`, { name: `Item ${i}` });
  }
  const all = (await client.walk('/v1/items')).map(({ sku }) => sku);
  for (const limit of [1, 7, 10, 1000]) {
    assert.deepEqual((await client.walk('/v1/items', limit)).map(({ sku }) => sku), all);
  }
  assert.equal(new Set(all).size, all.length);
  assert.ok(all.filter((sku) => sku.startsWith('page-')).length === 25);
  const bytes = [...all].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  assert.deepEqual(all, bytes, 'in the order of the bytes of the SKU');
});

test('limits and cursors that make no sense are refused', async () => {
  for (const query of ['limit=0', 'limit=1001', 'limit=x', 'limit=-1', 'limit=1.5']) {
    assertProblem(await client.get(`/v1/items?${query}`), 422, 'invalid');
  }
  const { status } = await client.get('/v1/items?after=%21%21%21');
  assert.ok([400, 422].includes(status), `a foreign cursor answers ${status}`);
  const unknown = await client.get('/v1/items?colour=blue');
  assert.ok([400, 422].includes(unknown.status), `an unknown argument answers ${unknown.status}`);
});

test('a location is created, read, changed and listed', async () => {
  const made = await client.put('/v1/locations/leeds', { name: 'Leeds', priority: 3 }, { status: 201 });
  assert.equal(made.json.priority, 3);
  await client.put('/v1/locations/leeds', { name: 'Leeds North' }, { status: 200 });
  await client.put('/v1/locations/york', { name: 'York', priority: 1 }, { status: 201 });
  const { json } = await client.get('/v1/locations/leeds', { status: 200 });
  assert.equal(json.name, 'Leeds North');
  const list = await client.get('/v1/locations', { status: 200 });
  assert.deepEqual(list.json.data.map(({ id }) => id), ['leeds', 'york']);
});

test('a location id is made of letters, digits, dot, underscore and dash only', async () => {
  for (const id of ['a b', 'ü', 'a%2Fb', 'x'.repeat(65)]) {
    const answer = await client.put(`/v1/locations/${encodeURIComponent(id)}`, { name: 'Bad' });
    assert.ok([404, 422].includes(answer.status), `${id} answers ${answer.status}`);
  }
  assert.equal((await client.get('/v1/locations')).json.data.length, 2);
});

test('HEAD answers like GET without a body', async () => {
  const head = await client.request('HEAD', '/v1/items/MUG-1', { status: 200 });
  assert.equal(head.text, '');
});

test('a method that an address does not have is a 405 that names those it has', async () => {
  const answer = await client.request('DELETE', '/v1/items/MUG-1');
  assertProblem(answer, 405, 'method_not_allowed');
  assert.deepEqual(answer.headers.allow.split(/, */).filter((m) => m !== 'HEAD' && m !== 'OPTIONS').sort(), ['GET', 'PUT']);
});
