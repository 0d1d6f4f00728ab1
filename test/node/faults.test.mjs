/*
 * The machine fails under the real program: calls to the kernel, the power, the disk's room, the clock, the process's
 * time. What was acknowledged is there, what has no answer has one effect when it is asked again, and the books balance.
 *
 *   FAULT_SWEEP=all    every call of the script, not a sample; about half an hour, so run it without run.mjs:
 *                      FAULT_SWEEP=all node --test test/node/faults.test.mjs
 *   FAULT_SEED=N       the sample and the operations of an earlier run
 *   POWERCUT_ROUNDS=N  power cuts (20)
 */
import { spawnSync } from 'node:child_process';
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import {
  api, auditClean, BINARY, finish, killServer, sleep, startServer, stopServer, temporaryDirectory, until,
} from './harness.mjs';
import { countBoundaries, makeFixture, nameOf, runBoundary } from './sweep.mjs';
import { randomFrom, Trade } from './trade.mjs';

const SEED = Number(process.env.FAULT_SEED ?? Date.now() % 2147483647);
const SWEEP_ALL = process.env.FAULT_SWEEP === 'all';
const BOUNDARIES_QUICK = 40;
const SWEEPS_AT_ONCE = 2;
const POWERCUT_ROUNDS = Number(process.env.POWERCUT_ROUNDS ?? 20);
const POWERCUT = path.join(path.dirname(BINARY), 'test/faults/powercut.so');
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

/* ---- Calls to the kernel ---- */

/* Evenly spread over the list, by the seed. */
function sample(list, count, random) {
  return Array.from({ length: count }, (_, i) => list[Math.floor((i + random(1000) / 1000) * list.length / count)]);
}

/* Half of a quick sweep goes to the calls that are rare. */
function chosen(boundaries) {
  if (SWEEP_ALL) {
    return boundaries;
  }
  const random = randomFrom(SEED);
  const isWrite = ({ call }) => call === 'pwrite64';
  return [
    ...sample(boundaries.filter((b) => !isWrite(b)), BOUNDARIES_QUICK / 2, random),
    ...sample(boundaries.filter(isWrite), BOUNDARIES_QUICK / 2, random)];
}

async function sweep(fixture, expected, boundaries) {
  const waiting = [...boundaries];
  const ends = { wentOn: 0, stopped: 0, killed: 0 };
  const worker = async () => {
    for (let boundary = waiting.shift(); boundary !== undefined; boundary = waiting.shift()) {
      const end = await runBoundary(fixture, expected, boundary).catch((error) => {
        error.message = `${nameOf(boundary)}: ${error.message}`;
        throw error;
      });
      ends[end === null ? 'wentOn' : end.signal === null ? 'stopped' : 'killed']++;
    }
  };
  await Promise.all(Array.from({ length: SWEEPS_AT_ONCE }, worker));
  return ends;
}

test(`each call to the disk fails once, or is the last (FAULT_SEED=${SEED})`, {
  skip: SANITIZED || (!mayTrace && 'strace is not permitted to follow a process'),
}, async () => {
  const fixture = await makeFixture();
  const { boundaries, expected } = await countBoundaries(fixture);
  for (const [phase, call] of [['start', 'fdatasync'], ['script', 'pwrite64'], ['script', 'fdatasync'], ['stop', 'unlink']]) {
    assert.ok(boundaries.some((b) => b.phase === phase && b.call === call), `${phase} has a ${call}`);
  }
  const ends = await sweep(fixture, expected, chosen(boundaries));
  assert.ok(Object.values(ends).every((count) => count > 0), `faults of every consequence: ${JSON.stringify(ends)}`);
});

/* ---- Power cuts ---- */

/* A directory, and beside it what the disk surely has of it. */
function newDisk() {
  const root = temporaryDirectory();
  const disk = { data: path.join(root, 'data'), durable: path.join(root, 'durable') };
  fs.mkdirSync(disk.data);
  fs.mkdirSync(path.join(disk.durable, 'unnamed'), { recursive: true });
  return disk;
}

const powercut = ({ data, durable }, more = {}) =>
  ({ LD_PRELOAD: POWERCUT, POWERCUT_DIR: data, POWERCUT_DURABLE: durable, ...more });

/* The power is back: only what the disk has is there. */
function loseUnsynced({ data, durable }) {
  fs.rmSync(path.join(durable, 'unnamed'), { recursive: true });
  fs.rmSync(data, { recursive: true });
  fs.cpSync(durable, data, { recursive: true });
  fs.mkdirSync(path.join(durable, 'unnamed'));
}

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

async function cutPower(disk, trade, round) {
  const keep = round % 2 === 0 ? {} : { POWERCUT_KEEP: '50', POWERCUT_SEED: String(SEED + round) };
  const server = await startServer({ data: disk.data, variables: powercut(disk, keep) });
  if (round === 0) {
    await trade.stock(server);
  }
  await trade.verify(server);
  await trade.during(server, async () => {
    await sleep(20 + trade.random(250));
    await killServer(server);
  });
  loseUnsynced(disk);
  if (round % 5 === 0) {
    auditClean(disk.data);
  }
}

test(`${POWERCUT_ROUNDS} power cuts under load (FAULT_SEED=${SEED})`, { skip: forPreload(POWERCUT) }, async () => {
  const disk = newDisk();
  const trade = new Trade(SEED);
  for (let round = 0; round < POWERCUT_ROUNDS; round++) {
    await cutPower(disk, trade, round);
  }
  const server = await startServer({ data: disk.data });
  await trade.verify(server, { all: true });
  await finish(server);
  assert.ok(trade.acknowledged > POWERCUT_ROUNDS * 20, `there was load: ${trade.acknowledged} operations`);
  assert.ok(trade.retried > POWERCUT_ROUNDS, `the cuts hit requests in flight: ${trade.retried}`);
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

test('a process that is stopped for a while loses nothing, and ends at once what ran out meanwhile', async () => {
  const server = await startServer();
  const trade = new Trade(SEED);
  await trade.stock(server);
  const client = await api(server);
  await client.stock({ CLOCK: { leeds: 100 } });
  const still_ms = SWEEP_ALL ? 60000 : 3000;
  await trade.during(server, async () => {
    await sleep(300);
    const holds = await Promise.all([1, 1, 2, 2].map((ttl_s) => hold(client, ttl_s)));
    process.kill(server.pid, 'SIGSTOP');
    await sleep(still_ms);
    process.kill(server.pid, 'SIGCONT');
    const woken = performance.now();
    for (const { id } of holds) {
      await until(async () => await stateOf(client, id) === 'expired', 'the hold expires', EXPIRY_LATE_MS_MAX + MACHINE_SLACK_MS);
    }
    assert.ok(performance.now() - woken < EXPIRY_LATE_MS_MAX + MACHINE_SLACK_MS);
    const before = trade.acknowledged;
    await until(() => trade.acknowledged > before + 20, 'the load goes on', BACK_MS_MAX);
  }, { patient: true });
  assert.equal((await client.level('CLOCK', 'leeds')).reserved, 0);
  client.close();
  await trade.verify(server, { all: true });
  await finish(server);
});
