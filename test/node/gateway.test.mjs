/*
 * The gateway of deploy/nginx, as a real nginx in front of two availability nodes with an inventory process and NATS behind them.
 * Who a client is, is decided by its address: 127.0.0.1 is the shop, 127.0.0.2 the public, 127.0.0.3 trusted.
 */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';
import path from 'node:path';
import tls from 'node:tls';
import zlib from 'node:zlib';
import { after, before, test } from 'node:test';
import { Gateway } from '../../demo/gateway.mjs';
import { Process, freePort, until } from '../../demo/processes.mjs';
import { BINARY, newKey, send, temporaryDirectory } from './harness.mjs';

const SHOP = '127.0.0.1';
const PUBLIC = '127.0.0.2';
const TRUSTED = '127.0.0.3';
const READS_BURST = 200;
const WRITES_BURST = 50;
const STREAMS_MAX = 100;
/* So slow that no test waits until one more is let through. */
const SITE = [
  ['    10.0.0.0/8   shop;\n    127.0.0.0/8  trusted;\n', `    ${SHOP}/32 shop;\n    ${TRUSTED}/32 trusted;\n`],
  ['rate=200r/s', 'rate=1r/m'],
  ['rate=50r/s', 'rate=1r/m'],
];

const root = temporaryDirectory();
const all = [];
const nodes = [];
let gateway;

function run(name, argv) {
  const one = new Process(name, argv);
  all.push(one);
  one.start();
  return one;
}

const answersReady = async (node) => {
  try {
    return (await send(node, 'GET', '/readyz')).status === 200;
  } catch {
    return false;
  }
};

async function startNode(name, bus, args) {
  const port = await freePort();
  const argv = [BINARY, ...args, '--host', '127.0.0.1', '--port', String(port), '--data', path.join(root, name), '--node', name, '--bus', bus];
  const node = { port, process: run(name, argv) };
  await until(() => answersReady(node), name);
  return node;
}

async function begin() {
  const natsPort = await freePort();
  const nats = run('nats', ['nats-server', '-a', '127.0.0.1', '-p', String(natsPort), '-js', '-sd', path.join(root, 'nats')]);
  await until(() => /Server is ready/.test(nats.log), 'NATS');
  const bus = `nats://127.0.0.1:${natsPort}`;
  const inventory = await startNode('i1', bus, ['inventory']);
  for (const name of ['a1', 'a2']) {
    nodes.push(await startNode(name, bus, ['availability', '--inventory', `http://127.0.0.1:${inventory.port}`]));
  }
  fs.chmodSync(root, 0o755);
  const gatewayRoot = path.join(root, 'nginx');
  fs.mkdirSync(gatewayRoot, { mode: 0o755 });
  gateway = await Gateway.start({ root: gatewayRoot, nodes, edits: SITE });
  all.push(gateway.process);
}

async function end() {
  for (const one of all.reverse()) {
    await one.kill(one.name === 'nginx' ? 'SIGTERM' : 'SIGKILL');
  }
}

before(async () => {
  try {
    await begin();
    await write('PUT', '/v1/locations/leeds', { name: 'Leeds' });
    await write('PUT', '/v1/items/GATE', { name: 'Gate' });
    await write('POST', '/v1/receipts', { lines: [{ sku: 'GATE', location: 'leeds', quantity: 1000 }] });
  } catch (error) {
    const said = all.map(({ name, log }) => `==== ${name}\n${log.slice(-1000)}`).join('\n');
    await end();
    throw new Error(`${error.message}\n${said}`, { cause: error });
  }
});

after(end);

/* ---- Clients ---- */

const agent = new https.Agent({ keepAlive: true, maxSockets: 64 });
after(() => agent.destroy());

/* One request over TLS; `from` is the client's address. */
function ask(method, target, { from = SHOP, headers = {}, body, signal } = {}) {
  const options = { host: '127.0.0.1', port: gateway.port, servername: 'localhost', ca: gateway.certificate, localAddress: from, agent,
    method, path: target, headers, signal };
  return new Promise((resolve, reject) => {
    const request = https.request(options, (response) => {
      const chunks = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const bytes = Buffer.concat(chunks);
        const json = /json/.test(response.headers['content-type'] ?? '') && response.headers['content-encoding'] === undefined && bytes.length > 0
          ? JSON.parse(bytes) : undefined;
        resolve({ status: response.statusCode, headers: response.headers, bytes, json });
      });
    });
    request.on('error', reject);
    request.end(body);
  });
}

/* A write of the shop's own that must be done. */
async function write(method, target, content, { from = TRUSTED, headers = {}, status } = {}) {
  const body = JSON.stringify(content);
  const all = { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body), 'Idempotency-Key': newKey(), ...headers };
  const answer = await ask(method, target, { from, headers: all, body });
  if (status === undefined) {
    assert.ok(answer.status === 200 || answer.status === 201, `${method} ${target}: ${answer.status} ${answer.bytes}`);
  } else {
    assert.equal(answer.status, status, `${method} ${target}: ${answer.bytes}`);
  }
  return answer;
}

const reserve = (more) => write('POST', '/v1/reservations', { lines: [{ sku: 'GATE', quantity: 1 }] }, more);

function assertProblem(answer, status, code) {
  assert.equal(`${answer.status} ${answer.json?.code}`, `${status} ${code}`, String(answer.bytes).slice(0, 500));
  assert.equal(answer.headers['content-type'], 'application/problem+json');
  assert.equal(answer.json.status, status);
  assert.equal(answer.json.instance ?? answer.headers['x-request-id'], answer.headers['x-request-id']);
  assert.equal(answer.headers['x-content-type-options'], 'nosniff');
}

/* ---- TLS ---- */

const shakeHands = (versions) => new Promise((resolve, reject) => {
  const socket = tls.connect({ host: '127.0.0.1', port: gateway.port, servername: 'localhost', ca: gateway.certificate, ...versions }, () => {
    resolve(socket.getProtocol());
    socket.destroy();
  });
  socket.on('error', reject);
});

test('TLS 1.2 and 1.3 are spoken, 1.1 is not', async () => {
  for (const version of ['TLSv1.2', 'TLSv1.3']) {
    assert.equal(await shakeHands({ minVersion: version, maxVersion: version }), version);
  }
  await assert.rejects(shakeHands({ minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' }));
});

test('HTTP/2 is spoken', async () => {
  const session = http2.connect(`https://localhost:${gateway.port}`, { ca: gateway.certificate });
  const stream = session.request({ ':path': '/v1/availability/GATE' });
  let text = '';
  const headers = await new Promise((resolve, reject) => {
    session.on('error', reject);
    stream.on('error', reject);
    stream.on('response', resolve);
  });
  for await (const chunk of stream) {
    text += chunk;
  }
  session.close();
  assert.equal(headers[':status'], 200);
  assert.equal(JSON.parse(text).sku, 'GATE');
});

test('plain HTTP is sent to TLS, method and all', async () => {
  const answer = await send({ port: gateway.redirectPort }, 'POST', '/v1/reservations?x=1', { headers: { Host: 'shop.example.com' }, body: '{}' });
  assert.equal(answer.status, 308);
  assert.equal(answer.headers.location, 'https://shop.example.com/v1/reservations?x=1');
});

/* ---- What goes through ---- */

test('a write is forwarded to inventory, and read again through the other node', async () => {
  const { status, headers, json } = await reserve();
  assert.equal(status, 201);
  assert.equal(json.state, 'held');
  const seq = headers['onhand-seq'];
  for (let i = 0; i < 4; i++) {
    const read = await ask('GET', `/v1/availability/GATE?min_seq=${seq}&channel=default`, { from: TRUSTED });
    assert.equal(read.status, 200);
    assert.ok(Number(read.headers['onhand-seq']) >= Number(seq));
  }
});

test('the same key is the same reservation through the gateway', async () => {
  const key = newKey();
  const first = await reserve({ headers: { 'Idempotency-Key': key } });
  const second = await reserve({ headers: { 'Idempotency-Key': key } });
  assert.deepEqual(second.json, first.json);
  assert.equal(second.headers['idempotent-replayed'], 'true');
});

test('answers have safe headers and one request id', async () => {
  const { headers } = await ask('GET', '/v1/availability/GATE', { headers: { 'X-Request-Id': 'order-17' } });
  assert.equal(headers['x-request-id'], 'order-17');
  assert.equal(headers['x-content-type-options'], 'nosniff');
  assert.equal(headers['x-frame-options'], 'DENY');
  assert.match(headers['strict-transport-security'], /max-age=\d+/);
  assert.equal(headers.server, 'nginx');
  const own = await ask('GET', '/v1/availability/GATE', { headers: { 'X-Request-Id': 'not a "token"' } });
  assert.match(own.headers['x-request-id'], /^[0-9a-f]{32}$/);
});

test('availability is kept for a second, with its ETag, and min_seq is a question of its own', async () => {
  const [first, second] = await Promise.all([1, 2].map(() => ask('GET', '/v1/availability?sku=GATE&sku=NONE')));
  assert.deepEqual(first.json, second.json);
  const read = await ask('GET', '/v1/availability/GATE');
  const same = await ask('GET', '/v1/availability/GATE', { headers: { 'If-None-Match': read.headers.etag } });
  assert.equal(same.status, 304);
  const written = await reserve();
  const fresh = await ask('GET', `/v1/availability/GATE?min_seq=${written.headers['onhand-seq']}`);
  assert.ok(Number(fresh.headers['onhand-seq']) >= Number(written.headers['onhand-seq']));
  await until(() => gateway.accessLog.some(({ cache }) => cache === 'HIT'), 'a hit in the access log');
  const later = await until(async () => {
    const answer = await ask('GET', '/v1/availability/GATE', { from: TRUSTED });
    return answer.headers.etag === fresh.headers.etag ? answer : null;
  }, 'the kept answer to end');
  assert.deepEqual(later.json, fresh.json);
});

test('an answer that is stale, or none at all, is not kept', async () => {
  assertProblem(await ask('GET', '/v1/availability/LATER'), 404, 'not_found');
  await write('PUT', '/v1/items/LATER', { name: 'Later' });
  await until(async () => (await ask('GET', '/v1/availability/LATER', { from: TRUSTED })).status === 200, 'the new item');
});

test('large JSON is compressed, levels are not: their ETag is for If-Match', async () => {
  const headers = { 'Accept-Encoding': 'gzip' };
  const document = await ask('GET', '/openapi.json', { headers });
  assert.equal(document.headers['content-encoding'], 'gzip');
  assert.match(JSON.parse(zlib.gunzipSync(document.bytes)).openapi, /^3\.1/);
  const level = await ask('GET', '/v1/levels/GATE/leeds', { headers });
  assert.match(level.headers.etag, /^"\d+"$/);
  await write('PUT', '/v1/levels/GATE/leeds', { safety_stock: 1 }, { headers: { 'If-Match': level.headers.etag }, status: 200 });
  await write('PUT', '/v1/levels/GATE/leeds', { safety_stock: 2 }, { headers: { 'If-Match': level.headers.etag }, status: 412 });
});

/* ---- Streams ---- */

function follow(sku, from = SHOP) {
  const options = { host: '127.0.0.1', port: gateway.port, servername: 'localhost', ca: gateway.certificate, localAddress: from,
    path: `/v1/availability/stream?sku=${sku}`, headers: { 'Accept-Encoding': 'gzip' }, agent: false };
  const stream = { text: '', over: false, status: null };
  stream.request = https.get(options, (response) => {
    Object.assign(stream, { status: response.statusCode, headers: response.headers });
    response.setEncoding('utf8').on('data', (text) => {
      stream.text += text;
    });
    response.on('close', () => {
      stream.over = true;
    });
  });
  stream.request.on('error', () => {
    stream.over = true;
  });
  return stream;
}

test('an event arrives while its request is open', async () => {
  const stream = follow('GATE');
  await until(() => /"sku":"GATE"/.test(stream.text), 'the first event');
  assert.equal(stream.headers['content-type'], 'text/event-stream');
  assert.equal(stream.headers['content-encoding'], undefined);
  /* The epoch is inventory's, so that an id from before the store was replaced is known as such. */
  assert.match(stream.text, /^id: 1-\d+$/m);
  for (let i = 0; i < 3; i++) {
    const before = stream.text.length;
    await reserve();
    await until(() => /data:/.test(stream.text.slice(before)), 'the next event');
    assert.ok(!stream.over, 'the stream is open');
  }
  stream.request.destroy();
});

/* ---- What does not go through ---- */

test('a body that is too large is refused as Onhand refuses it', async () => {
  const large = Buffer.alloc(64 * 1024 + 1, ' ');
  const headers = { 'Content-Type': 'application/json', 'Idempotency-Key': newKey() };
  const refused = await ask('POST', '/v1/reservations', { from: TRUSTED, headers: { ...headers, 'Content-Length': large.length }, body: large });
  assertProblem(refused, 413, 'too_large');
  const batch = Buffer.from(JSON.stringify({ operations: [{ op: 'define_item', sku: 'LARGE', name: 'Large' }] }).padEnd(1024 * 1024, ' '));
  const taken = await ask('POST', '/v1/batch', { from: TRUSTED, headers: { ...headers, 'Content-Length': batch.length }, body: batch });
  assert.equal(taken.status, 200, String(taken.bytes));
  const larger = Buffer.concat([batch, Buffer.from(' ')]);
  const tooMuch = await ask('POST', '/v1/batch', { from: TRUSTED, headers: { ...headers, 'Content-Length': larger.length }, body: larger });
  assertProblem(tooMuch, 413, 'too_large');
});

test('the public reads availability and nothing else', async () => {
  assert.equal((await ask('GET', '/v1/availability/GATE', { from: PUBLIC })).status, 200);
  assert.equal((await ask('GET', '/v1/availability?sku=GATE', { from: PUBLIC })).status, 200);
  for (const target of ['/', '/v1/levels/GATE', '/v1/movements', '/v1/snapshot', '/v1/reservations']) {
    assertProblem(await ask('GET', target, { from: PUBLIC }), 403, 'forbidden');
  }
  for (const [method, target] of [['POST', '/v1/reservations'], ['PUT', '/v1/levels/GATE/leeds'], ['POST', '/v1/batch'], ['POST', '/v1/receipts']]) {
    const headers = { 'Content-Type': 'application/json', 'Content-Length': 2, 'Idempotency-Key': newKey() };
    assertProblem(await ask(method, target, { from: PUBLIC, headers, body: '{}' }), 403, 'forbidden');
  }
});

test('how a node is, is not shown outside', async () => {
  for (const target of ['/metrics', '/readyz', '/livez']) {
    assertProblem(await ask('GET', target, { from: TRUSTED }), 404, 'not_found');
  }
});

test('problems of the gateway have pages, and others theirs', async () => {
  for (const page of ['too-many-requests', 'no-node', 'forbidden', 'insufficient-stock']) {
    assert.equal((await ask('GET', `/problems/${page}`)).status, 200, page);
  }
  assert.equal((await ask('GET', '/problems/nonsense')).status, 404);
});

/* A whole burst and some more; what is let through is counted. */
async function flood(count, one) {
  const answers = await Promise.all(Array.from({ length: count }, one));
  const refused = answers.filter(({ status }) => status === 429);
  refused.forEach((answer) => {
    assertProblem(answer, 429, 'too_many_requests');
    assert.equal(answer.headers['retry-after'], '1');
    assert.equal(answer.json.retryable, true);
  });
  return { passed: count - refused.length, refused: refused.length };
}

test('who asks for too much gets 429, reads and writes apart, and the trusted are not limited', async () => {
  const read = (from) => () => ask('GET', '/v1/availability/GATE', { from });
  const order = (from) => () => {
    const body = '{"lines":[{"sku":"GATE","quantity":1}]}';
    return ask('POST', '/v1/reservations', { from, body,
      headers: { 'Content-Type': 'application/json', 'Content-Length': body.length, 'Idempotency-Key': newKey() } });
  };
  const writes = await flood(WRITES_BURST + 20, order(SHOP));
  assert.ok(writes.passed <= WRITES_BURST + 2 && writes.refused >= 18, JSON.stringify(writes));
  const reads = await flood(READS_BURST + 50, read(PUBLIC));
  assert.ok(reads.passed <= READS_BURST + 2 && reads.passed > 100 && reads.refused >= 48, JSON.stringify(reads));
  assert.deepEqual(await flood(READS_BURST + 50, read(TRUSTED)), { passed: READS_BURST + 50, refused: 0 });
  assert.deepEqual(await flood(WRITES_BURST + 20, order(TRUSTED)), { passed: WRITES_BURST + 20, refused: 0 });
});

test('one address keeps only so many streams open', async () => {
  const from = '127.0.0.4';
  const streams = Array.from({ length: STREAMS_MAX }, () => follow('GATE', from));
  await until(() => streams.every(({ status }) => status === 200), 'the streams');
  assertProblem(await ask('GET', '/v1/availability/GATE', { from }), 429, 'too_many_requests');
  streams.forEach(({ request }) => request.destroy());
  await until(async () => (await ask('GET', '/v1/availability/GATE', { from })).status === 200, 'the streams to be forgotten');
});

test('the access log says what was done, and nothing about who did it', async () => {
  const id = 'log-1';
  await ask('GET', '/v1/availability/GATE?channel=default', { from: PUBLIC, headers: { 'X-Request-Id': id } });
  const row = await until(() => gateway.accessLog.find(({ request_id }) => request_id === id), 'the row of the access log');
  assert.equal(row.method, 'GET');
  assert.equal(row.path, '/v1/availability/GATE');
  assert.ok([200, 429].includes(row.status), 'the public may have used up its burst');
  assert.equal(row.client, 'public');
  assert.ok(!JSON.stringify(row).includes(PUBLIC), 'no address');
});

/* ---- Nodes that are gone; the last tests ---- */

test('a node is killed: the other answers, reads and writes', async () => {
  await nodes[0].process.kill('SIGKILL');
  for (let i = 0; i < 20; i++) {
    assert.equal((await ask('GET', `/v1/availability/GATE?min_seq=${i}`, { from: TRUSTED })).status, 200);
    assert.equal((await reserve()).status, 201);
  }
});

test('a write that broke off is not sent a second time', async () => {
  const seen = [];
  const cutter = http.createServer((request) => {
    seen.push(`${request.method} ${request.url}`);
    request.socket.destroy();
  });
  await new Promise((resolve) => { cutter.listen(nodes[0].port, '127.0.0.1', resolve); });
  try {
    const level = await ask('GET', '/v1/levels/GATE/leeds', { from: TRUSTED });
    await meetsCutter(seen, 'POST', '/v1/reservations', { lines: [{ sku: 'GATE', quantity: 1 }] });
    await meetsCutter(seen, 'PUT', '/v1/levels/GATE/leeds', { safety_stock: 1 }, { 'If-Match': level.headers.etag });
  } finally {
    cutter.closeAllConnections();
    await new Promise((resolve) => { cutter.close(resolve); });
  }
});

/* Sends until it comes to the node that breaks off: the gateway leaves that one alone for 2 seconds at a time. */
async function meetsCutter(seen, method, target, content, headers = {}) {
  const body = JSON.stringify(content);
  const all = { 'Content-Type': 'application/json', 'Content-Length': body.length, 'Idempotency-Key': newKey(), ...headers };
  const broken = await until(async () => {
    const answer = await ask(method, target, { from: TRUSTED, body, headers: all });
    return answer.status >= 500 ? answer : null;
  }, `a ${method} to meet the node that breaks off`);
  assertProblem(broken, 503, 'outcome_unknown');
  assert.equal(broken.headers['retry-after'], '1');
  assert.ok(seen.includes(`${method} ${target}`));
}

test('without any node the answer is a problem that may be tried again', async () => {
  await nodes[1].process.kill('SIGKILL');
  const read = await until(async () => {
    const answer = await ask('GET', `/v1/availability/GATE?min_seq=1`, { from: TRUSTED });
    return answer.status === 503 ? answer : null;
  }, 'the kept answers to end');
  assertProblem(read, 503, 'no_node');
  assertProblem(await reserve({ status: 503 }), 503, 'outcome_unknown');
});
