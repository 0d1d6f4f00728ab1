/*
 * What an operation costs: instructions and allocations, against the budgets of test/budget/budgets.json. More than 5 %
 * above is a failure; whoever makes something cheaper lowers its budget. Nothing here is timed.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { after, before, test } from 'node:test';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { BINARY, finish, newKey, startServer, temporaryDirectory, until } from './harness.mjs';
import { countProgram, countSince, readCounts, wrapper } from './callgrind.mjs';

const TOLERANCE = 1.05;
const DECISIONS = 64 * 300;
const SKUS = 100;
const READS = 500;
const RESERVATIONS = 200;
const BATCHES = 10;
const BATCH = 100;
const STREAMS = 200;
const CHANGES = 20;

const here = path.dirname(fileURLToPath(import.meta.url));
const budgets = JSON.parse(fs.readFileSync(path.join(here, '../budget/budgets.json'), 'utf8'));
const decisions = path.join(path.dirname(BINARY), 'test/budget/decisions');
const isSanitized = /lib[a-z]san\.so/.test(spawnSync('ldd', [BINARY], { encoding: 'utf8' }).stdout);
const skip = isSanitized ? 'a sanitizer has its own costs' : false;

const directory = temporaryDirectory();
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
let server;

function request(method, target, body) {
  const headers = body === undefined ? {} : { 'Content-Type': 'application/json', 'Idempotency-Key': newKey() };
  return new Promise((resolve, reject) => {
    const sent = http.request(server.url + target, { method, agent, headers }, (answer) => {
      answer.resume();
      answer.on('end', () => resolve(answer.statusCode));
    });
    sent.on('error', reject);
    sent.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

async function expect(status, method, target, body) {
  assert.equal(await request(method, target, body), status, `${method} ${target}`);
}

const sku = (i) => `item-${String(i % SKUS).padStart(4, '0')}`;
const line = (i) => ({ sku: sku(i), quantity: 1 });
const read = (i) => expect(200, 'GET', `/v1/availability/${sku(i)}`);
const reserve = (i) => expect(201, 'POST', '/v1/reservations', { lines: [line(i)] });
const batch = (i) => expect(200, 'POST', '/v1/batch', { operations: Array.from({ length: BATCH }, (_, n) => ({ op: 'reserve', lines: [line(i * BATCH + n)] })) });

async function stock() {
  const items = Array.from({ length: SKUS }, (_, i) => sku(i));
  await expect(200, 'POST', '/v1/batch', { operations: [
    { op: 'define_location', location: 'leeds', name: 'Leeds' },
    ...items.map((item) => ({ op: 'define_item', sku: item, name: item })),
    ...items.map((item) => ({ op: 'set', sku: item, location: 'leeds', expected_version: 0, on_hand: 1000000 })),
  ] });
}

async function repeat(count, operation) {
  for (let i = 0; i < count; i++) {
    await operation(i);
  }
}

function judge(name, { instructions, allocations }, operations) {
  const budget = budgets[name];
  const each = { instructions: Math.round(instructions / operations), allocations: Math.round(allocations / operations * 10) / 10 };
  console.log(`${name}: ${each.instructions} instructions (budget ${budget.instructions}), ${each.allocations} allocations (${budget.allocations})`);
  assert.ok(each.instructions <= budget.instructions * TOLERANCE, `${each.instructions} instructions are more than ${budget.instructions} and 5 %`);
  assert.ok(each.allocations <= budget.allocations * TOLERANCE, `${each.allocations} allocations are more than ${budget.allocations}`);
}

/* The first ones fill caches and tables. */
async function count(warmUp, operations, operation) {
  await repeat(warmUp, operation);
  countSince(directory, server.pid);
  await repeat(operations, operation);
  return countSince(directory, server.pid);
}

before(async () => {
  if (!skip) {
    server = await startServer({ wrap: wrapper(directory) });
    await stock();
  }
});

after(async () => {
  agent.destroy();
  if (!skip) {
    await finish(server);
  }
});

test('the counts of a callgrind file are read', () => {
  const text = 'fn=(1) main\n10 5\ncfn=(2) malloc\ncalls=3 0\n11 30\nfn=(2)\n1 30\nfn=(3) other\ncfn=(2)\ncalls=4 0\n1 9\ncfn=(1)\ncalls=7 0\n1 2\nsummary: 123\n';
  assert.deepEqual(readCounts(text), { instructions: 123, allocations: 7 });
});

test('a decision of the ledger', { skip }, () => {
  const few = countProgram(directory, decisions, String(DECISIONS));
  const many = countProgram(directory, decisions, String(2 * DECISIONS));
  judge('decision', { instructions: many.instructions - few.instructions, allocations: many.allocations - few.allocations }, DECISIONS);
});

test('a read of an availability over HTTP', { skip }, async () => {
  judge('read', await count(50, READS, read), READS);
});

test('a reservation that is alone in its commit', { skip }, async () => {
  judge('reservation alone in its commit', await count(20, RESERVATIONS, reserve), RESERVATIONS);
});

test('a reservation of a hundred in a batch', { skip }, async () => {
  judge('reservation of a batch of 100', await count(3, BATCHES, batch), BATCHES * BATCH);
});

test('a frame to one of two hundred streams', { skip }, async () => {
  let events = 0;
  const streams = Array.from({ length: STREAMS }, () => http.get(`${server.url}/v1/availability/stream?sku=${sku(0)}`, { agent: false }, (answer) => {
    answer.on('data', (bytes) => { events += bytes.toString('latin1').split('\ndata: ').length - 1; });
    answer.on('error', () => {});
  }).on('error', () => {}));
  const all = (n) => until(() => events >= n * STREAMS, `${n} events on each stream`, 60000);
  await all(1);
  const shown = events;
  let changes = 0;
  const change = async () => {
    await expect(201, 'POST', '/v1/adjustments', { lines: [{ sku: sku(0), location: 'leeds', quantity: 'on_hand', delta: 1 }], reason: 'counted' });
    changes++;
    await until(() => events >= shown + changes * STREAMS, 'each stream has the change', 60000);
  };
  const counts = await count(3, CHANGES, change);
  streams.forEach((stream) => stream.destroy());
  judge('frame to one of 200 streams', counts, CHANGES * STREAMS);
});
