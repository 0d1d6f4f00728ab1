/* What a shopper sees: reads, their freshness, and the live stream. */
import assert from 'node:assert/strict';
import net from 'node:net';
import { after, before, test } from 'node:test';
import { api, assertProblem, finish, openStream, sleep, startServer, stopServer, until } from './harness.mjs';

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

/* The view follows the ledger; here the tests begin when it has caught up. */
async function inView(sku, quantity) {
  await until(async () => {
    const answer = await fetch(`${server.url}/v1/availability/${sku}`);
    return answer.status === 200 && (await answer.json()).quantity === quantity;
  }, `${sku} in the view`);
}

async function item(on_hand = 10) {
  const sku = `A-${++stocked}`;
  await client.stock({ [sku]: { leeds: on_hand } });
  await inView(sku, on_hand);
  return sku;
}

const receive = (sku, quantity) => client.post('/v1/receipts', { lines: [{ sku, location: 'leeds', quantity }] }, { status: 201 });
const take = (sku, quantity) => client.reserve([{ sku, quantity }], {}, { status: 201 });
const shown = async (sku, seq) => (await client.get(`/v1/availability/${sku}?min_seq=${seq}`, { status: 200 })).json;
const streamOf = (...skus) => openStream(server, `/v1/availability/stream?${new URLSearchParams(skus.map((sku) => ['sku', sku]))}`);

test('statuses and messages follow what is available', async () => {
  const sku = await item(7);
  const seen = [];
  for (const quantity of [1, 1, 3, 1, 1]) {
    const { json } = await take(sku, quantity);
    const { status, quantity: left, message } = await shown(sku, json.seq);
    seen.push([left, status, message]);
  }
  assert.deepEqual(seen, [
    [6, 'in_stock', 'In stock'], [5, 'low_stock', 'Only 5 left'], [2, 'low_stock', 'Only 2 left'],
    [1, 'low_stock', 'Only 1 left'], [0, 'out_of_stock', 'Out of stock']]);
});

test('an item without stock is out of stock', async () => {
  const { json } = await client.put('/v1/items/A-BARE', { name: 'Bare' }, { status: 201 });
  await inView('A-BARE', 0);
  const { status, quantity, version } = await shown('A-BARE', json.seq);
  assert.deepEqual([status, quantity, version], ['out_of_stock', 0, 0]);
});

test('what is available everywhere is added up, a deficit counts as nothing', async () => {
  await client.stock({ 'A-SUM': { leeds: 4, york: 8 } });
  await client.reserve([{ sku: 'A-SUM', quantity: 4, location: 'leeds' }], {}, { status: 201 });
  const { json } = await client.post('/v1/adjustments',
    { lines: [{ sku: 'A-SUM', location: 'leeds', quantity: 'on_hand', delta: -3 }], reason: 'lost' });
  const level = await client.level('A-SUM', 'leeds');
  if (json.seq !== undefined) {
    assert.equal(level.available, -3);
    assert.equal((await shown('A-SUM', json.seq)).quantity, 8);
  } else {
    assert.equal(json.code, 'insufficient_stock');
  }
});

test('after each write, a read with its seq shows it', async () => {
  const sku = await item(500);
  let expected = 500;
  for (let i = 0; i < 100; i++) {
    const { json } = await (i % 3 === 0 ? receive(sku, 2) : take(sku, 1));
    expected += i % 3 === 0 ? 2 : -1;
    const now = await shown(sku, json.seq);
    assert.equal(now.quantity, expected);
    assert.ok(now.seq <= json.seq);
  }
});

test('a read that asks for the future is a 503 that may be retried', async () => {
  const sku = await item();
  const answer = await client.get(`/v1/availability/${sku}?min_seq=999999999`);
  assertProblem(answer, 503, 'stale');
  assert.ok(answer.headers['retry-after'] !== undefined);
  assert.equal(answer.json.retryable, true);
});

test('an unchanged answer is a 304', async () => {
  const sku = await item();
  const { json } = await take(sku, 1);
  await shown(sku, json.seq);
  const first = await client.get(`/v1/availability/${sku}`, { status: 200 });
  assert.equal(first.headers.etag, `"${first.json.version}"`);
  const same = await client.get(`/v1/availability/${sku}`, { headers: { 'If-None-Match': first.headers.etag }, status: 304 });
  assert.equal(same.text, '');
  assert.equal(same.headers.etag, first.headers.etag);
  const { json: next } = await take(sku, 1);
  await client.get(`/v1/availability/${sku}?min_seq=${next.seq}`, { headers: { 'If-None-Match': first.headers.etag }, status: 200 });
});

test('several items are read at once; unknown ones are named', async () => {
  const skus = [await item(1), await item(2)];
  const last = await receive(skus[1], 1);
  const { json } = await client.get(`/v1/availability?sku=${skus[1]}&sku=NONE-1&sku=${skus[0]}&min_seq=${last.json.seq}`, { status: 200 });
  assert.deepEqual(json.data.map(({ sku, quantity }) => [sku, quantity]).sort(), [[skus[0], 1], [skus[1], 3]]);
  assert.deepEqual(json.unknown, ['NONE-1']);
  const many = new URLSearchParams(Array.from({ length: 101 }, (_, i) => ['sku', `X-${i}`]));
  assertProblem(await client.get(`/v1/availability?${many}`), 422, 'invalid');
  assertProblem(await client.get('/v1/availability'), 422, 'invalid');
});

test('there is one channel', async () => {
  const sku = await item();
  assert.equal((await client.get(`/v1/availability/${sku}?channel=default`, { status: 200 })).json.channel, 'default');
  const other = await client.get(`/v1/availability/${sku}?channel=moon`);
  assert.ok([404, 422].includes(other.status));
});

test('a stream begins with a snapshot and then tells each change', async () => {
  const [a, b] = [await item(10), await item(20)];
  const stream = await streamOf(a, b);
  try {
    assert.equal(stream.status, 200);
    assert.match(stream.headers['content-type'], /^text\/event-stream/);
    assert.match(stream.headers['cache-control'], /no-cache/);
    await until(() => stream.of(a).length > 0 && stream.of(b).length > 0, 'the snapshot');
    assert.ok(stream.retry_ms > 0);
    assert.deepEqual([stream.of(a)[0].quantity, stream.of(b)[0].quantity], [10, 20]);
    for (let left = 9; left >= 0; left--) {
      const { json } = await take(a, 1);
      const event = await stream.wait(({ data }) => data.sku === a && data.seq >= json.seq, `the change to ${left}`);
      assert.equal(event.data.quantity, left);
    }
    assert.equal(stream.of(a).at(-1).status, 'out_of_stock');
    assert.equal(stream.of(b).length, 1, 'nothing about what did not change');
  } finally {
    stream.close();
  }
});

test('in a stream versions only rise, whatever is written at the same time', async () => {
  const sku = await item(1000);
  const stream = await streamOf(sku);
  try {
    const answers = await Promise.all(Array.from({ length: 200 }, () => take(sku, 1)));
    const last = Math.max(...answers.map(({ json }) => json.seq));
    const event = await stream.wait(({ data }) => data.seq >= last, 'the last change');
    assert.equal(event.data.quantity, 800);
    const versions = stream.of(sku).map(({ version }) => version);
    assert.ok(versions.every((version, i) => i === 0 || version > versions[i - 1]), versions.join(' '));
  } finally {
    stream.close();
  }
});

test('two streams see the same, and one more client hears of it by a frame that equals the read', async () => {
  const sku = await item();
  const streams = await Promise.all([streamOf(sku), streamOf(sku)]);
  try {
    const { json } = await take(sku, 3);
    for (const stream of streams) {
      const event = await stream.wait(({ data }) => data.seq >= json.seq, 'the change');
      assert.deepEqual(event.data, await shown(sku, json.seq));
    }
  } finally {
    streams.forEach((stream) => stream.close());
  }
});

test('a resumed stream tells what was missed and nothing else', async () => {
  const [a, b] = [await item(10), await item(10)];
  const stream = await streamOf(a, b);
  await until(() => stream.of(a).length > 0 && stream.of(b).length > 0, 'the snapshot');
  const { json: seen } = await take(a, 1);
  await stream.wait(({ data }) => data.seq >= seen.seq, 'the change');
  stream.close();
  const { json: missed } = await take(b, 4);

  const target = `/v1/availability/stream?sku=${a}&sku=${b}`;
  const again = await openStream(server, target, { 'Last-Event-ID': stream.lastId });
  try {
    const event = await again.wait(({ data }) => data.sku === b && data.seq >= missed.seq, 'what was missed');
    assert.equal(event.data.quantity, 6);
    assert.equal(again.events.filter(({ event: name }) => name === 'reset').length, 0);
    assert.equal(again.of(a).length, 0, 'what was seen is not told again');
  } finally {
    again.close();
  }
  const byQuery = await openStream(server, `${target}&last_event_id=${encodeURIComponent(stream.lastId)}`);
  try {
    await byQuery.wait(({ data }) => data.sku === b, 'what was missed');
    assert.equal(byQuery.of(a).length, 0);
  } finally {
    byQuery.close();
  }
});

test('an id from another life of the stream is answered by reset and everything', async () => {
  const sku = await item(3);
  const stream = await openStream(server, `/v1/availability/stream?sku=${sku}`, { 'Last-Event-ID': '999999-5' });
  try {
    await until(() => stream.of(sku).length > 0, 'the snapshot');
    assert.equal(stream.events[0].event, 'reset');
    assert.equal(stream.of(sku)[0].quantity, 3);
  } finally {
    stream.close();
  }
});

test('an id that is garbage is malformed', async () => {
  const sku = await item();
  for (const id of ['garbage', '1', '-', '1-', '1-x', 'x'.repeat(129)]) {
    const answer = await client.get(`/v1/availability/stream?sku=${sku}`, { headers: { 'Last-Event-ID': id } });
    assert.ok([400, 422].includes(answer.status), `${id} answers ${answer.status}`);
  }
});

test('a stream is for 1 to 500 items that exist', async () => {
  assertProblem(await client.get('/v1/availability/stream'), 422, 'invalid');
  const many = new URLSearchParams(Array.from({ length: 501 }, (_, i) => ['sku', `X-${i}`]));
  assertProblem(await client.get(`/v1/availability/stream?${many}`), 422, 'invalid');
  const unknown = await client.get('/v1/availability/stream?sku=NEVER-1');
  assert.ok([404, 422].includes(unknown.status), `an unknown item answers ${unknown.status}`);
});

test('a quiet stream is kept alive by a comment', async () => {
  const sku = await item();
  const stream = await streamOf(sku);
  try {
    await until(() => stream.comments.length > 0, 'a comment', 20000);
    assert.equal(stream.ended, false);
  } finally {
    stream.close();
  }
});

test('a reader that never reads stops nobody', async () => {
  const skus = [];
  for (let i = 0; i < 40; i++) {
    skus.push(await item(100000));
  }
  const query = new URLSearchParams(skus.map((sku) => ['sku', sku]));
  const deaf = Array.from({ length: 20 }, () => {
    const socket = net.connect(server.port, '127.0.0.1');
    socket.on('error', () => {});
    socket.pause();
    socket.write(`GET /v1/availability/stream?${query} HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n`);
    return socket;
  });
  const good = await openStream(server, `/v1/availability/stream?${query}`);
  try {
    let last = 0;
    for (let round = 0; round < 60; round++) {
      const lines = skus.map((sku) => ({ sku, location: 'leeds', quantity: 1 }));
      const { json } = await client.post('/v1/receipts', { lines }, { status: 201 });
      last = json.seq;
    }
    await good.wait(({ data }) => data.seq >= last, 'the last change at the good reader', 5000);
    for (const sku of skus) {
      await until(() => good.of(sku).at(-1)?.quantity === 100060, `the last state of ${sku}`, 5000);
    }
  } finally {
    good.close();
    deaf.forEach((socket) => socket.destroy());
  }
});

test('a stream ends in good order when the server does', async () => {
  const other = await startServer();
  const c = await api(other);
  await c.stock({ END: { leeds: 1 } });
  const stream = await openStream(other, '/v1/availability/stream?sku=END');
  await until(() => stream.of('END').length > 0, 'the snapshot');
  c.close();
  await stopServer(other);
  await until(() => stream.ended, 'the end of the stream');

  const again = await startServer({ data: other.data });
  const resumed = await openStream(again, '/v1/availability/stream?sku=END', { 'Last-Event-ID': stream.lastId });
  try {
    await sleep(300);
    const states = resumed.of('END');
    assert.ok(states.length === 0 || states.at(-1).quantity === 1, 'a resumed stream never goes back');
  } finally {
    resumed.close();
    await stopServer(again);
  }
});
