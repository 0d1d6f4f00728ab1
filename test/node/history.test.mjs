/*
 * What clients saw of the real program, while it is killed again and again, is a history that could have been: each
 * recorded history is checked by a program that shares no code with the server (test/history).
 *
 *   HISTORY_RUNS=N        N histories; HISTORY_MINUTES=M: as many as fit. Run that without run.mjs:
 *                         HISTORY_RUNS=100 node --test test/node/history.test.mjs
 *   HISTORY_OPERATIONS=N  operations of each (20000)
 *   HISTORY_SEED=N        the operations of an earlier run; the moments stay the machine's
 */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { test } from 'node:test';
import { finish } from './harness.mjs';
import { check, CHECKER, History } from './history.mjs';

const SEED = Number(process.env.HISTORY_SEED ?? Date.now() % 1000000000);
const MINUTES = Number(process.env.HISTORY_MINUTES ?? 0);
const RUNS = Number(process.env.HISTORY_RUNS ?? (MINUTES > 0 ? Infinity : 1));
const IS_LONG = MINUTES > 0 || RUNS > 1;
const OPERATIONS = Number(process.env.HISTORY_OPERATIONS ?? 20000);
const KILLS = 4;

/* A history in which nothing happened proves nothing. */
function assertEventful(history) {
  const { done, wanted, retried, refusals, expired, unknown } = history;
  assert.ok(done >= wanted && retried > KILLS && refusals > done / 50 && expired > 0 && unknown > 0,
    JSON.stringify({ done, wanted, retried, refusals, expired, unknown }));
}

async function record(history) {
  await history.run(KILLS);
  assert.match(check(history.records), /^history: \d+ operations, 0 violations\n$/);
  assertEventful(history);
  await finish(history.server);
}

async function run(seed) {
  const history = new History(seed, OPERATIONS);
  try {
    await record(history);
  } catch (error) {
    history.server?.child.kill('SIGKILL');
    throw error;
  }
  return history.done;
}

async function runAll() {
  const end = performance.now() + MINUTES * 60000;
  const totals = { runs: 0, operations: 0, failures: 0, seed: SEED };
  let first = null;
  while (totals.runs < RUNS && (MINUTES === 0 || performance.now() < end)) {
    try {
      totals.operations += await run(totals.seed);
    } catch (error) {
      totals.failures++;
      first ??= error;
      console.error(`HISTORY_SEED=${totals.seed}: ${error.stack}`);
    }
    totals.runs++;
    totals.seed++;
  }
  if (IS_LONG) {
    console.log(`totals suite=history seeds=${SEED}-${totals.seed - 1} runs=${totals.runs} operations=${totals.operations} `
      + `simulated_hours=0 failures=${totals.failures}`);
  }
  if (first !== null) {
    throw first;
  }
}

test(`what clients saw through ${KILLS} kills fits one order (HISTORY_SEED=${SEED})`, {
  skip: !fs.existsSync(CHECKER) && `there is no ${CHECKER}`,
}, runAll);
