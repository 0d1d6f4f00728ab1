/* One key, one effect, one answer. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { api, assertProblem, finish, killServer, newKey, startServer } from './harness.mjs';

let server;
let client;

before(async () => {
  server = await startServer();
  client = await api(server, { connections: 64 });
  await client.stock({ KEY: { leeds: 1000 } });
});

after(async () => {
  client.close();
  await finish(server);
});

const BODY = { lines: [{ sku: 'KEY', quantity: 1 }], reference: 'idem' };
const reserve = (key, body = BODY, options = {}) => client.post('/v1/reservations', body, { key, ...options });
const available = async (c = client) => (await c.level('KEY', 'leeds')).available;

function assertReplayed(answer, first) {
  assert.equal(answer.status, first.status);
  assert.equal(answer.text, first.text, 'the same bytes');
  assert.equal(answer.headers.location, first.headers.location);
  assert.equal(answer.headers['idempotent-replayed'], 'true');
}

test('the same request again gets the same bytes and has no second effect', async () => {
  const key = newKey();
  const before = await available();
  const first = await reserve(key);
  assert.equal(first.status, 201);
  assert.equal(first.headers['idempotent-replayed'], undefined);
  for (let i = 0; i < 3; i++) {
    assertReplayed(await reserve(key), first);
  }
  assert.equal(await available(), before - 1);
});

test('another spelling of the same content is the same request', async () => {
  const key = newKey();
  const first = await reserve(key);
  const spellings = [
    '{ "reference" : "idem" , "lines" : [ { "quantity" : 1 , "sku" : "KEY" } ] }',
    '{"lines":[{"sku":"\\u004bEY","quantity":1}],"reference":"\\u0069dem"}',
    '{"lines":[{"sku":"KEY","quantity":1}],"reference":"idem","ttl_s":900}',
  ];
  for (const raw of spellings) {
    assertReplayed(await client.request('POST', '/v1/reservations', { raw, key }), first);
  }
});

test('a key is the same bare or quoted', async () => {
  const key = newKey();
  const first = await reserve(key);
  assertReplayed(await reserve(`"${key}"`), first);
});

test('the same key with other content is refused and changes nothing', async () => {
  const key = newKey();
  await reserve(key);
  const before = await client.state(['KEY']);
  for (const body of [{ ...BODY, reference: 'other' }, { ...BODY, ttl_s: 5 }, { lines: [{ sku: 'KEY', quantity: 2 }], reference: 'idem' }]) {
    assertProblem(await reserve(key, body), 422, 'idempotency_key_reused');
  }
  assert.deepEqual(await client.state(['KEY']), before);
});

test('a refusal is remembered like a success', async () => {
  const key = newKey();
  const body = { lines: [{ sku: 'KEY', quantity: 1000000 }] };
  const first = await reserve(key, body);
  assertProblem(first, 409, 'insufficient_stock');
  assertReplayed(await reserve(key, body), first);
});

test('a request that was never valid does not use up its key', async () => {
  const key = newKey();
  assertProblem(await reserve(key, { lines: [{ sku: 'KEY', quantity: 0 }] }), 422, 'invalid');
  await reserve(key, BODY, { status: 201 });
});

test('every POST that changes stock needs a key', async () => {
  const { json } = await reserve(newKey());
  const before = await client.state(['KEY']);
  const line = { sku: 'KEY', location: 'leeds' };
  const posts = [
    ['/v1/reservations', BODY],
    ['/v1/adjustments', { lines: [{ ...line, quantity: 'on_hand', delta: 1 }], reason: 'x' }],
    ['/v1/receipts', { lines: [{ ...line, quantity: 1 }] }],
    ['/v1/transfers', { from: 'leeds', to: 'york', lines: [{ sku: 'KEY', quantity: 1 }] }],
    ['/v1/batch', { operations: [{ op: 'reserve', ...BODY }] }],
    ...['extend', 'commit', 'release', 'cancel', 'fulfill', 'return'].map((verb) => [`/v1/reservations/${json.id}/${verb}`, {}]),
  ];
  for (const [target, body] of posts) {
    assertProblem(await client.post(target, body, { key: null }), 400, 'idempotency_key_missing');
  }
  assert.deepEqual(await client.state(['KEY']), before);
});

test('a key is 1 to 255 printable ASCII characters', async () => {
  const before = await client.state(['KEY']);
  for (const key of ['x'.repeat(256), 'ü', 'tab\there', '""', '"open']) {
    assertProblem(await reserve(key), 400, 'idempotency_key_invalid');
  }
  assert.deepEqual(await client.state(['KEY']), before);
  await reserve('x'.repeat(255), BODY, { status: 201 });
});

test('the same key at the same moment has exactly one effect', async () => {
  for (let round = 0; round < 10; round++) {
    const key = newKey();
    const before = await available();
    const answers = await Promise.all(Array.from({ length: 40 }, () => reserve(key)));
    const made = answers.filter(({ status }) => status === 201);
    assert.ok(made.length >= 1);
    assert.equal(made.filter(({ headers }) => headers['idempotent-replayed'] === undefined).length, 1, 'one is the first');
    for (const answer of answers) {
      if (answer.status === 201) {
        assert.equal(answer.text, made[0].text);
      } else {
        assertProblem(answer, 409, 'idempotency_key_in_flight');
      }
    }
    assert.equal(await available(), before - 1);
  }
});

test('different keys at the same moment are different orders', async () => {
  const before = await available();
  const answers = await Promise.all(Array.from({ length: 60 }, () => reserve(newKey())));
  assert.equal(new Set(answers.map(({ json }) => json.id)).size, 60);
  assert.equal(await available(), before - 60);
});

test('a repeated transition with the same key is replayed', async () => {
  const { json } = await reserve(newKey());
  const key = newKey();
  const first = await client.post(`/v1/reservations/${json.id}/commit`, {}, { key, status: 200 });
  assertReplayed(await client.post(`/v1/reservations/${json.id}/commit`, {}, { key }), first);
});

test('keys are remembered across a crash', async () => {
  const other = await startServer();
  const one = await api(other);
  await one.stock({ KEY: { leeds: 5 } });
  const key = newKey();
  const first = await one.post('/v1/reservations', BODY, { key, status: 201 });
  one.close();
  await killServer(other);

  const again = await startServer({ data: other.data });
  const two = await api(again);
  assertReplayed(await two.post('/v1/reservations', BODY, { key }), first);
  assertProblem(await two.post('/v1/reservations', { ...BODY, reference: 'x' }, { key }), 422, 'idempotency_key_reused');
  assert.equal(await available(two), 4);
  two.close();
  await finish(again);
});
