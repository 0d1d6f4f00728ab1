/*
 * One call of the program to the kernel fails, or is the last one it makes: a fixed script of requests runs under
 * strace, which injects the fault. countCalls() says which calls there are, runBoundary() fails one of them and holds
 * what the script knows against what the next start finds.
 */
import { spawn } from 'node:child_process';
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { api, auditClean, killServer, startServer, stopServer, temporaryDirectory, until } from './harness.mjs';

const CALLS = ['write', 'pwrite64', 'fsync', 'fdatasync', 'ftruncate', 'rename', 'unlink'];
const FILES = ['', '/lock', '/onhand.db', '/onhand.db-journal', '/onhand.db-wal', '/onhand.db-shm'];
const WAL_BYTES_BEFORE = 3900 * 4120; /* the script's own writes pass the mark at which the log is moved */
const EXIT_MS_MAX = 15000;
/* store failed while running; data directory cannot be opened */
const FAIL_STOP = [70, 73];
const SKUS = ['F-0', 'F-1', 'F-2'];

/* ---- The script ---- */

const reserve = (name, lines) => ({ name, target: '/v1/reservations', body: { lines, ttl_s: 86400 }, status: 201 });
const act = (of, verb, body = {}) => ({ target: ({ [of]: made }) => `/v1/reservations/${made.id}/${verb}`, body, status: 200 });
const adjust = (sku, delta, status = 201) =>
  ({ target: '/v1/adjustments', body: { lines: [{ sku, location: 'leeds', quantity: 'on_hand', delta }], reason: 'script' }, status });
const line = (sku, quantity) => ({ sku, quantity });

function script() {
  const steps = [];
  for (const i of [0, 1, 2, 3]) {
    const [a, b] = [SKUS[i % 3], SKUS[(i + 1) % 3]];
    steps.push(
      reserve(`sold${i}`, [line(a, 3), line(b, 1)]), act(`sold${i}`, 'commit'), act(`sold${i}`, 'fulfill', { lines: [line(a, 2)] }),
      act(`sold${i}`, 'fulfill'), act(`sold${i}`, 'return', { lines: [line(a, 1)] }),
      reserve(`released${i}`, [line(b, 2)]), act(`released${i}`, 'extend', { ttl_s: 86400 }), act(`released${i}`, 'release'),
      { method: 'PUT', target: `/v1/items/F-${i % 3}`, body: { name: `Name ${i}` }, status: 200 },
      adjust(a, i % 2 === 0 ? 7 : -4));
  }
  steps.push(
    adjust('F-0', -1000000, 409), reserve('kept', [line('F-2', 5)]), reserve('cancelled', [line('F-0', 1)]),
    act('cancelled', 'commit'), act('cancelled', 'cancel'),
    { target: '/v1/receipts', body: { lines: [{ ...line('F-1', 9), location: 'york' }] }, status: 201 },
    { target: '/v1/transfers', body: { from: 'leeds', to: 'york', lines: [line('F-1', 4)] }, status: 201 });
  return steps;
}

export const STEPS = script();

/* What one run of the script was told: the answer of each step, and what the steps made. */
const newRun = () => ({ answers: [], made: {} });

async function ask(client, run, i) {
  const { method = 'POST', target, body, name, status } = STEPS[i];
  const at = typeof target === 'function' ? target(run.made) : target;
  const answer = await client.request(method, at, { body, key: method === 'POST' ? `step-${i}` : null });
  if (answer.status !== 503) {
    assert.equal(answer.status, status, `step ${i}: ${answer.text}`);
    run.made[name ?? i] = answer.json;
  }
  return answer;
}

/* Runs until the end or until the server is gone. A 503 asks again: the fault comes once. */
async function runScript(server, run) {
  const client = await api(server);
  try {
    while (run.answers.length < STEPS.length) {
      const answer = await ask(client, run, run.answers.length);
      if (answer.status !== 503) {
        run.answers.push(answer);
      }
    }
  } catch (error) {
    if (error.code === 'ERR_ASSERTION') {
      throw error;
    }
  } finally {
    client.close();
  }
}

/* ---- strace ---- */

function straceArguments(data, log, inject) {
  const paths = FILES.flatMap((file) => ['-P', `${data}${file}`]);
  return ['-f', '-y', '-s', '0', '-o', log, '-e', `trace=${CALLS}`, ...paths, ...(inject === undefined ? [] : ['-e', `inject=${inject}`])];
}

/* Follows a running server; resolves when it does. */
async function attach(server, args) {
  const child = spawn('strace', [...args, '-p', String(server.pid)], { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.on('data', (chunk) => {
    said += chunk;
  });
  const ended = new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  await until(() => /attached/.test(said), 'strace follows the server');
  return { ended };
}

/* ---- The phases: each gives how the server ended ---- */

const asEnd = (error) => {
  const found = /ended with (\w+)/.exec(error.message);
  if (found === null) {
    throw error;
  }
  return /^SIG/.test(found[1]) ? { code: null, signal: found[1] } : { code: Number(found[1]), signal: null };
};

/* The server ends by itself, or by our kill when it goes on. */
async function endOf(server, goesOn) {
  if (goesOn) {
    await killServer(server);
    return null;
  }
  const late = setTimeout(() => server.child.kill('SIGABRT'), EXIT_MS_MAX);
  const end = await server.exited;
  clearTimeout(late);
  return end;
}

const PHASES = {
  async start(data, args, run) {
    let server;
    try {
      server = await startServer({ data, wrap: ['strace', '-D', ...args] });
    } catch (error) {
      return asEnd(error);
    }
    await runScript(server, run);
    return endOf(server, run.answers.length === STEPS.length);
  },
  async script(data, args, run) {
    const server = await startServer({ data });
    const tracer = await attach(server, args);
    await runScript(server, run);
    const end = await endOf(server, run.answers.length === STEPS.length);
    await tracer.ended;
    return end;
  },
  async stop(data, args, run) {
    const server = await startServer({ data });
    await runScript(server, run);
    const tracer = await attach(server, args);
    server.child.kill('SIGTERM');
    const end = await endOf(server, false);
    await tracer.ended;
    return end.code === 0 ? null : end;
  },
};

/* ---- What the world is like when the script is through ---- */

async function summary(client) {
  const levels = {};
  for (const sku of SKUS) {
    const { json } = await client.get(`/v1/levels/${sku}`, { status: 200 });
    levels[sku] = json.levels.map(({ location, version, on_hand, reserved, committed, damaged }) =>
      ({ location, version, on_hand, reserved, committed, damaged }));
  }
  const items = (await client.walk('/v1/items')).map(({ sku, name }) => `${sku} ${name}`);
  const reservations = (await client.walk('/v1/reservations')).map(({ state }) => state);
  return { levels, items, reservations, movements: (await client.walk('/v1/movements')).length };
}

/* Every answer that was given is given again byte by byte; what had none has one effect, however often it is asked. */
async function goOn(client, run) {
  const given = run.answers.splice(0);
  for (let i = 0; i < STEPS.length; i++) {
    const answer = await ask(client, run, i);
    const before = given[i] ?? answer;
    const again = given[i] === undefined ? await ask(client, run, i) : answer;
    if (STEPS[i].method !== 'PUT') {
      assert.equal(again.headers['idempotent-replayed'], 'true', `step ${i} was done already`);
      assert.deepEqual([again.status, again.text], [before.status, before.text], `step ${i} answers as before`);
    }
  }
}

async function settle(data, run) {
  const server = await startServer({ data });
  const client = await api(server);
  await goOn(client, run);
  const found = await summary(client);
  client.close();
  await stopServer(server);
  auditClean(data);
  return found;
}

/* ---- What is exported ---- */

/* Data with stock and a long write-ahead log, as a kill leaves it. */
export async function makeFixture() {
  const data = temporaryDirectory();
  const server = await startServer({ data });
  const client = await api(server);
  await client.stock(Object.fromEntries(SKUS.map((sku) => [sku, { leeds: 1000, york: 1000 }])));
  while (fs.statSync(`${data}/onhand.db-wal`).size < WAL_BYTES_BEFORE) {
    await Promise.all(SKUS.map((sku) => client.post('/v1/adjustments', adjust(sku, 1).body, { status: 201 })));
  }
  for (const [sku, on_hand] of SKUS.map((sku) => [sku, 1000])) {
    const level = await client.get(`/v1/levels/${sku}/leeds`);
    await client.put(`/v1/levels/${sku}/leeds`, { on_hand }, { headers: { 'If-Match': level.headers.etag }, status: 200 });
  }
  client.close();
  await killServer(server);
  return data;
}

function copyOf(fixture) {
  const data = temporaryDirectory();
  fs.cpSync(fixture, data, { recursive: true });
  return data;
}

/*
 * Calls of a phase by name. strace counts them for each thread: it is the main thread that starts and stops, and the
 * store thread that writes in between; in each phase it is the first to make one.
 */
function countLog(text) {
  const calls = [...text.matchAll(/^(\d+) +(\w+)\(/gm)];
  const counts = {};
  for (const [, , call] of calls.filter(([, thread]) => thread === calls[0][1])) {
    counts[call] = (counts[call] ?? 0) + 1;
  }
  return counts;
}

/* Every boundary of the script, and the summary of a run without a fault. */
export async function countBoundaries(fixture) {
  const boundaries = [];
  let expected;
  for (const phase of Object.keys(PHASES)) {
    const data = copyOf(fixture);
    const [log, run] = [path.join(temporaryDirectory(), 'strace'), newRun()];
    assert.equal(await PHASES[phase](data, straceArguments(data, log), run), null);
    assert.equal(run.answers.length, STEPS.length);
    for (const [call, count] of Object.entries(countLog(fs.readFileSync(log, 'utf8')))) {
      for (let n = 1; n <= count; n++) {
        boundaries.push(...['error=EIO', 'error=ENOSPC', 'signal=KILL'].map((fault) => ({ phase, call, n, fault })));
      }
    }
    const found = await settle(data, run);
    assert.deepEqual(found, expected ?? found, 'the script is the same each time');
    expected = found;
  }
  return { boundaries, expected };
}

export const nameOf = ({ phase, call, n, fault }) => `${phase}: ${call} number ${n}, ${fault}`;

/*
 * Only a full disk is something to go on from: after another error, and after any error of a sync, nobody knows what is
 * stored. A stop has nothing to refuse any more; what it could not move stays in the log for the next start.
 */
const mustStop = ({ phase, call, fault }) => phase !== 'stop' && (fault === 'error=EIO' || /sync/.test(call));

/* The fault really happened, and the server bore it as it must. */
function checkEnd(boundary, text, end) {
  const { fault } = boundary;
  if (fault === 'signal=KILL') {
    assert.deepEqual(end, { code: null, signal: 'SIGKILL' }, 'strace killed the server');
    return;
  }
  assert.match(text, /\(INJECTED\)$/m, 'strace made the call fail');
  assert.ok(end !== null || !mustStop(boundary), 'it does not go on');
  if (end !== null) {
    assert.ok(end.signal === null && FAIL_STOP.includes(end.code), `it stops by itself, with its own code: ${JSON.stringify(end)}`);
  }
}

/* Each answer of the script needs a sync of its own, so with a failed one there is none too many. */
function checkSyncs({ phase }, text, run) {
  if (phase === 'script') {
    const synced = [...text.matchAll(/fdatasync\(\d+<[^>]*onhand\.db-wal>\) += 0$/gm)].length;
    assert.ok(run.answers.length <= synced, `${run.answers.length} answers came after ${synced} syncs`);
  }
}

export async function runBoundary(fixture, expected, boundary) {
  const { phase, call, n, fault } = boundary;
  const data = copyOf(fixture);
  const [log, run] = [path.join(temporaryDirectory(), 'strace'), newRun()];
  const end = await PHASES[phase](data, straceArguments(data, log, `${call}:${fault}:when=${n}`), run);
  const text = fs.readFileSync(log, 'utf8');
  checkEnd(boundary, text, end);
  checkSyncs(boundary, text, run);
  assert.deepEqual(await settle(data, run), expected, 'the world is as without the fault');
  fs.rmSync(data, { recursive: true });
  return end;
}
