/* The process: health, metrics, pages about problems, command line, the end under load. */
import assert from 'node:assert/strict';
import http from 'node:http';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { after, before, test } from 'node:test';
import { api, auditClean, finish, newKey, onhand, send, sleep, startServer, until } from './harness.mjs';

let server;
let client;

before(async () => {
  server = await startServer();
  client = await api(server);
  await client.stock({ SVC: { leeds: 100000 } });
});

after(async () => {
  client.close();
  await finish(server);
});

/* Prometheus text as a map from `name{labels}` to the value; anything else in it fails. */
function parseMetrics(text) {
  const samples = new Map();
  const types = new Map();
  for (const line of text.split('\n').filter((l) => l !== '')) {
    const type = /^# TYPE ([a-z_:][a-z0-9_:]*) (counter|gauge|histogram|summary|untyped)$/.exec(line);
    if (type !== null) {
      assert.ok(!types.has(type[1]), `${type[1]} has one type`);
      types.set(type[1], type[2]);
      continue;
    }
    if (line.startsWith('# HELP ')) {
      continue;
    }
    const sample = /^([a-z_:][a-z0-9_:]*)(\{(?:[a-z_][a-z0-9_]*="(?:[^"\\\n]|\\.)*",?)*\})? (-?[0-9.e+-]+|\+Inf|NaN)$/i.exec(line);
    assert.ok(sample !== null, `not a sample: ${line}`);
    const family = sample[1].replace(/_(bucket|sum|count)$/, '');
    assert.ok(types.has(sample[1]) || types.has(family), `${sample[1]} has a type`);
    const key = `${sample[1]}${sample[2] ?? ''}`;
    assert.ok(!samples.has(key), `${key} comes once`);
    samples.set(key, Number(sample[3]));
  }
  return { samples, types };
}

async function metrics() {
  const answer = await client.get('/metrics', { status: 200 });
  assert.match(answer.headers['content-type'], /^text\/plain; ?version=0\.0\.4/);
  return parseMetrics(answer.text);
}

/* The sum over the samples whose name and labels match. */
const total = ({ samples }, pattern) => [...samples].filter(([key]) => pattern.test(key)).reduce((sum, [, value]) => sum + value, 0);

test('a live and ready server says so', async () => {
  assert.equal((await client.get('/livez', { status: 200 })).json.status, 'pass');
  assert.equal((await client.get('/readyz', { status: 200 })).json.status, 'pass');
});

test('metrics count what was done', async () => {
  const before = await metrics();
  for (let i = 0; i < 7; i++) {
    await client.reserve([{ sku: 'SVC', quantity: 1 }], {}, { status: 201 });
  }
  for (let i = 0; i < 3; i++) {
    await client.reserve([{ sku: 'SVC', quantity: 1000000 }], {}, { status: 409 });
  }
  const now = await metrics();
  const grown = (pattern) => total(now, pattern) - total(before, pattern);
  assert.equal(grown(/reservations_total\{.*"ok"/), 7);
  assert.equal(grown(/reservations_total\{.*"insufficient_stock"/), 3);
  assert.ok(grown(/http_requests?_.*(count|total).*201/) >= 7 || grown(/http_request_duration_seconds_count/) >= 10, 'requests are counted');
});

test('histograms are cumulative and end with +Inf', async () => {
  const { samples, types } = await metrics();
  const histograms = [...types].filter(([, type]) => type === 'histogram').map(([name]) => name);
  assert.ok(histograms.length >= 3, histograms.join(' '));
  const series = new Map();
  for (const [key, value] of samples) {
    const found = /^(.*)_bucket\{(.*?),?le="([^"]*)"\}$/.exec(key);
    if (found !== null) {
      const name = `${found[1]}{${found[2]}}`;
      series.set(name, [...(series.get(name) ?? []), [found[3], value, found[1], found[2]]]);
    }
  }
  assert.ok(series.size > 0);
  for (const [name, buckets] of series) {
    assert.equal(buckets.at(-1)[0], '+Inf', name);
    buckets.forEach(([, value], i) => assert.ok(i === 0 || value >= buckets[i - 1][1], `${name} rises`));
    const [, infinite, family, labels] = buckets.at(-1);
    assert.equal(samples.get(`${family}_count${labels === '' ? '' : `{${labels}}`}`), infinite, `${name} counts what it holds`);
  }
});

test('a page explains every code', async () => {
  const here = path.dirname(fileURLToPath(import.meta.url));
  const rows = readFileSync(path.join(here, '../../src/base/errors.def'), 'utf8');
  const codes = [...rows.matchAll(/^ERR\([A-Z_]+,\s*\d+,\s*\w+,\s*"([a-z_]+)",\s*"([^"]+)"/gm)];
  assert.ok(codes.length >= 30);
  for (const [, code, title] of codes) {
    const page = await send(server, 'GET', `/problems/${code.replaceAll('_', '-')}`);
    assert.equal(page.status, 200, `/problems/${code.replaceAll('_', '-')}`);
    assert.ok(page.text.includes(title), `the page of ${code} has its title`);
  }
});

test('the type of a problem leads to its page', async () => {
  const { json } = await client.get('/v1/items/none', { status: 404 });
  const page = await send(server, 'GET', new URL(json.type, server.url).pathname);
  assert.equal(page.status, 200);
  assert.match(page.headers['content-type'], /^text\/html/);
});

test('every answer carries safe headers and a request id', async () => {
  for (const target of ['/', '/v1/items/none', '/v1/levels/SVC']) {
    const { headers } = await send(server, 'GET', target);
    assert.equal(headers['x-content-type-options'], 'nosniff', target);
    assert.ok(headers['x-request-id'], target);
    assert.equal(headers['access-control-allow-origin'], undefined);
  }
  const { headers } = await send(server, 'GET', '/');
  assert.match(headers['content-security-policy'], /default-src 'self'/);
});

test('the command line explains itself and refuses what it does not know', () => {
  const help = onhand('--help');
  assert.equal(help.status, 0);
  for (const command of ['serve', 'demo', 'audit']) {
    assert.match(help.stdout, new RegExp(`\\b${command}\\b`));
    const one = onhand('help', command);
    assert.equal(one.status, 0);
    assert.ok(one.stdout.length > 50);
  }
  assert.notEqual(onhand('nonsense').status, 0);
  const flag = onhand('serve', '--nonsense');
  assert.notEqual(flag.status, 0);
  assert.match(flag.stderr, /--nonsense/);
  assert.notEqual(onhand('serve', '--port', '70000').status, 0);
});

test('a data directory has one owner', async () => {
  const second = onhand('serve', '--port', '0', '--data', server.data);
  assert.notEqual(second.status, 0);
  assert.match(second.stderr + second.stdout, /in use|lock/i);
  await client.get('/readyz', { status: 200 });
});

test('the audit refuses a directory that holds no store', () => {
  const { status } = onhand('audit', '--data', '/nonexistent-onhand');
  assert.notEqual(status, 0);
});

/* Reservations from `connections` clients until `stopped()`; remembers what was acknowledged, what not. */
function load(target, connections, stopped) {
  const seen = { acknowledged: [], refused: 0, broken: 0, other: [] };
  const agent = new http.Agent({ keepAlive: true, maxSockets: connections });
  const body = JSON.stringify({ lines: [{ sku: 'SVC', quantity: 1 }] });
  const one = async () => {
    while (!stopped()) {
      const headers = { 'Content-Type': 'application/json', 'Idempotency-Key': newKey(), 'Content-Length': body.length };
      try {
        const { status, text } = await send(target, 'POST', '/v1/reservations', { headers, body, agent });
        if (status === 201) {
          seen.acknowledged.push(JSON.parse(text).id);
        } else if (status === 503) {
          seen.refused++;
        } else {
          seen.other.push(`${status} ${text}`);
        }
      } catch {
        seen.broken++;
        await sleep(5);
      }
    }
  };
  seen.done = Promise.all(Array.from({ length: connections }, one)).then(() => agent.destroy());
  return seen;
}

test('SIGTERM under load ends with 0 and loses nothing that was acknowledged', async () => {
  const other = await startServer();
  const first = await api(other);
  await first.stock({ SVC: { leeds: 1000000 } });
  let stop = false;
  const seen = load(other, 32, () => stop);
  await until(() => seen.acknowledged.length > 200, 'some load');
  other.child.kill('SIGTERM');
  const { code, signal } = await other.exited;
  stop = true;
  await seen.done;
  first.close();
  assert.deepEqual({ code, signal }, { code: 0, signal: null }, other.output);
  assert.deepEqual(seen.other, []);
  auditClean(other.data);

  const again = await startServer({ data: other.data });
  const second = await api(again);
  const stored = new Set((await second.walk('/v1/reservations')).map(({ id }) => id));
  assert.deepEqual(seen.acknowledged.filter((id) => !stored.has(id)), [], 'every acknowledged reservation is there');
  second.close();
  await finish(again);
});

test('far more clients than usual are all answered, at once or with Retry-After', async () => {
  const answers = [];
  const agent = new http.Agent({ keepAlive: true, maxSockets: 400 });
  const lines = Array.from({ length: 100 }, () => ({ sku: 'SVC', location: 'leeds', quantity: 1 }));
  const body = JSON.stringify({ lines });
  const one = async () => {
    for (let i = 0; i < 5; i++) {
      const headers = { 'Content-Type': 'application/json', 'Idempotency-Key': newKey(), 'Content-Length': body.length };
      answers.push(await send(server, 'POST', '/v1/receipts', { headers, body, agent }));
    }
  };
  await Promise.all(Array.from({ length: 400 }, one));
  agent.destroy();
  for (const { status, headers, text } of answers) {
    assert.ok(status === 201 || status === 503, text);
    assert.ok(status === 201 || Number(headers['retry-after']) >= 1);
  }
  assert.ok(answers.filter(({ status }) => status === 201).length > 0);
});
