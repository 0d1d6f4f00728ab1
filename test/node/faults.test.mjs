/*
 * The machine fails under the real program: calls to the kernel, the power, the disk's room, the clock, the process's
 * time. What was acknowledged is there, what has no answer has one effect when it is asked again, and the books balance.
 * Long forms are in long.mjs.
 *
 *   FAULT_SWEEP=all    every call of the script, not a sample, and a minute's stop; not within the time of run.mjs:
 *                      FAULT_SWEEP=all tools/node --test test/node/faults.test.mjs
 *   FAULT_SEED=N       the sample and the operations of an earlier run
 *   POWERCUT_ROUNDS=N  power cuts (20)
 */
import { spawnSync } from 'node:child_process';
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { afterEach, test } from 'node:test';
import {
  abandonServers, api, auditClean, BINARY, finish, killServer, sleep, startServer, stopServer, temporaryDirectory, until,
} from './harness.mjs';
import { loseUnsynced, newDisk, POWER, powercut, POWERCUT, runRounds } from './rounds.mjs';
import { SHORTWRITE } from './shortwrites.mjs';
import { runStops } from './stops.mjs';
import { attach, straceArguments } from './sweep.mjs';
import { CALLS, runSweep, sample, SHORT_WRITES } from './sweeps.mjs';
import { pass } from './tally.mjs';
import { randomFrom, Trade } from './trade.mjs';

const SEED = Number(process.env.FAULT_SEED ?? Date.now() % 2147483647);
const SWEEP_ALL = process.env.FAULT_SWEEP === 'all';
const BOUNDARIES_QUICK = 40;
const SHORT_WRITES_QUICK = 24;
const POWERCUT_ROUNDS = Number(process.env.POWERCUT_ROUNDS ?? 20);
const FAKETIME = '/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1';
const YEAR_S = 365 * 86400;
const EXPIRY_LATE_MS_MAX = 1000;
const MACHINE_SLACK_MS = 2000; /* a loaded machine may be late; nothing may be early */
const BACK_MS_MAX = 3000;

const isSanitized = fs.readFileSync(BINARY).includes('__asan_init');
/* Sanitizers come first or not at all, and the leak checker does not work under strace. */
const SANITIZED = isSanitized && 'the program is built with a sanitizer';
const mayTrace = spawnSync('strace', ['-o', '/dev/null', 'true']).status === 0;
const forPreload = (library) => SANITIZED || (!fs.existsSync(library) && `there is no ${library}`);

afterEach(() => abandonServers());

/* ---- Calls to the kernel ---- */

/* Half of a quick sweep goes to the calls that are rare. */
function someCalls(boundaries) {
  for (const [phase, call] of [['start', 'fdatasync'], ['script', 'pwrite64'], ['script', 'fdatasync'], ['stop', 'unlink']]) {
    assert.ok(boundaries.some((b) => b.phase === phase && b.call === call), `${phase} has a ${call}`);
  }
  if (SWEEP_ALL) {
    return boundaries;
  }
  const random = randomFrom(SEED);
  const isWrite = ({ call }) => call === 'pwrite64';
  return [
    ...sample(boundaries.filter((b) => !isWrite(b)), BOUNDARIES_QUICK / 2, random),
    ...sample(boundaries.filter(isWrite), BOUNDARIES_QUICK / 2, random)];
}

const someShortWrites = (cases) => (SWEEP_ALL ? cases : sample(cases, SHORT_WRITES_QUICK, randomFrom(SEED)));

/* A fault that does not come about shows nothing; a few at the end of the script may not. */
function assertFaults({ runs, ends }) {
  assert.ok(ends.missed <= Math.max(2, runs / 50), `the faults came about: ${JSON.stringify(ends)}`);
}

test(`each call to the disk fails once, or is the last (FAULT_SEED=${SEED})`, {
  skip: SANITIZED || (!mayTrace && 'strace is not permitted to follow a process'),
}, async (t) => {
  const tally = await pass((failed) => runSweep(CALLS, { choose: someCalls, failed }));
  t.diagnostic(tally.line());
  const { wentOn, stopped, killed } = tally.ends;
  assert.ok(wentOn > 0 && stopped > 0 && killed > 0, `faults of every consequence: ${JSON.stringify(tally.ends)}`);
  assertFaults(tally);
});

test(`each write is cut short once (FAULT_SEED=${SEED})`, { skip: forPreload(SHORTWRITE) }, async (t) => {
  const tally = await pass((failed) => runSweep(SHORT_WRITES, { choose: someShortWrites, failed }));
  t.diagnostic(tally.line());
  assertFaults(tally);
});

/* Not known; surely not done; not even begun. */
const UNDONE = ['outcome_unknown', 'not_committed', 'overloaded'];

/* The sync takes its time before it fails, so that all requests are there by then: each is answered. */
async function failInDoubt(server, client, keys) {
  const log = path.join(temporaryDirectory(), 'strace');
  const tracer = await attach(server, straceArguments(server.data, log, 'fdatasync:error=EIO:when=1:delay_enter=2000000'));
  const answers = await Promise.all(keys.map((key) => client.reserve([{ sku: 'DOUBT', quantity: 1 }], {}, { key, status: 503 })));
  await tracer.ended;
  assert.deepEqual(await server.exited, { code: 70, signal: null });
  const codes = answers.map(({ json }) => json.code);
  assert.ok(codes.includes('outcome_unknown') && codes.every((code) => UNDONE.includes(code)), codes.join());
}

test('who waits for a commit that fails in doubt is told so before the process ends', {
  skip: SANITIZED || (!mayTrace && 'strace is not permitted to follow a process'),
}, async () => {
  const first = await startServer();
  const client = await api(first);
  await client.stock({ DOUBT: { leeds: 100 } });
  const keys = Array.from({ length: 8 }, (_, i) => `doubt-${i}`);
  await failInDoubt(first, client, keys);
  client.close();
  const second = await startServer({ data: first.data });
  const again = await api(second);
  await Promise.all(keys.map((key) => again.reserve([{ sku: 'DOUBT', quantity: 1 }], {}, { key, status: 201 })));
  assert.equal((await again.level('DOUBT', 'leeds')).reserved, keys.length);
  again.close();
  await finish(second);
});

/* ---- Power cuts ---- */

test('the power cut takes what was not synced, and nothing else', { skip: forPreload(POWERCUT) }, () => {
  const counts = ['FULL', 'OFF'].map((synchronous) => {
    const disk = newDisk();
    const file = path.join(disk.data, 'x.db');
    const input = ['PRAGMA journal_mode=WAL;', 'PRAGMA synchronous=FULL;', 'CREATE TABLE t(a);', `PRAGMA synchronous=${synchronous};`,
      'INSERT INTO t VALUES (1);', '.system kill -9 $PPID'].join('\n');
    const { signal } = spawnSync('sqlite3', [file], { input, env: { ...process.env, ...powercut(disk) } });
    assert.equal(signal, 'SIGKILL');
    loseUnsynced(disk);
    return spawnSync('sqlite3', [file, 'SELECT count(*) FROM t'], { encoding: 'utf8' }).stdout.trim();
  });
  assert.deepEqual(counts, ['1', '0']);
});

test('a disk that lies about its syncs is found out', { skip: forPreload(POWERCUT) }, async () => {
  const disk = newDisk();
  const trade = new Trade(SEED);
  const start = (more) => startServer({ data: disk.data, variables: powercut(disk, more) });
  const honest = await start();
  await trade.stock(honest);
  await trade.during(honest, async () => {
    await sleep(200);
    await stopServer(honest);
  });
  const lied = await start({ POWERCUT_LIES: '1' });
  const before = trade.acknowledged;
  await trade.during(lied, async () => {
    await sleep(300);
    await killServer(lied);
  });
  assert.ok(trade.acknowledged > before);
  loseUnsynced(disk);
  const after = await start();
  await assert.rejects(trade.verify(after, { all: true }), assert.AssertionError);
  await stopServer(after);
});

test(`${POWERCUT_ROUNDS} power cuts under load (FAULT_SEED=${SEED})`, { skip: forPreload(POWERCUT) }, async (t) => {
  const tally = await pass((failed) => runRounds(POWER, { seed: SEED, rounds: POWERCUT_ROUNDS, failed }));
  t.diagnostic(tally.line());
  assert.ok(tally.operations > POWERCUT_ROUNDS * 10, `there was load: ${tally.line()}`);
  assert.ok(tally.retried > POWERCUT_ROUNDS, `the cuts hit requests in flight: ${tally.retried}`);
});

/* ---- A full disk ---- */

/* A small disk of its own; says why there is none. */
function mountSmallDisk() {
  const at = temporaryDirectory();
  const { status, stderr } = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=48m', 'tmpfs', at], { encoding: 'utf8' });
  return status === 0 ? { at } : { why: stderr.trim() || 'there is no mount' };
}

/* Takes all the room there is. */
function fill(file) {
  const fd = fs.openSync(file, 'w');
  for (let size = 1 << 20; size >= 4096; size /= 2) {
    try {
      for (;;) {
        fs.writeSync(fd, Buffer.alloc(size));
      }
    } catch (error) {
      assert.equal(error.code, 'ENOSPC');
    }
  }
  fs.closeSync(fd);
}

async function fillAndFree(trade, filler) {
  const refused = trade.unavailable;
  fill(filler);
  await until(() => trade.unavailable > refused + 10, 'writes are refused for want of room');
  await sleep(300);
  const before = trade.acknowledged;
  fs.unlinkSync(filler);
  await until(() => trade.acknowledged > before + 20, 'the service is back', BACK_MS_MAX);
  await sleep(200);
}

async function runOnSmallDisk(at) {
  const server = await startServer({ data: path.join(at, 'data') });
  const trade = new Trade(SEED);
  await trade.stock(server);
  await trade.during(server, async () => {
    for (let round = 0; round < 3; round++) {
      await sleep(200);
      await fillAndFree(trade, path.join(at, 'filler'));
    }
  }, { patient: true });
  await trade.verify(server, { all: true });
  await killServer(server);
  auditClean(server.data);
  const again = await startServer({ data: server.data });
  await trade.verify(again, { all: true });
  await finish(again);
}

test('a full disk refuses writes, loses none, and serves again once there is room', async (t) => {
  const { at, why } = process.getuid() === 0 ? mountSmallDisk() : { why: 'only root mounts a small disk' };
  if (at === undefined) {
    t.skip(why);
    return;
  }
  try {
    await runOnSmallDisk(at);
  } finally {
    spawnSync('umount', ['-l', at]);
  }
});

/* ---- The clock ---- */

/* The wall clock of a server, which can be set. The monotonic clock goes on as it is. */
function newWallClock(offset_s) {
  const file = path.join(temporaryDirectory(), 'offset');
  const set = (s) => {
    fs.writeFileSync(`${file}.new`, `${s < 0 ? '-' : '+'}${Math.abs(s)}`);
    fs.renameSync(`${file}.new`, file);
  };
  set(offset_s);
  const variables = { LD_PRELOAD: FAKETIME, FAKETIME_TIMESTAMP_FILE: file, FAKETIME_DONT_FAKE_MONOTONIC: '1', FAKETIME_NO_CACHE: '1' };
  return { set, variables };
}

const wallYear = (server, event) => Number(new RegExp(`time=(\\d{4})[^\\n]*event=${event}`).exec(server.output)[1]);
const yearIn = (offset_s) => new Date(Date.now() + offset_s * 1000).getUTCFullYear();

async function hold(client, ttl_s) {
  const asked = performance.now();
  const { json } = await client.reserve([{ sku: 'CLOCK', quantity: 1 }], { ttl_s }, { status: 201 });
  return { id: json.id, ttl_ms: ttl_s * 1000, asked, answered: performance.now() };
}

const stateOf = async (client, id) => (await client.get(`/v1/reservations/${id}`, { status: 200 })).json.state;

/* The hold lasts as long as it was promised, by a clock that nobody set, and `more_ms` when the server was down. */
async function assertLasts(client, { id, ttl_ms, asked, answered }, more_ms = 0) {
  for (;;) {
    const before = performance.now();
    const state = await stateOf(client, id);
    const now = performance.now();
    if (state === 'expired') {
      assert.ok(now - asked >= ttl_ms, `not early: ${now - asked} of ${ttl_ms} ms`);
      return;
    }
    assert.equal(state, 'held');
    const late_ms = before - answered - ttl_ms - more_ms;
    assert.ok(late_ms < EXPIRY_LATE_MS_MAX + MACHINE_SLACK_MS, `not late: ${late_ms} ms`);
    await sleep(20);
  }
}

async function assertTimesRise(client) {
  const rows = await client.walk('/v1/movements');
  rows.forEach((row, i) => {
    const before = rows[i - 1] ?? row;
    assert.ok(i === 0 || row.seq === before.seq + 1, `seq ${before.seq}, then ${row.seq}`);
    assert.ok(Date.parse(row.at) >= Date.parse(before.at), `${row.at} is not before ${before.at}`);
  });
}

test('the wall clock goes a year forward and back: no hold ends early or late, no time goes back', {
  skip: forPreload(FAKETIME),
}, async () => {
  const clock = newWallClock(0);
  const server = await startServer({ variables: clock.variables });
  const client = await api(server);
  await client.stock({ CLOCK: { leeds: 100 } });
  const holds = [await hold(client, 2)];
  for (const offset_s of [YEAR_S, -YEAR_S, 0, YEAR_S]) {
    clock.set(offset_s);
    holds.push(await hold(client, 2));
    await sleep(300);
  }
  assert.equal(await stateOf(client, holds.at(-1).id), 'held');
  await Promise.all(holds.map((made) => assertLasts(client, made)));
  await assertTimesRise(client);
  client.close();
  await finish(server);
  assert.equal(wallYear(server, 'stopping'), yearIn(YEAR_S), 'the clock was set');
});

test('a start with the wall clock a year back: ledger time goes on', { skip: forPreload(FAKETIME) }, async () => {
  const clock = newWallClock(0);
  const first = await startServer({ variables: clock.variables });
  const client = await api(first);
  await client.stock({ CLOCK: { leeds: 100 } });
  const old = await hold(client, 2);
  client.close();
  await killServer(first);
  const down = performance.now();
  clock.set(-YEAR_S);
  const second = await startServer({ data: first.data, variables: clock.variables });
  const down_ms = performance.now() - down;
  const again = await api(second);
  const fresh = await hold(again, 1);
  await Promise.all([assertLasts(again, fresh), assertLasts(again, old, down_ms)]);
  await assertTimesRise(again);
  again.close();
  await finish(second);
  assert.equal(wallYear(second, 'stopping'), yearIn(-YEAR_S), 'the clock was set');
});

/* ---- The process stands still ---- */

test('a process that is stopped for a while loses nothing, and ends at once what ran out meanwhile', async (t) => {
  const tally = await pass((failed) => runStops({ seed: SEED, stops: 1, still_ms: SWEEP_ALL ? 60000 : 3000, failed }));
  t.diagnostic(tally.line());
});
