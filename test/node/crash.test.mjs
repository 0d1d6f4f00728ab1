/*
 * kill -9 under load, again and again on the same data: what was acknowledged is there, what was not acknowledged can
 * be asked again with the same key and has one effect, and the books balance.
 *
 *   KILL_ROUNDS=N  rounds (100); for long runs there is long.mjs
 *   FAULT_SEED=N   the operations of an earlier run
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KILL, runRounds } from './rounds.mjs';
import { pass } from './tally.mjs';

const ROUNDS = Number(process.env.KILL_ROUNDS ?? 100);
const SEED = Number(process.env.FAULT_SEED ?? Date.now() % 2147483647);

test(`${ROUNDS} times kill -9 under load (FAULT_SEED=${SEED})`, async (t) => {
  const tally = await pass((failed) => runRounds(KILL, { seed: SEED, rounds: ROUNDS, failed }));
  t.diagnostic(tally.line());
  assert.ok(tally.operations > ROUNDS * 10, `there was load: ${tally.line()}`);
  assert.ok(tally.retried > ROUNDS, `the kills hit requests in flight: ${tally.retried}`);
});
