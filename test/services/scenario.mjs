/*
 * One fault, or many of a kind: a cluster, load on it, what the test does to it meanwhile, and the checks of check.mjs at the
 * end. A test that fails shows the last lines of every process.
 *
 *   ROUNDS=N      rounds of each scenario; the default is the quick form
 *   OUTAGE_S=N    seconds that the broker, or the database, is away; the default is the quick form
 *   PAUSE_MS=N    what each client waits after each answer: for long outages, on a machine that has other work
 *   FAULT_SEED=N  the operations of an earlier run; the moments stay the machine's
 */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { test } from 'node:test';
import { CHECKER } from '../node/history.mjs';
import { randomFrom } from '../node/trade.mjs';
import { assertGood } from './check.mjs';
import { Cluster } from './cluster.mjs';
import { Load } from './load.mjs';

const SEED = Number(process.env.FAULT_SEED ?? Date.now() % 1000000000);

export const rounds = (quick) => Number(process.env.ROUNDS ?? quick);

async function run(t, { options, loadOptions }, body) {
  assert.ok(fs.existsSync(CHECKER), `there is a ${CHECKER}`);
  const cluster = await Cluster.start(options);
  const load = new Load(SEED, cluster, { pause_ms: Number(process.env.PAUSE_MS ?? 0), ...loadOptions });
  const figure = (text) => t.diagnostic(`figure: ${text}`);
  try {
    await load.stock();
    await body({ cluster, load, figure, random: randomFrom(SEED), seed: SEED });
    await assertGood(cluster, load);
    const { done, acknowledged, retried, unknown, unread } = load;
    figure(`operations=${done} writes=${acknowledged.length} retried=${retried} unknown=${unknown} unread=${unread}`);
    await cluster.stopWell();
  } catch (error) {
    console.error(`---- ${t.name}: FAULT_SEED=${SEED}\n${cluster.report()}`);
    throw error;
  } finally {
    load.close();
    await cluster.stop();
  }
}

export function scenario(name, given, body) {
  test(name, { skip: given.skip ?? false }, (t) => run(t, given, body));
}
