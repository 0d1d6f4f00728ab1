/*
 * One call of the program to the kernel fails, or is the last one it makes: the script runs under strace, which injects
 * the fault. countBoundaries() says which calls there are, runBoundary() fails one of them.
 */
import { spawn } from 'node:child_process';
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { startServer, temporaryDirectory, until } from './harness.mjs';
import { checkFailStop, endOf, newRun, onCopy, runScript, settle, startOrEnd, STEPS } from './script.mjs';

const CALLS = ['write', 'pwrite64', 'fsync', 'fdatasync', 'ftruncate', 'rename', 'unlink'];
const FILES = ['', '/lock', '/onhand.db', '/onhand.db-journal', '/onhand.db-wal', '/onhand.db-shm'];

/* ---- strace ---- */

export function straceArguments(data, log, inject) {
  const paths = FILES.flatMap((file) => ['-P', `${data}${file}`]);
  return ['-f', '-y', '-s', '0', '-o', log, '-e', `trace=${CALLS}`, ...paths, ...(inject === undefined ? [] : ['-e', `inject=${inject}`])];
}

/* Follows a running server; resolves when it does. */
export async function attach(server, args) {
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

const PHASES = {
  async start(data, args, run) {
    const { server, end } = await startOrEnd({ data, wrap: ['strace', '-D', ...args] });
    if (server === undefined) {
      return end;
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

/* ---- The calls, one by one ---- */

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

/* Where strace writes, gone when `use` is done. */
async function withLog(use) {
  const directory = temporaryDirectory();
  try {
    return await use(path.join(directory, 'strace'));
  } finally {
    fs.rmSync(directory, { recursive: true });
  }
}

const FAULTS = ['error=EIO', 'error=ENOSPC', 'signal=KILL'];

/* The boundaries of a phase, and what is found after a run of it without a fault. */
async function countPhase(fixture, phase) {
  return onCopy(fixture, (data) => withLog(async (log) => {
    const run = newRun();
    assert.equal(await PHASES[phase](data, straceArguments(data, log), run), null);
    assert.equal(run.answers.length, STEPS.length);
    const boundaries = Object.entries(countLog(fs.readFileSync(log, 'utf8'))).flatMap(([call, count]) =>
      Array.from({ length: count }, (_, i) => FAULTS.map((fault) => ({ phase, call, n: i + 1, fault }))).flat());
    return { boundaries, found: (await settle(data, run)).found };
  }));
}

/* Every boundary of the script, and what is found after a run without a fault. */
export async function countBoundaries(fixture) {
  const boundaries = [];
  let expected;
  for (const phase of Object.keys(PHASES)) {
    const counted = await countPhase(fixture, phase);
    assert.deepEqual(counted.found, expected ?? counted.found, 'the script is the same each time');
    expected = counted.found;
    boundaries.push(...counted.boundaries);
  }
  return { cases: boundaries, expected };
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
    checkFailStop(end);
  }
}

/* Each answer of the script needs a sync of its own, so with a failed one there is none too many. */
function checkSyncs({ phase }, text, run) {
  if (phase === 'script') {
    const synced = [...text.matchAll(/fdatasync\(\d+<[^>]*onhand\.db-wal>\) += 0$/gm)].length;
    assert.ok(run.answers.length <= synced, `${run.answers.length} answers came after ${synced} syncs`);
  }
}

/*
 * How the server ended, and how long the next start took. `missed`: this time there were not so many calls, because
 * random ids fill the pages of an index differently.
 */
export async function runBoundary(fixture, expected, boundary) {
  const { phase, call, n, fault } = boundary;
  return onCopy(fixture, (data) => withLog(async (log) => {
    const run = newRun();
    const end = await PHASES[phase](data, straceArguments(data, log, `${call}:${fault}:when=${n}`), run);
    const text = fs.readFileSync(log, 'utf8');
    const missed = (countLog(text)[call] ?? 0) < n;
    if (missed) {
      assert.equal(end, null, 'nothing happened');
    } else {
      checkEnd(boundary, text, end);
    }
    checkSyncs(boundary, text, run);
    const { found, ready_ms } = await settle(data, run);
    assert.deepEqual(found, expected, 'the world is as without the fault');
    return { end, ready_ms, missed };
  }));
}
