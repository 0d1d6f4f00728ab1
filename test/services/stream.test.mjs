/*
 * What lies between the two services: the broker dies, and forgets everything; an availability node dies, or stands still.
 * Sales go on meanwhile, views are fresh as long as inventory answers, who is behind says so, and in the end all show the same.
 */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { performance } from 'node:perf_hooks';
import { sleep, until } from '../node/harness.mjs';
import { bodies, convergence, hasSeen, health, versions } from './check.mjs';
import { rounds, scenario } from './scenario.mjs';

const CONVERGED_MS = 5000; /* what is promised */
const STALE_MS = 2000; /* without a position for so long a node says so */
const UNREADY_MS = 10000; /* and for so long it is not ready */
const FRESH_MS = STALE_MS + 500; /* what is older than this is stale, by any clock */
const BEFORE_MS = 4000;
const SILENT_WRITES = 50;
const OUTAGE_MS = 1000 * Number(process.env.OUTAGE_S ?? 4);
const RATE_LEAST = 0.5; /* of what was before */
const LOAD_WRITES = 300;

async function loseBroker({ cluster, load, figure }, round, wipe) {
  await load.writes(LOAD_WRITES);
  const begun = performance.now();
  await sleep(BEFORE_MS);
  const cut = performance.now();
  await cluster.broker.kill();
  if (wipe) {
    cluster.broker.wipe();
  }
  await sleep(OUTAGE_MS);
  const without = await convergence(cluster);
  const over = performance.now();
  await cluster.broker.begin();
  const healed = await convergence(cluster);
  const [before, during] = [load.rate(begun, cut), load.rate(cut, over)];
  figure(`${cluster.bus} ${wipe ? 'killed and wiped' : 'killed'} ${round}, away for ${OUTAGE_MS} ms: ${during.toFixed(0)} writes a second without it, `
    + `${before.toFixed(0)} before (${(during / before).toFixed(2)}); views converged ${without} ms after any moment without it, `
    + `${healed} ms after it was back (promised: ${CONVERGED_MS} ms)`);
  assert.ok(during > RATE_LEAST * before, 'sales went on');
}

for (const bus of ['nats', 'redis', 'amqp']) {
  scenario(`the broker (${bus}) is killed, with and without what it has kept`, { options: { bus }, loadOptions: { viewReads: false } }, async (it) => {
    await it.load.during(async () => {
      for (let round = 1; round <= rounds(1); round++) {
        await loseBroker(it, round, false);
        await loseBroker(it, round, true);
      }
    });
  });
}

async function restartNode({ cluster, load, figure }, round, forget) {
  const node = cluster.availabilities[round % cluster.availabilities.length];
  await load.writes(LOAD_WRITES);
  await node.process.kill();
  await load.writes(LOAD_WRITES);
  if (forget) {
    fs.rmSync(node.data, { recursive: true });
  }
  node.process.start();
  const healed = await convergence(cluster);
  figure(`availability node killed ${round}, ${forget ? 'without' : 'with'} what it had kept: converged ${healed} ms after its start `
    + `(promised: ${CONVERGED_MS} ms)`);
}

scenario('an availability node is killed, with and without what it has kept', {}, async (it) => {
  const { cluster, load } = it;
  await load.during(async () => {
    for (let round = 1; round <= rounds(2); round++) {
      await restartNode(it, round, false);
      await restartNode(it, round, true);
    }
  });
  const [one, other] = await until(async () => {
    const all = await Promise.all(cluster.availabilities.map(bodies));
    return all[0] === all[1] && all;
  }, 'the same bytes at both nodes');
  assert.equal(one, other);
  assert.ok(one.includes('"quantity"'));
});

/* The first moments after a node went on: what it has not taken in yet, it does not claim to have. */
async function standStill({ cluster, load, figure }, round, still_ms) {
  const node = cluster.availabilities[round % cluster.availabilities.length];
  await load.writes(LOAD_WRITES);
  node.process.freeze();
  await sleep(still_ms - FRESH_MS);
  const known = await versions(cluster);
  await sleep(FRESH_MS);
  node.process.thaw();
  const woken = await health(node);
  assert.ok(woken.stale || await hasSeen(node, known), `what is not called stale is not: ${JSON.stringify(woken)}`);
  const healed = await convergence(cluster);
  const after = await until(async () => {
    const now = await health(node);
    return now.ready && !now.stale && now;
  }, 'a node that is well again');
  figure(`availability node still for ${still_ms} ms: then ${JSON.stringify(woken)}; converged ${healed} ms after it went on `
    + `(promised: ${CONVERGED_MS} ms)`);
  assert.equal(after.status, 200);
}

scenario('an availability node stands still and goes on', {}, async (it) => {
  await it.load.during(async () => {
    for (let round = 1; round <= rounds(1); round++) {
      await standStill(it, round, UNREADY_MS + 2000);
    }
  });
});

/* A broker alone that says nothing makes nobody stale. When nobody answers either: what nodes say of themselves, as time goes on. */
scenario('a node that hears nothing asks, and says so when nobody answers', { loadOptions: { viewReads: false } }, async ({ cluster, load, figure }) => {
  const node = cluster.availabilities[0];
  const silent = [cluster.broker, ...cluster.inventories].map(({ process }) => process);
  await load.during(async () => {
    await load.writes(LOAD_WRITES);
    cluster.broker.process.freeze();
    await load.writes(SILENT_WRITES);
  });
  const asked = await convergence(cluster);
  silent.forEach((one) => one.freeze());
  const begun = performance.now();
  const since = () => Math.round(performance.now() - begun);
  const stale = await until(async () => ((await health(node)).stale ? since() : 0), 'stale answers', 2 * UNREADY_MS);
  const { ready } = await health(node);
  const unready = await until(async () => ((await health(node)).ready ? 0 : since()), 'a node that is not ready', 3 * UNREADY_MS);
  silent.forEach((one) => one.thaw());
  await cluster.ready();
  const healed = await convergence(cluster);
  figure(`broker frozen: converged ${asked} ms after any moment; inventory too: answers were stale after ${stale} ms, the node unready after `
    + `${unready} ms; converged ${healed} ms after all were back (promised: ${CONVERGED_MS} ms)`);
  assert.ok(ready, 'it is not unready as soon as it is stale');
  assert.ok(stale >= STALE_MS - 1000 && unready >= UNREADY_MS - 1000, 'a blink is no reason');
});
