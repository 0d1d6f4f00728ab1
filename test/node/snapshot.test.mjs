/* What a follower of the stream starts with, and how it closes a gap. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { api, assertProblem, finish, newKey, startServer } from './harness.mjs';

const ITEMS = 25;

let server;
let client;

const skuOf = (i) => `S-${String(i).padStart(2, '0')}`;

before(async () => {
  server = await startServer();
  client = await api(server);
  for (const place of ['leeds', 'york']) {
    await client.put(`/v1/locations/${place}`, { name: place });
  }
  for (let i = 0; i < ITEMS; i++) {
    await client.put(`/v1/items/${skuOf(i)}`, { name: skuOf(i) });
  }
  /* Every second item has stock, every fourth in two places. */
  for (let i = 0; i < ITEMS; i += 2) {
    for (const location of i % 4 === 0 ? ['york', 'leeds'] : ['york']) {
      await client.post('/v1/receipts', { lines: [{ sku: skuOf(i), location, quantity: i + 1 }] }, { key: newKey(), status: 201 });
    }
  }
});

after(async () => {
  client.close();
  await finish(server);
});

const page = async (query = '') => (await client.get(`/v1/snapshot${query}`, { status: 200 })).json;

async function wholeSnapshot(limit) {
  const rows = [];
  for (let after = 0; after !== null;) {
    const { data, page: { next } } = await page(`?limit=${limit}&after_item=${after}`);
    assert.ok(data.length <= limit);
    rows.push(...data);
    after = next;
  }
  return rows;
}

test('every item comes once, in the order of its definition, with all of its levels', async () => {
  const rows = await wholeSnapshot(1000);
  assert.deepEqual(rows.map(({ sku }) => sku), Array.from({ length: ITEMS }, (_, i) => skuOf(i)));
  assert.deepEqual(rows.map(({ number }) => number), Array.from({ length: ITEMS }, (_, i) => i + 1));
  for (const { sku, levels } of rows) {
    const { json } = await client.get(`/v1/levels/${sku}`, { status: 200 });
    const shown = levels.map(({ seq, ...level }) => {
      assert.ok(seq > 0);
      return { sku, ...level };
    });
    shown.sort((a, b) => (a.location < b.location ? -1 : 1));
    assert.deepEqual(shown, json.levels);
  }
});

test('pages of any size make the same snapshot', async () => {
  const all = await wholeSnapshot(1000);
  for (const limit of [1, 7, ITEMS, ITEMS + 1]) {
    assert.deepEqual(await wholeSnapshot(limit), all);
  }
});

test('the position is where the stream is', async () => {
  const { position } = await page();
  const last = await client.put(`/v1/items/${skuOf(0)}`, { name: 'again' });
  assert.equal(position.seq, last.json.seq);
  assert.equal(position.items, ITEMS);
  assert.ok(position.epoch >= 1);
  assert.ok(Math.abs(Date.parse(position.time) - Date.now()) < 60000);
});

test('behind the newest item there is nothing', async () => {
  assert.deepEqual((await page(`?after_item=${ITEMS}`)).data, []);
  assert.equal((await page(`?after_item=${ITEMS}`)).page.next, null);
});

test('movements can be asked for behind a seq', async () => {
  const all = (await client.get('/v1/movements?limit=1000', { status: 200 })).json.data;
  const { data, page: { next } } = (await client.get('/v1/movements?after_seq=5&limit=3', { status: 200 })).json;
  assert.deepEqual(data, all.slice(5, 8));
  const more = (await client.get(`/v1/movements?after=${next}&after_seq=5&limit=3`, { status: 200 })).json;
  assert.deepEqual(more.data, all.slice(8, 11));
  assert.deepEqual((await client.get(`/v1/movements?after_seq=${all.length}`, { status: 200 })).json.data, []);
});

test('what is no number is refused', async () => {
  for (const query of ['after_item=x', 'after_item=-1', 'after_item=99999999999', 'limit=0', 'limit=1001', 'before=3']) {
    assertProblem(await client.get(`/v1/snapshot?${query}`), 422, 'invalid');
  }
  assertProblem(await client.get('/v1/movements?after_seq=x'), 422, 'invalid');
});
