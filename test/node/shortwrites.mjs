/*
 * One write of the program is cut short, as a kernel may do; the rest is written, or the disk is full for it. The script
 * runs from start to stop with test/faults/shortwrite.c preloaded. countWrites() says which writes there are,
 * runShortWrite() cuts one of them.
 */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { BINARY, temporaryDirectory } from './harness.mjs';
import { checkFailStop, endOf, newRun, onCopy, runScript, settle, startOrEnd, STEPS } from './script.mjs';

export const SHORTWRITE = path.join(path.dirname(BINARY), 'test/faults/shortwrite.so');
const SPLITTABLE_BYTES_MIN = 2;
const KINDS = ['short', 'short, then full'];

/* A whole life of a server; gives how it ended when that was not well, and what the shim saw. */
async function runWhole(data, run, variables) {
  const directory = temporaryDirectory();
  const log = path.join(directory, 'log');
  const { server, end: early } = await startOrEnd({
    data, variables: { LD_PRELOAD: SHORTWRITE, SHORTWRITE_DIR: data, SHORTWRITE_LOG: log, ...variables },
  });
  let end = early;
  if (server !== undefined) {
    await runScript(server, run);
    server.child.kill('SIGTERM');
    end = await endOf(server, false);
  }
  const writes = fs.readFileSync(log, 'utf8').trim().split('\n').map((line) => line.split(' '));
  fs.rmSync(directory, { recursive: true });
  return { end: end.code === 0 ? null : end, writes };
}

/* Every write of the script, each in every way, and what is found after a run without a fault. */
export async function countWrites(fixture) {
  return onCopy(fixture, async (data) => {
    const run = newRun();
    const { end, writes } = await runWhole(data, run, {});
    assert.equal(end, null);
    assert.equal(run.answers.length, STEPS.length);
    assert.ok(writes.every(([what, , asked, done]) => what === 'whole' && asked === done));
    const cases = writes.flatMap(([, , asked], i) => (asked < SPLITTABLE_BYTES_MIN ? [] : KINDS.map((kind) => ({ n: i + 1, kind }))));
    return { cases, expected: (await settle(data, run)).found };
  });
}

export const nameOfShort = ({ n, kind }) => `write number ${n}, ${kind}`;

/* The fault really happened: a test that cuts nothing proves nothing. Gives the name of the file. */
function checkCut({ n, kind }, writes) {
  const cut = writes.filter(([what]) => what === 'short');
  assert.equal(cut.length, 1, 'one write was cut');
  const [, name, asked, done] = cut[0];
  assert.equal(writes.indexOf(cut[0]), n - 1);
  assert.ok(Number(done) < Number(asked), `${done} of ${asked} bytes`);
  const full = writes.filter(([what]) => what === 'full').length;
  assert.equal(full, kind === 'short' || name === 'lock' ? 0 : 1, 'the disk was full for the rest'); /* the lock is not tried again */
  return name;
}

/*
 * How the server ended, and how long the next start took. `missed`: this time there were not so many writes, because
 * random ids fill the pages of an index differently.
 */
export async function runShortWrite(fixture, expected, which) {
  return onCopy(fixture, async (data) => {
    const run = newRun();
    const variables = { SHORTWRITE_AT: String(which.n), ...(which.kind === 'short' ? {} : { SHORTWRITE_THEN: '1' }) };
    const { end, writes } = await runWhole(data, run, variables);
    const missed = writes.length < which.n;
    const name = missed ? null : checkCut(which, writes);
    if (end !== null) {
      checkFailStop(end);
      assert.ok(which.kind !== 'short' || name === 'lock', 'a short write is gone on with');
    }
    const { found, ready_ms } = await settle(data, run);
    assert.deepEqual(found, expected, 'the world is as without the fault');
    return { end, ready_ms, missed };
  });
}
